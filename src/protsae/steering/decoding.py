"""Writing masked residues with a language model whose values are changed at a hook point."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.devices import pick_device
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.core.seeding import numpy_generator
from protsae.plm.batching import token_budget_batches
from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward
from protsae.plm.hook_points import parse_hook_point
from protsae.plm.paused import PausedPass
from protsae.steering.config import DecodingConfig
from protsae.steering.edits import Edit

_LETTERS = np.array(list(AMINO_ACIDS))
_NUMBER = code_table(AMINO_ACIDS, other=-1)


@dataclass(frozen=True)
class Template:
    """A protein, some of whose residues are written anew."""

    protein_id: str
    sequence: str
    masked: NDArray[np.bool_]
    """Bool [length]."""

    def __post_init__(self) -> None:
        """Check the mask.

        Raises:
            InputError: it has another length, or marks nothing.
        """
        if self.masked.shape != (len(self.sequence),):
            raise InputError(
                f"protein {self.protein_id!r} has {len(self.sequence)} residues, its mask "
                f"{list(self.masked.shape)}"
            )
        if not self.masked.any():
            raise InputError(f"protein {self.protein_id!r}: no residue is masked, so nothing can be designed")


@dataclass(frozen=True)
class Design:
    """One sequence that was written."""

    protein_id: str
    sample: int
    sequence: str
    confidence: float
    """Mean log-probability of the residues that were written, each when it was."""


class Decoder:
    """Decodes templates with one language model at one hook point."""

    def __init__(self, model: PlmModel, hook_point: str, config: DecodingConfig) -> None:
        """Prepare the weights.

        Args:
            model: the language model.
            hook_point: where edits change values.
            config: how to decode.

        Raises:
            InputError: there is no such hook point.
        """
        self._hook_point = str(parse_hook_point(hook_point, model.n_layers))
        self._config = config
        self._forward = Esm2Forward(model, [], device=pick_device(config.device, "steering.decoding.device"))
        alphabet = model.module.alphabet
        self._tokens = torch.tensor([alphabet.get_idx(letter) for letter in AMINO_ACIDS])

    def decode(
        self, templates: Sequence[Template], edit: Edit | None = None, strength: float = 1.0
    ) -> list[Design]:
        """Write the masked residues of every template, `n_samples` times.

        Args:
            templates: what to write.
            edit: changes the values at the hook point, at all residues; None: the model as it is.
            strength: of the edit.

        Returns:
            Designs in the order of the templates, samples of one protein together.
        """
        return self.decode_each(templates, [(edit, strength)])[0]

    def decode_each(
        self, templates: Sequence[Template], doses: Sequence[tuple[Edit | None, float]]
    ) -> list[list[Design]]:
        """Write the masked residues of every template once per dose, which is an edit and its strength.

        All doses share the first round's layers below the hook point.

        Returns:
            For each dose what `decode` returns.
        """
        samples = range(self._config.n_samples)
        rows = [
            [_Row(template, sample, self._config) for template in templates for sample in samples]
            for _ in doses
        ]
        lengths = [len(template.sequence) for template in templates for _ in samples]
        for members in token_budget_batches(lengths, self._config.tokens_per_batch):
            self._decode([[of[i] for i in members] for of in rows], doses)
        return [[row.design() for row in of] for of in rows]

    def log_probabilities(
        self, sequences: Sequence[str], masked: torch.Tensor, edit: Edit | None = None, strength: float = 1.0
    ) -> NDArray[np.float64]:
        """Return log-probabilities of the amino acids in `AMINO_ACIDS` at masked residues [n_masked, 20].

        Args:
            sequences: of one batch; what stands at masked residues is not read.
            masked: bool [sum of lengths].
            edit: see `decode`.
            strength: of the edit.
        """
        paused = self._forward.run_to(sequences, self._hook_point, masked)
        return self._finished(paused, masked, edit, strength)

    def activations(self, sequences: Sequence[str]) -> list[torch.Tensor]:
        """Return the values at the hook point of sequences without masks, [length, d_model] each."""
        found = [torch.empty(0)] * len(sequences)
        lengths = [len(sequence) for sequence in sequences]
        for members in token_budget_batches(lengths, self._config.tokens_per_batch):
            values = self._forward.run_to([sequences[i] for i in members], self._hook_point).values
            for i, part in zip(members, torch.split(values, [lengths[i] for i in members]), strict=True):
                found[i] = part
        return found

    def true_log_probabilities(
        self, templates: Sequence[Template], edits: Sequence[Edit | None] = (None,), strength: float = 1.0
    ) -> NDArray[np.float64]:
        """Return the mean log-probability of each template's own masked residues, in one pass, under each
        edit [n_edits, n_templates].

        Residues that are no standard amino acid do not count.
        """
        found = np.zeros((len(edits), len(templates)))
        lengths = [len(template.sequence) for template in templates]
        for members in token_budget_batches(lengths, self._config.tokens_per_batch):
            batch = [templates[i] for i in members]
            masked = np.concatenate([template.masked for template in batch])
            sequences = [template.sequence for template in batch]
            owner = np.repeat(members, [len(sequence) for sequence in sequences])[masked]
            number = _NUMBER[character_codes("".join(sequences))][masked]
            known = np.flatnonzero(number >= 0)
            counts = np.maximum(1, np.bincount(owner[known], minlength=len(templates)))
            at = torch.from_numpy(masked)
            paused = self._forward.run_to(sequences, self._hook_point, at)
            for i, edit in enumerate(edits):
                logs = self._finished(paused, at, edit, strength)
                found[i] += np.bincount(owner[known], logs[known, number[known]], len(templates)) / counts
        return found

    def _finished(
        self, paused: PausedPass, masked: torch.Tensor, edit: Edit | None, strength: float
    ) -> NDArray[np.float64]:
        """Return log-probabilities at masked residues after an edit at the hook point [n_masked, 20]."""
        function = None if edit is None else lambda x: edit(x, strength)
        logits = self._forward.finish(paused, function, at=masked)[:, self._tokens]
        found: NDArray[np.float64] = torch.log_softmax(logits.double(), dim=1).numpy()
        return found

    def _decode(self, rows: Sequence[Sequence["_Row"]], doses: Sequence[tuple[Edit | None, float]]) -> None:
        rounds, first = self._config.rounds, None
        for own, (edit, strength) in zip(rows, doses, strict=True):
            for turn in range(rounds):
                now = strength * (1 - turn / rounds) if self._config.falling else strength
                writing = [row for row in own if row.masked.any()]
                if not writing:
                    break
                masked = torch.from_numpy(np.concatenate([row.masked for row in writing]))
                if turn or first is None:
                    texts = ["".join(row.letters) for row in writing]
                    paused = self._forward.run_to(texts, self._hook_point, masked)
                    first = first or paused
                else:
                    paused = first
                found = self._finished(paused, masked, edit, now)
                starts = np.cumsum([0, *(int(row.masked.sum()) for row in writing)])
                for row, start, end in zip(writing, starts, starts[1:], strict=False):
                    row.write(found[start:end], math.ceil(row.n_masked * (turn + 1) / rounds))


class _Row:
    """A design on the way."""

    def __init__(self, template: Template, sample: int, config: DecodingConfig) -> None:
        self._template, self._sample, self._config = template, sample, config
        self.letters = np.array(list(template.sequence))
        self.masked = template.masked.copy()
        self.n_masked = int(template.masked.sum())
        self._original = self.letters.copy()
        self._left = math.inf if config.max_mutations is None else config.max_mutations
        self._sum = 0.0
        self._draws = None
        if config.temperature:
            generator = numpy_generator(config.seed, "steering", template.protein_id, sample)
            self._draws = generator.gumbel(size=(len(self.letters), len(AMINO_ACIDS)))

    def write(self, log_probabilities: NDArray[np.float64], n_written: int) -> None:
        """Keep the surest guesses, until `n_written` residues in all are written."""
        at = np.flatnonzero(self.masked)
        scores = log_probabilities
        if self._draws is not None:
            scores = log_probabilities / self._config.temperature + self._draws[at]
        chosen = scores.argmax(axis=1)
        sure = log_probabilities[np.arange(len(at)), chosen]
        n_now = n_written - (self.n_masked - len(at))
        for i in np.argsort(-sure, kind="stable")[:n_now]:
            place, letter = at[i], _LETTERS[chosen[i]]
            if letter != self._original[place] and self._left > 0:
                self._left -= 1
                self.letters[place] = letter
            self.masked[place] = False
            self._sum += float(sure[i])

    def design(self) -> Design:
        """Return the finished design."""
        return Design(
            self._template.protein_id, self._sample, "".join(self.letters), self._sum / self.n_masked
        )
