"""The forward pass of ESM-2 over packed sequences: no padding, no language-model head, no layer too many.

A batch is run in parts that fit the processor's cache, on as many threads as torch may use, each part on one.
Linear layers see all tokens of a part as one matrix, attention runs per sequence. Every operation is
fair-esm's, in fair-esm's order, so that values equal fair-esm's, run on the protein alone, to the last bit
where the matrix library sums alike, and not only to rounding: ESM-2's residual stream has components above
100, and a change of one unit in the last place moves small ones by 1e-4 a few layers later
(docs/decisions/0008).
"""

import math
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from protsae.plm.attention import Rotary, SelfAttention
from protsae.plm.batching import consecutive_parts
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import FINAL_NORM, HookPoint, parse_hook_point
from protsae.plm.tokens import PackedTokens, Tokenizer

if TYPE_CHECKING:
    from torch import nn

_TOKEN_DROPOUT_SCALE = 1 - 0.15 * 0.8  # ESM-2 was trained with this share of tokens masked and scales for it
_GELU_ROWS = 64
_TOKENS_PER_PART = 1024


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
    """Writes the values at the hook points asked for to their rows of the results."""

    def __init__(self, wanted: Collection[HookPoint], is_residue: Tensor, results: dict[str, Tensor]) -> None:
        self._missing = set(wanted)
        self._rows = is_residue.nonzero().flatten()
        self._results = results

    def offer(self, value: Tensor, kind: str, layer: int | None = None) -> None:
        point = HookPoint(kind, layer)
        if point in self._missing:
            torch.index_select(value, 0, self._rows, out=self._results[str(point)])
            self._missing.remove(point)

    def is_complete(self) -> bool:
        return not self._missing


def _gelu_in_place(x: Tensor) -> Tensor:
    """Apply x * 0.5 * (1 + erf(x / sqrt(2))) to x [n_tokens, width], a few rows at a time."""
    for rows in torch.split(x, _GELU_ROWS):
        factor = torch.div(rows, math.sqrt(2.0)).erf_().add_(1.0)
        rows.mul_(0.5).mul_(factor)
    return x


class _Layer:
    """One transformer layer."""

    def __init__(self, module: Any) -> None:
        self._attention = SelfAttention(module.self_attn)
        self._fc1: Callable[[Tensor], Tensor] = module.fc1
        self._fc2: Callable[[Tensor], Tensor] = module.fc2
        self._attention_norm = _Norm.of(module.self_attn_layer_norm)
        self._mlp_norm = _Norm.of(module.final_layer_norm)

    def attention(self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        """Return what attention adds to the residual stream, [n_tokens, d_model]."""
        return self._attention(self._attention_norm(x), rotary, sizes)

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
        self._d_model = model.d_model
        module = model.module
        self._tokenizer = Tokenizer(module.alphabet)
        scale = _TOKEN_DROPOUT_SCALE if module.token_dropout else 1.0
        self._embedding = module.embed_tokens.weight * scale
        self._layers = [_Layer(layer) for layer in module.layers]
        self._final_norm = _Norm.of(module.emb_layer_norm_after)
        self._rotary = Rotary(module.layers[0].self_attn.rot_emb.inv_freq)

    def run(self, sequences: Sequence[str]) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            sequences: residues, one string per protein. Proteins of similar length beside each other are
                fastest.

        Returns:
            For every hook point the activations of residues only, start and end tokens left out, float32
            [sum of lengths, d_model], in the order of `sequences`. Values do not depend on the number of
            threads.

        Raises:
            InputError: an empty sequence or a letter that is no residue.
        """
        lengths = [len(sequence) for sequence in sequences]
        results = {str(point): torch.empty(sum(lengths), self._d_model) for point in self._hook_points}
        parts = consecutive_parts(lengths, _TOKENS_PER_PART)
        packed = [self._tokenizer.pack(sequences[part]) for part in parts]
        n_rows = [sum(lengths[part]) for part in parts]
        rotary = self._rotary.up_to(max(size for part in packed for size in part.sizes))

        def run_part(i: int) -> None:
            rows = slice(sum(n_rows[:i]), sum(n_rows[: i + 1]))
            with torch.inference_mode():
                self._run(packed[i], rotary, {name: result[rows] for name, result in results.items()})

        _for_each(run_part, len(parts))
        return results

    def _run(self, packed: PackedTokens, rotary: tuple[Tensor, Tensor], results: dict[str, Tensor]) -> None:
        tape = _Tape(self._hook_points, packed.is_residue, results)
        x = self._embedding[packed.tokens]
        for i, layer in enumerate(self._layers):
            tape.offer(x, "resid_pre", i)
            if tape.is_complete():
                return
            update = layer.attention(x, rotary, packed.sizes)
            tape.offer(update, "attn_out", i)
            x += update
            tape.offer(x, "resid_mid", i)
            if tape.is_complete():
                return
            update = layer.mlp(x)
            tape.offer(update, "mlp_out", i)
            x += update
            tape.offer(x, "resid_post", i)
            if tape.is_complete():
                return
        tape.offer(self._final_norm(x), FINAL_NORM)


def _for_each(function: Callable[[int], None], n: int) -> None:
    """Call `function` with 0 to n - 1, on torch's number of threads, each call on one of them."""
    n_threads = torch.get_num_threads()
    if min(n, n_threads) == 1:
        for i in range(n):
            function(i)
        return
    try:
        with ThreadPoolExecutor(min(n, n_threads), initializer=lambda: torch.set_num_threads(1)) as pool:
            for _ in pool.map(function, range(n)):
                pass
    finally:
        torch.set_num_threads(n_threads)  # new threads inherit the number set last
