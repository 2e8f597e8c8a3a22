"""The forward pass of ESM-2 over packed sequences: no padding, no language-model head, no unneeded layer.

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
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from protsae.plm.arithmetic import Arithmetic
from protsae.plm.attention import BlockedAttention, Rotary
from protsae.plm.batching import SPECIAL_TOKENS, consecutive_parts
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import FINAL_NORM, parse_hook_point
from protsae.plm.linear import Linear, gelu
from protsae.plm.patching import Patch, Patches, Tape, check_patches_matter, parse_patches
from protsae.plm.paused import PausedPass, State, restart_point
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
        self._attention_norm = _on(module.self_attn_layer_norm, device)
        self._mlp_norm = _on(module.final_layer_norm, device)

    def attention(self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        """Return what attention adds to the residual stream, [n_tokens, d_model]."""
        return self._attention(self._attention_norm(x), rotary, sizes)

    def mlp(self, x: Tensor) -> Tensor:
        """Return what the feed-forward block adds to the residual stream, [n_tokens, d_model]."""
        return self._fc2(gelu(self._fc1(self._mlp_norm(x)), self._arithmetic))

    def only(self, wanted: Tensor, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int]) -> Tensor:
        """Return the residual stream after the layer at the wanted tokens, [n_wanted, d_model]."""
        found = x[wanted] + self._attention(self._attention_norm(x), rotary, sizes, wanted)
        return found + self.mlp(found)


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
            arithmetic: how to compute. `bfloat16` differs from fair-esm by about 1 % of a value. Results are
                float32 in any case.
            device: where to compute. Results are on the CPU in any case.
            attention: by which operations; None: `blocked` on a CPU, `sdpa` elsewhere.

        Raises:
            InputError: an unknown name, or a layer that the model does not have.
        """
        self._hook_points = [parse_hook_point(name, model.n_layers) for name in hook_points]
        self._d_model = model.d_model
        module = model.module
        self._tokenizer = Tokenizer(module.alphabet)
        self._token_dropout = bool(module.token_dropout)
        self._mask_token = int(module.mask_idx)
        scale = _TOKEN_DROPOUT_SCALE if self._token_dropout else 1.0
        self.device = device = torch.device(device)
        attention = attention or ("blocked" if device.type == "cpu" else "sdpa")
        self._embedding = (module.embed_tokens.weight * scale).to(device)
        self._attention = attention
        self._layers = [_Layer(layer, arithmetic, device, attention) for layer in module.layers]
        self._final_norm = _on(module.emb_layer_norm_after, device)
        self._head = _on(module.lm_head, device)
        self._rotary = Rotary(module.layers[0].self_attn.rot_emb.inv_freq.to(device))

    def run(
        self,
        sequences: Sequence[str],
        patches: Patches | None = None,
        *,
        logits: bool = False,
        masked: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Run one batch.

        Args:
            sequences: residues, one string per protein. Neighbouring proteins of similar length are
                fastest.
            patches: what to replace at which hook points. The pass continues with it, and captured values
                contain it. A patched run sees all sequences at once, whatever memory that takes.
            logits: whether to run on to the language-model head.
            masked: bool [sum of lengths]: residues in whose place the model sees the mask token.

        Returns:
            For every hook point the activations of residues only, start and end tokens left out, float32
            [sum of lengths, d_model], in the order of `sequences`; with `logits` also `LOGITS`, likewise
            [sum of lengths, size of the vocabulary]. Values do not depend on the number of threads.

        Raises:
            InputError: an empty sequence, a letter that is no residue, or a patch or mask that does not fit.
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
        if masked is not None:
            pairs = zip(packed, torch.split(masked, n_rows), strict=True)
            packed = [part.masked(chosen, self._mask_token) for part, chosen in pairs]
        rotary = self._rotary.up_to(max(lengths) + SPECIAL_TOKENS)

        def run_part(i: int) -> None:
            rows = slice(sum(n_rows[:i]), sum(n_rows[: i + 1]))
            found = {name: result[rows] for name, result in results.items()}
            with torch.inference_mode():
                tape = Tape(self._hook_points, replaced, packed[i].is_residue, found, self.device)
                x = self._run(self._start(packed[i], rotary), tape, to_the_end=logits)
                if logits:
                    found[LOGITS].copy_(self._head(x[tape.residues]))

        _for_each(run_part, len(parts))
        return {name: result.cpu() for name, result in results.items()}

    def run_to(self, sequences: Sequence[str], hook_point: str, masked: Tensor | None = None) -> PausedPass:
        """Run one batch up to a hook point; `finish` continues from there any number of times.

        Args:
            sequences: residues, one string per protein.
            hook_point: where to stop.
            masked: see `run`.

        Raises:
            InputError: what `run` refuses, or no such hook point.
        """
        point = restart_point(parse_hook_point(hook_point, len(self._layers)), len(self._layers))
        packed = self._tokenizer.pack(sequences)
        if masked is not None:
            packed = packed.masked(masked, self._mask_token)
        layer = len(self._layers) if point.layer is None else point.layer
        with torch.inference_mode():
            state = self._start(packed, self._rotary.up_to(max(packed.sizes)))
            nothing = Tape([], {}, packed.is_residue, {}, self.device)
            x = self._run(state, nothing, to_the_end=True, before=layer)
            state = replace(state, x=x, layer=layer)
            values = x.new_empty(int(packed.is_residue.sum()), self._d_model)
            tape = Tape([point], {}, packed.is_residue, {str(point): values}, self.device)
            self._run(replace(state, x=x.clone()), tape, to_the_end=False)
        return PausedPass(values, point, state)

    def finish(
        self,
        paused: PausedPass,
        function: Callable[[Tensor], Tensor] | None = None,
        rows: Tensor | None = None,
        at: Tensor | None = None,
    ) -> Tensor:
        """Continue from a hook point to the language-model head, the values there replaced or not.

        Without a function, and with one that gives back what it is given, the result is the same to the last
        bit.

        Args:
            paused: what `run_to` gave; it stays as it is.
            function: replaces values at the hook point, see `Patch`; None: nothing is replaced.
            rows: which residues are replaced, bool [n_residues]; None: all.
            at: residues whose logits are wanted, bool [n_residues]; None: all. The last layer then runs for
                these alone, where the hook point lies before it.

        Returns:
            Logits [n_residues wanted, size of the vocabulary], float32.

        Raises:
            InputError: a patch that does not fit.
        """
        patches = {} if function is None else {paused.point: Patch(function, rows)}
        state = paused.state
        with torch.inference_mode():
            tape = Tape([], patches, state.packed.is_residue, {}, self.device)
            wanted = tape.residues if at is None else tape.residues[at.to(self.device)]
            state = replace(state, x=state.x.clone())
            if at is None or paused.point.kind != "resid_pre":
                return self._head(self._run(state, tape, to_the_end=True)[wanted]).cpu()
            last = len(self._layers) - 1
            x = self._run(state, tape, to_the_end=True, before=last)
            tape.offer(x, "resid_pre", last)
            x = self._layers[last].only(wanted, x, state.rotary, state.packed.sizes)
            return self._head(self._final_norm(x)).cpu()

    def _start(self, packed: PackedTokens, rotary: tuple[Tensor, Tensor]) -> State:
        """Return the state before the first layer."""
        if self._attention == "sdpa":
            rotary = at_positions(rotary, packed.position.to(self.device))
        return State(self._embed(packed), 0, packed, rotary)

    def _embed(self, packed: PackedTokens) -> Tensor:
        """Return the embedding [n_tokens, d_model]; masked tokens and scale as fair-esm's token dropout."""
        x: Tensor = self._embedding[packed.tokens.to(self.device)]
        is_mask = packed.tokens == self._mask_token
        if not self._token_dropout or not is_mask.any():
            return x
        masks = torch.stack([part.sum() for part in torch.split(is_mask, packed.sizes)])
        sizes = torch.tensor(packed.sizes)
        kept = (1 - masks.to(x.dtype) / sizes).repeat_interleave(sizes)
        return x.masked_fill(is_mask.to(self.device)[:, None], 0.0) / kept.to(self.device)[:, None]

    def _empty_results(self, n_rows: int, logits: bool) -> dict[str, Tensor]:
        new = self._embedding.new_empty
        results = {str(point): new(n_rows, self._d_model) for point in self._hook_points}
        if logits:
            results[LOGITS] = new(n_rows, len(self._embedding))
        return results

    def _run(self, state: State, tape: Tape, *, to_the_end: bool, before: int | None = None) -> Tensor:
        """Run a part as far as `tape` asks, to the final norm, or to where layer `before` begins; return
        where it came to. `state.x` is overwritten."""
        x, sizes = state.x, state.packed.sizes
        for i, layer in enumerate(self._layers[state.layer : before], state.layer):
            tape.offer(x, "resid_pre", i)
            if tape.is_complete() and not to_the_end:
                return x
            update = layer.attention(x, state.rotary, sizes)
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
        if before is not None:
            return x
        x = self._final_norm(x)
        tape.offer(x, FINAL_NORM)
        return x


def _on(module: "nn.Module", device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return a module with its weights on `device`; the module itself stays where it is."""
    return module if device.type == "cpu" else deepcopy(module).to(device)


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
