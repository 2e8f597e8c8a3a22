"""The forward pass of ESM-2 over packed sequences: no padding, no language-model head, no layer too many.

Linear layers see all tokens of a batch as one matrix; attention runs per sequence. Every operation is
fair-esm's, in fair-esm's order: ESM-2's residual stream has components above 100, and a fused attention or
GELU, right to a rounding error, moves the small ones beside them by 1e-4 a few layers later. Values equal
fair-esm's, run on the protein alone, to 1e-5 relative to max(1, |x|).
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import FINAL_NORM, HookPoint, parse_hook_point
from protsae.plm.tokens import PackedTokens, Tokenizer

if TYPE_CHECKING:
    from torch import nn

_TOKEN_DROPOUT_SCALE = 1 - 0.15 * 0.8  # ESM-2 was trained with this share of tokens masked and scales for it
_GELU_ROWS = 256
_SCORES_PER_BLOCK = 1 << 20  # of one head: up to 1024 tokens are one block; bounds the memory of longer ones


@dataclass(frozen=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, module: "nn.LayerNorm") -> "_Norm":
        return cls(module.weight, module.bias, module.eps)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class _Tape:
    """Keeps the values at the hook points asked for."""

    def __init__(self, wanted: Collection[HookPoint], is_residue: Tensor) -> None:
        self._wanted = set(wanted)
        self._is_residue = is_residue
        self.kept: dict[str, Tensor] = {}

    def offer(self, value: Tensor, kind: str, layer: int | None = None) -> None:
        point = HookPoint(kind, layer)
        if point in self._wanted:
            self.kept[str(point)] = value[self._is_residue]

    def is_complete(self) -> bool:
        return len(self.kept) == len(self._wanted)


class _Rotary:
    """Rotary position tables, computed once for the longest sequence so far."""

    def __init__(self, inverse_frequency: Tensor) -> None:
        self._inverse_frequency = inverse_frequency
        self._cos = self._sin = torch.empty(0, len(inverse_frequency))

    def at(self, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines for tokens, each [n_tokens, head_dim / 2]."""
        longest = int(position.max()) + 1
        if longest > len(self._cos):
            steps = torch.arange(longest).type_as(self._inverse_frequency)
            angle = torch.outer(steps, self._inverse_frequency)
            self._cos, self._sin = angle.cos(), angle.sin()
        return self._cos[position], self._sin[position]


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (j, j + head_dim / 2) of x [..., n_tokens, head_dim] by position."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def _gelu_in_place(x: Tensor) -> Tensor:
    """Apply x * 0.5 * (1 + erf(x / sqrt(2))) to x [n_tokens, width], a few rows at a time."""
    for rows in torch.split(x, _GELU_ROWS):
        factor = torch.erf(rows / math.sqrt(2.0)).add_(1.0)
        rows.mul_(0.5).mul_(factor)
    return x


class _Layer:
    """One transformer layer with query, key and value projections fused into one."""

    def __init__(self, module: Any) -> None:
        attention = module.self_attn
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._qkv_weight = torch.cat([part.weight for part in parts])
        self._qkv_bias = torch.cat([part.bias for part in parts])
        self._n_heads: int = attention.num_heads
        self._scaling: float = attention.scaling
        self._out: Callable[[Tensor], Tensor] = attention.out_proj
        self._fc1: Callable[[Tensor], Tensor] = module.fc1
        self._fc2: Callable[[Tensor], Tensor] = module.fc2
        self._attention_norm = _Norm.of(module.self_attn_layer_norm)
        self._mlp_norm = _Norm.of(module.final_layer_norm)

    def attention(self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        """Return what attention adds to the residual stream, [n_tokens, d_model]."""
        qkv = functional.linear(self._attention_norm(x), self._qkv_weight, self._qkv_bias)
        # [n_tokens, 3 * d_model] -> [3, heads, n_tokens, head_dim]
        heads = qkv.view(len(x), 3, self._n_heads, -1).permute(1, 2, 0, 3).contiguous()
        heads[0].mul_(self._scaling)
        q, k = _rotate(heads[:2], *rotary)
        mixed = torch.empty_like(heads[2])
        sequences = (torch.split(part, sizes, dim=1) for part in (q, k, heads[2], mixed))
        for q_one, k_one, v_one, mixed_one in zip(*sequences, strict=True):
            # equal blocks: a remainder of a few rows would be multiplied in another order of summation
            n_blocks = -(-(k_one.shape[1] ** 2) // _SCORES_PER_BLOCK)
            blocks = (torch.tensor_split(part, n_blocks, dim=1) for part in (q_one, mixed_one))
            for queries, out in zip(*blocks, strict=True):
                weights = torch.bmm(queries, k_one.transpose(1, 2)).softmax(dim=-1)
                out.copy_(torch.bmm(weights, v_one))
        return self._out(mixed.transpose(0, 1).flatten(1))

    def mlp(self, x: Tensor) -> Tensor:
        """Return what the feed-forward block adds to the residual stream, [n_tokens, d_model]."""
        return self._fc2(_gelu_in_place(self._fc1(self._mlp_norm(x))))


class Esm2Forward:
    """Runs sequences through an ESM-2 model up to the highest hook point asked for."""

    def __init__(self, model: PlmModel, hook_points: Sequence[str]) -> None:
        """Prepare the weights.

        Args:
            model: the model.
            hook_points: names of the points to capture.

        Raises:
            InputError: an unknown name, or a layer that the model does not have.
        """
        self._hook_points = [parse_hook_point(name, model.n_layers) for name in hook_points]
        module = model.module
        self._tokenizer = Tokenizer(module.alphabet)
        scale = _TOKEN_DROPOUT_SCALE if module.token_dropout else 1.0
        self._embedding = module.embed_tokens.weight * scale
        self._layers = [_Layer(layer) for layer in module.layers]
        self._final_norm = _Norm.of(module.emb_layer_norm_after)
        self._rotary = _Rotary(module.layers[0].self_attn.rot_emb.inv_freq)

    def run(self, sequences: Sequence[str]) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            sequences: residues, one string per protein.

        Returns:
            For every hook point the activations of residues only, start and end tokens left out, float32
            [sum of lengths, d_model], in the order of `sequences`.

        Raises:
            InputError: an empty sequence or a letter that is no residue.
        """
        with torch.inference_mode():
            return self._run(self._tokenizer.pack(sequences))

    def _run(self, packed: PackedTokens) -> dict[str, Tensor]:
        tape = _Tape(self._hook_points, packed.is_residue)
        rotary = self._rotary.at(packed.position)
        x = self._embedding[packed.tokens]
        for i, layer in enumerate(self._layers):
            tape.offer(x, "resid_pre", i)
            if tape.is_complete():
                return tape.kept
            update = layer.attention(x, rotary, packed.sizes)
            tape.offer(update, "attn_out", i)
            x = x + update
            tape.offer(x, "resid_mid", i)
            if tape.is_complete():
                return tape.kept
            update = layer.mlp(x)
            tape.offer(update, "mlp_out", i)
            x = x + update
            tape.offer(x, "resid_post", i)
            if tape.is_complete():
                return tape.kept
        tape.offer(self._final_norm(x), FINAL_NORM)
        return tape.kept
