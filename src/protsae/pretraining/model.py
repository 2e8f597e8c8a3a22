"""fair-esm's ESM-2 module of any shape, and a forward pass over it that can be trained: packed, no padding.

Linear layers see all tokens of a batch as one matrix. Attention runs over groups of sequences of similar
length, each padded to its own longest. The last feed-forward block and the head see masked tokens only.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from protsae.core.seeding import torch_generator
from protsae.plm.sdpa import rotate
from protsae.pretraining.config import ShapeConfig
from protsae.pretraining.masking import MaskedBatch

if TYPE_CHECKING:
    from esm import ESM2

_TRAINED_MASK_RATIO = 0.15 * 0.8  # token dropout's constant in ESM-2, whatever share is masked here
_INIT_STD = 0.02
_MAX_PADDING = 0.1  # share of a group's attention rows that may be padding


def build_module(shape: ShapeConfig, seed: int) -> "ESM2":
    """Return fair-esm's module with fresh weights, without its contact head.

    Matrices are normal with standard deviation .02, those that write into the residual stream smaller by
    sqrt(2 n_layers); biases are zero, norms one. No global random state is touched.
    """
    from esm import ESM2
    from esm.rotary_embedding import RotaryEmbedding

    with torch.device("meta"):
        module = ESM2(shape.n_layers, shape.d_model, shape.n_heads, "ESM-1b", token_dropout=True)
    module.contact_head = None
    module.to_empty(device="cpu")
    module.lm_head.weight = module.embed_tokens.weight  # tied; `to_empty` made two of it
    generator = torch_generator(seed, "pretraining", "weights")
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0 if name.endswith("norm.weight") or "norm_after.weight" in name else 0.0)
            else:
                writes = name.endswith(("out_proj.weight", "fc2.weight"))
                std = _INIT_STD / math.sqrt(2 * shape.n_layers) if writes else _INIT_STD
                parameter.normal_(std=std, generator=generator)
        module.embed_tokens.weight[module.padding_idx] = 0.0
    for layer in module.layers:
        layer.self_attn.rot_emb = RotaryEmbedding(dim=shape.d_model // shape.n_heads)
    return module


class _Padded(NamedTuple):
    """Where the tokens of a group stand among its padded rows."""

    rows: Tensor
    """Token of each row, padding rows any, int64 [n_sequences * longest]."""
    keep: Tensor
    """Row of each token, int64 [n_tokens]."""
    is_key: Tensor
    """False where a row is padding, bool [n_sequences, 1, 1, longest]."""


class _Group(NamedTuple):
    """Sequences of similar length that attend together."""

    first: int
    """Its first token."""
    n_tokens: int
    """All its tokens."""
    n_sequences: int
    longest: int
    padded: "_Padded | None"
    """How to pad them; None: all are equally long."""


def attention_groups(sizes: list[int], device: torch.device) -> list[_Group]:
    """Cut neighbouring sequences into groups with little padding; sort batches by length first.

    Args:
        sizes: tokens of each sequence.
        device: where the indices go.
    """
    return [_group(first, part, device) for first, part in _similar(sizes)]


def _similar(sizes: list[int]) -> Iterator[tuple[int, list[int]]]:
    first, part = 0, list[int]()
    for size in sizes:
        longest = max([*part, size])
        if part and sum(part) + size < (1 - _MAX_PADDING) * longest * (len(part) + 1):
            yield first, part
            first, part = first + sum(part), []
        part.append(size)
    if part:
        yield first, part


def _group(first: int, sizes: list[int], device: torch.device) -> _Group:
    longest, n_tokens = max(sizes), sum(sizes)
    if n_tokens == longest * len(sizes):
        return _Group(first, n_tokens, len(sizes), longest, None)
    is_token = np.arange(longest) < np.asarray(sizes)[:, None]
    starts = np.cumsum([0, *sizes[:-1]])[:, None]
    rows = np.where(is_token, starts + np.arange(longest), 0).ravel()
    parts = (rows, np.flatnonzero(is_token), is_token[:, None, None, :])
    padded = _Padded(*(torch.from_numpy(part).to(device) for part in parts))
    return _Group(first, n_tokens, len(sizes), longest, padded)


class MaskedForward:
    """Logits of masked tokens, exact to fair-esm's module run on each sequence alone, with gradients."""

    def __init__(self, module: "ESM2") -> None:
        """Read the weights from `module` at every call."""
        self._module = module

    def __call__(self, batch: MaskedBatch) -> Tensor:
        """Return logits [n_masked, alphabet] for the tokens at `batch.masked_at`."""
        module = self._module
        x = self._embed(batch)
        rotary = self._rotary(batch.position)
        groups = attention_groups(batch.sizes, x.device)
        last = len(module.layers) - 1
        for i, layer in enumerate(module.layers):
            x = x + _attention(layer, x, rotary, groups)
            if i == last:
                x = x[batch.masked_at]
            x = x + layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(x))))
        logits: Tensor = module.lm_head(module.emb_layer_norm_after(x))
        return logits

    def _embed(self, batch: MaskedBatch) -> Tensor:
        module = self._module
        x: Tensor = module.embed_tokens(batch.tokens)
        if not module.token_dropout:
            return x
        is_mask = batch.tokens == module.mask_idx
        n_masks = torch.zeros(len(batch.sizes), dtype=x.dtype, device=x.device)
        n_masks.index_add_(0, batch.segment, is_mask.to(x.dtype))
        sizes = torch.tensor(batch.sizes, dtype=x.dtype, device=x.device)
        scale = (1 - _TRAINED_MASK_RATIO) / (1 - n_masks / sizes)
        return x.masked_fill(is_mask[:, None], 0.0) * scale[batch.segment][:, None]

    def _rotary(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, each [n_tokens, 1, 1, head_dim / 2]."""
        frequency = self._module.layers[0].self_attn.rot_emb.inv_freq
        angle = torch.outer(position.to(frequency.dtype), frequency)[:, None, None]
        return angle.cos(), angle.sin()


def _attention(layer: Any, x: Tensor, rotary: tuple[Tensor, Tensor], groups: list[_Group]) -> Tensor:
    """Return what attention adds to the residual stream, [n_tokens, d_model]."""
    attention = layer.self_attn
    projections = (attention.q_proj, attention.k_proj, attention.v_proj)
    weight = torch.cat([projection.weight for projection in projections])
    bias = torch.cat([projection.bias for projection in projections])
    qkv = functional.linear(layer.self_attn_layer_norm(x), weight, bias)
    qk, v = torch.split(qkv.view(len(x), 3, attention.num_heads, -1), [2, 1], dim=1)
    rotated = rotate(qk, *rotary).to(qkv.dtype)
    # one split, not a slice per group: the gradient of a slice is as large as what it was cut from
    cut = [group.n_tokens for group in groups]
    parts = zip(torch.split(rotated, cut), torch.split(v.squeeze(1), cut), groups, strict=True)
    mixed = [_attend(qk_part, v_part, group) for qk_part, v_part, group in parts]
    out: Tensor = attention.out_proj(torch.cat(mixed).flatten(1))
    return out


def _attend(qk: Tensor, v: Tensor, group: _Group) -> Tensor:
    """Attend within each sequence: qk [n_tokens, 2, heads, head_dim], v and the result without the 2."""
    padded = group.padded
    shape = (group.n_sequences, group.longest)
    if padded is not None:
        qk, v = qk[padded.rows], v[padded.rows]
    q, k = qk.view(*shape, *qk.shape[1:]).permute(
        2, 0, 3, 1, 4
    )  # each [n_sequences, heads, longest, head_dim]
    v = v.view(*shape, *v.shape[1:]).transpose(1, 2)
    keys = None if padded is None else padded.is_key
    mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=keys).transpose(1, 2).flatten(0, 1)
    return mixed if padded is None else mixed[padded.keep]
