"""The forward pass of ESM-2 over packed sequences: no padding, no language-model head, no layer too many.

A batch is run in parts that fit the processor's cache, on as many threads as torch may use, each part on one.
Linear layers see all tokens of a part as one matrix, attention runs per sequence. By default every operation
is fair-esm's, in fair-esm's order, so that values equal fair-esm's, run on the protein alone, to the last bit
where the matrix library sums alike, and not only to rounding: ESM-2's residual stream has components above
100, and a change of one unit in the last place moves small ones by 1e-4 a few layers later
(docs/decisions/0008). On a GPU a batch is one part, and attention goes through torch's
`scaled_dot_product_attention`.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from protsae.plm.arithmetic import Arithmetic
from protsae.plm.attention import BlockedAttention, Rotary
from protsae.plm.batching import SPECIAL_TOKENS, consecutive_parts
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import FINAL_NORM, parse_hook_point
from protsae.plm.linear import Linear, gelu
from protsae.plm.patching import Patches, Tape, check_patches_matter, parse_patches
from protsae.plm.sdpa import SdpaAttention, at_positions
from protsae.plm.tokens import PackedTokens, Tokenizer

if TYPE_CHECKING:
    from torch import nn

_TOKEN_DROPOUT_SCALE = 1 - 0.15 * 0.8  # ESM-2 was trained with this share of tokens masked and scales for it
_TOKENS_PER_PART = 1024
LOGITS = "logits"
"""Name of the language-model head's output among the results."""
AttentionKind = Literal["blocked", "sdpa"]
"""`blocked` follows fair-esm's operations, a few heads at a time; `sdpa` is one fused kernel per length."""


@dataclass(frozen=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, module: "nn.LayerNorm", device: torch.device) -> "_Norm":
        return cls(module.weight.to(device), module.bias.to(device), module.eps)

    def __call__(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class _Layer:
    """One transformer layer."""

    def __init__(
        self, module: Any, arithmetic: Arithmetic, device: torch.device, attention: AttentionKind
    ) -> None:
        self._arithmetic = arithmetic
        kind = BlockedAttention if attention == "blocked" else SdpaAttention
        self._attention = kind(module.self_attn, arithmetic, device)
        self._fc1 = Linear(module.fc1.weight, module.fc1.bias, arithmetic, device)
        self._fc2 = Linear(module.fc2.weight, module.fc2.bias, arithmetic, device)
        self._attention_norm = _Norm.of(module.self_attn_layer_norm, device)
        self._mlp_norm = _Norm.of(module.final_layer_norm, device)

    def attention(self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        """Return what attention adds to the residual stream, [n_tokens, d_model]."""
        return self._attention(self._attention_norm(x), rotary, sizes)

    def mlp(self, x: Tensor) -> Tensor:
        """Return what the feed-forward block adds to the residual stream, [n_tokens, d_model]."""
        return self._fc2(gelu(self._fc1(self._mlp_norm(x)), self._arithmetic))


class Esm2Forward:
    """Runs sequences through an ESM-2 model up to the highest hook point asked for."""

    def __init__(
        self,
        model: PlmModel,
        hook_points: Sequence[str],
        arithmetic: Arithmetic = "fair_esm",
        device: torch.device | str = "cpu",
        attention: AttentionKind | None = None,
    ) -> None:
        """Prepare the weights.

        Args:
            model: the model.
            hook_points: names of the points to capture.
            arithmetic: how to compute. `fast` differs from fair-esm as much as fair-esm, running a batch,
                differs from itself; `bfloat16` by about 1 % of a value. Results are float32 in any case.
            device: where to compute. Results are on the CPU in any case.
            attention: by which operations; None: `blocked` on a CPU, `sdpa` elsewhere.

        Raises:
            InputError: an unknown name, or a layer that the model does not have.
        """
        self._hook_points = [parse_hook_point(name, model.n_layers) for name in hook_points]
        self._d_model = model.d_model
        module = model.module
        self._tokenizer = Tokenizer(module.alphabet)
        scale = _TOKEN_DROPOUT_SCALE if module.token_dropout else 1.0
        self.device = device = torch.device(device)
        attention = attention or ("blocked" if device.type == "cpu" else "sdpa")
        self._embedding = (module.embed_tokens.weight * scale).to(device)
        self._attention = attention
        self._layers = [_Layer(layer, arithmetic, device, attention) for layer in module.layers]
        self._final_norm = _Norm.of(module.emb_layer_norm_after, device)
        self._head = _head_on(module.lm_head, device)
        self._rotary = Rotary(module.layers[0].self_attn.rot_emb.inv_freq.to(device))

    def run(
        self, sequences: Sequence[str], patches: Patches | None = None, *, logits: bool = False
    ) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            sequences: residues, one string per protein. Proteins of similar length beside each other are
                fastest.
            patches: what to replace at which hook points. The pass goes on with it, and captured values
                contain it. A patched run sees all sequences at once, whatever memory that takes.
            logits: whether to run on to the language-model head.

        Returns:
            For every hook point the activations of residues only, start and end tokens left out, float32
            [sum of lengths, d_model], in the order of `sequences`; with `logits` also `LOGITS`, likewise
            [sum of lengths, size of the vocabulary]. Values do not depend on the number of threads.

        Raises:
            InputError: an empty sequence, a letter that is no residue, or a patch that does not fit.
        """
        replaced = parse_patches(patches or {}, len(self._layers))
        if not logits:
            check_patches_matter(replaced, self._hook_points)
        lengths = [len(sequence) for sequence in sequences]
        results = self._empty_results(sum(lengths), logits)
        whole = bool(replaced) or self._attention == "sdpa"
        parts = [slice(None)] if whole else consecutive_parts(lengths, _TOKENS_PER_PART)
        packed = [self._tokenizer.pack(sequences[part]) for part in parts]
        n_rows = [sum(lengths[part]) for part in parts]
        rotary = self._rotary.up_to(max(lengths) + SPECIAL_TOKENS)

        def run_part(i: int) -> None:
            rows = slice(sum(n_rows[:i]), sum(n_rows[: i + 1]))
            found = {name: result[rows] for name, result in results.items()}
            with torch.inference_mode():
                tape = Tape(self._hook_points, replaced, packed[i].is_residue, found, self.device)
                x = self._run(packed[i], rotary, tape, logits)
                if logits:
                    found[LOGITS].copy_(self._head(x[tape.residues]))

        _for_each(run_part, len(parts))
        return {name: result.cpu() for name, result in results.items()}

    def _empty_results(self, n_rows: int, logits: bool) -> dict[str, Tensor]:
        new = self._embedding.new_empty
        results = {str(point): new(n_rows, self._d_model) for point in self._hook_points}
        if logits:
            results[LOGITS] = new(n_rows, len(self._embedding))
        return results

    def _run(
        self, packed: PackedTokens, rotary: tuple[Tensor, Tensor], tape: Tape, to_the_end: bool
    ) -> Tensor:
        """Run a part as far as `tape` asks, or to the final norm; return where it came to."""
        if self._attention == "sdpa":
            rotary = at_positions(rotary, packed.position.to(self.device))
        x: Tensor = self._embedding[packed.tokens.to(self.device)]
        for i, layer in enumerate(self._layers):
            tape.offer(x, "resid_pre", i)
            if tape.is_complete() and not to_the_end:
                return x
            update = layer.attention(x, rotary, packed.sizes)
            tape.offer(update, "attn_out", i)
            x += update
            tape.offer(x, "resid_mid", i)
            if tape.is_complete() and not to_the_end:
                return x
            update = layer.mlp(x)
            tape.offer(update, "mlp_out", i)
            x += update
            tape.offer(x, "resid_post", i)
            if tape.is_complete() and not to_the_end:
                return x
        x = self._final_norm(x)
        tape.offer(x, FINAL_NORM)
        return x


def _head_on(head: "nn.Module", device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the language-model head with its weights on `device`; the module itself stays where it is."""
    if device.type == "cpu":
        return head
    weights = {name: weight.to(device) for name, weight in head.named_parameters()}
    return lambda x: functional_call(head, weights, (x,))


def _for_each(function: Callable[[int], None], n: int) -> None:
    """Call `function` with n - 1 down to 0, on torch's number of threads, each call on one of them.

    Batches begin with the shortest sequences, so that the last parts take longest: these go first.
    """
    n_threads = torch.get_num_threads()
    if min(n, n_threads) == 1:
        for i in reversed(range(n)):
            function(i)
        return
    try:
        with ThreadPoolExecutor(min(n, n_threads), initializer=lambda: torch.set_num_threads(1)) as pool:
            for _ in pool.map(function, reversed(range(n))):
                pass
    finally:
        torch.set_num_threads(n_threads)  # new threads inherit the number set last
