"""The language model's log-likelihood ratios of substitutions (Meier et al. 2021,
doi:10.1101/2021.07.09.450648)."""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.plm.batching import token_budget_batches
from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.plm.windows import Window, windows_of
from protsae.prediction.variants import Substitution

Marginal = Literal["masked", "wild_type"]
"""`masked`: each position is masked by itself and read from the rest of the wild type. `wild_type`: all
positions are read from one pass of the wild type, unmasked."""


class Marginals:
    """Logits of the twenty amino acids at positions of one wild type.

    A protein above `max_residues` is read in windows, in the one whose middle is nearest to the position.

    Args:
        forward: the language model.
        letters: token ids of `AMINO_ACIDS`.
        sequence: the wild type.
        max_residues: residues of a window.
        overlap: residues that neighbouring windows share at least.
        max_tokens: of a batch.
    """

    def __init__(
        self,
        forward: Esm2Forward,
        letters: Sequence[int],
        sequence: str,
        *,
        max_residues: int,
        overlap: int,
        max_tokens: int,
    ) -> None:
        self._forward, self._letters, self._sequence = forward, list(letters), sequence
        self._windows = windows_of(len(sequence), max_residues, overlap)
        self._max_tokens = max_tokens

    def logits(self, positions: Iterable[int], kind: Marginal) -> dict[int, NDArray[np.float32]]:
        """Return the logits [20] at 1-based positions."""
        wanted = sorted(set(positions))
        windows = [next(w for w in self._windows if w.first <= p - 1 < w.last) for p in wanted]
        if kind == "masked":
            passages = [(window, [position]) for window, position in zip(windows, wanted, strict=True)]
        else:
            passages = [
                (window, [p for p, of in zip(wanted, windows, strict=True) if of == window])
                for window in dict.fromkeys(windows)
            ]
        found: dict[int, NDArray[np.float32]] = {}
        lengths = [window.end - window.start for window, _ in passages]
        for batch in token_budget_batches(lengths, self._max_tokens):
            found |= self._read([passages[i] for i in batch], masked=kind == "masked")
        return found

    def _read(
        self, passages: list[tuple[Window, list[int]]], *, masked: bool
    ) -> dict[int, NDArray[np.float32]]:
        lengths = [window.end - window.start for window, _ in passages]
        starts = np.cumsum([0, *lengths[:-1]])
        rows = {
            position: int(start) + position - 1 - window.start
            for start, (window, positions) in zip(starts, passages, strict=True)
            for position in positions
        }
        mask = torch.zeros(sum(lengths), dtype=torch.bool)
        if masked:
            mask[list(rows.values())] = True
        texts = [self._sequence[window.start : window.end] for window, _ in passages]
        values = self._forward.run(texts, logits=True, masked=mask if masked else None)[LOGITS]
        at = values[list(rows.values())][:, self._letters].numpy()
        return dict(zip(rows, at, strict=True))


def log_likelihood_ratio(
    substitutions: Iterable[Substitution], logits: dict[int, NDArray[np.float32]]
) -> float:
    """Return the sum over substitutions of log p(new) - log p(wild type).

    Args:
        substitutions: the variant.
        logits: position to logits [20]; what all amino acids share cancels.
    """
    return float(
        sum(
            float(logits[s.position][AMINO_ACIDS.index(s.letter)])
            - float(logits[s.position][AMINO_ACIDS.index(s.wild_type)])
            for s in substitutions
        )
    )
