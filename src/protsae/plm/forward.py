"""The forward pass of ESM-2 over packed sequences: no padding, no language-model head, no layer too many.

Linear layers see all tokens of a batch as one matrix; attention runs per sequence, or per run of sequences
of equal length. Values equal fair-esm's own to 1e-5, relative to max(1, |x|), whatever else is in the batch.
"""

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
        """Return cosines and sines for tokens, each [n_tokens, 1, 1, head_dim / 2]."""
        longest = int(position.max()) + 1
        if longest > len(self._cos):
            angle = torch.outer(
                torch.arange(longest).type_as(self._inverse_frequency), self._inverse_frequency
            )
            self._cos, self._sin = angle.cos(), angle.sin()
        return self._cos[position, None, None], self._sin[position, None, None]


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (j, j + head_dim / 2) of x [n_tokens, 2, heads, head_dim] by position."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class _Layer:
    """One transformer layer with query, key and value projections fused into one."""

    def __init__(self, module: Any) -> None:
        attention = module.self_attn
        self._out: Callable[[Tensor], Tensor] = attention.out_proj
        self._fc1: Callable[[Tensor], Tensor] = module.fc1
        self._fc2: Callable[[Tensor], Tensor] = module.fc2
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self._n_heads: int = attention.num_heads
        self._qkv_weight = torch.cat([part.weight for part in parts])
        self._qkv_bias = torch.cat([part.bias for part in parts])
        self._attention_norm = _Norm.of(module.self_attn_layer_norm)
        self._mlp_norm = _Norm.of(module.final_layer_norm)

    def attention(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], runs: tuple[tuple[int, int], ...]
    ) -> Tensor:
        """Return what attention adds to the residual stream, [n_tokens, d_model]."""
        qkv = functional.linear(self._attention_norm(x), self._qkv_weight, self._qkv_bias)
        qkv = qkv.view(len(x), 3, self._n_heads, -1)
        qk, v = _rotate(qkv[:, :2], *rotary), qkv[:, 2]
        mixed = torch.empty_like(v)
        start = 0
        for n_sequences, size in runs:
            end = start + n_sequences * size
            # [tokens, heads, head_dim] -> [sequences, heads, size, head_dim]
            q_run, k_run, v_run, out_run = (
                part[start:end].view(n_sequences, size, self._n_heads, -1).transpose(1, 2)
                for part in (qk[:, 0], qk[:, 1], v, mixed)
            )
            out_run.copy_(functional.scaled_dot_product_attention(q_run, k_run, v_run))
            start = end
        return self._out(mixed.flatten(1))

    def mlp(self, x: Tensor) -> Tensor:
        """Return what the feed-forward block adds to the residual stream, [n_tokens, d_model]."""
        return self._fc2(functional.gelu(self._fc1(self._mlp_norm(x))))


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
            sequences: residues, one string per protein; sequences of equal length side by side run faster.

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
            update = layer.attention(x, rotary, packed.runs)
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
