"""Explanations that a machine can check: conditions on a residue, all of which have to hold.

A rule predicts that a latent fires on a residue if its protein carries a concept, a concept covers the
residue, it is one of some amino acids, it lies in a part of the protein, and its neighbours fit a motif:
whichever of these the rule has. It predicts that a latent fires in a window if it does on any of the window's
residues.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.explanation.panel import N_LETTERS, Bools, Floats, Ints, Panel
from protsae.explanation.windows import peaks

_ENRICHED = 1.0  # log2
_COMMON = 0.1  # share of the firing residues
_ENDS = 40  # residues that may count as the start or the end of a protein
_COVERED = 0.8
_WIDEST = 0.4  # share of a protein
_MIN_BITS = 0.8
_OFTEN = 0.25
_RECALLS = (0.9, 0.7, 0.5)  # of the peaks, by which thresholds of motifs are tried


@dataclass(frozen=True)
class Concept:
    """The protein carries a concept, or the concept covers the residue."""

    concept_idx: int
    name: str
    level: Literal["protein", "residue"]

    def holds(self, panel: Panel, rows: Ints) -> Bools:
        """Return for which of some rows, of any shape, the condition holds."""
        if self.level == "residue":
            return panel.carries_here(self.concept_idx, rows)
        protein = panel.protein[rows]
        found: Bools = panel.carries[protein, self.concept_idx] & (protein >= 0)
        return found

    @property
    def text(self) -> str:
        """The condition in words."""
        return f"inside {self.name}" if self.level == "residue" else f"in proteins with {self.name}"


@dataclass(frozen=True)
class Letters:
    """The residue is one of some amino acids."""

    letters: str

    def holds(self, panel: Panel, rows: Ints) -> Bools:
        """Return for which of some rows, of any shape, the condition holds."""
        member = np.array([letter in self.letters for letter in AMINO_ACIDS] + [False])
        found: Bools = member[panel.letters[rows]]
        return found

    @property
    def text(self) -> str:
        """The condition in words."""
        return f"on {' or '.join(self.letters)}"


@dataclass(frozen=True)
class Motif:
    """The residues around fit a matrix of log2 odds."""

    log_odds: Floats
    """[width, 21]; the last column, of other letters and of no residue, is 0."""
    threshold: float
    consensus: str
    """What people read, such as `C-x-x-[CH]`; the matrix knows more."""

    def holds(self, panel: Panel, rows: Ints) -> Bools:
        """Return for which of some rows, of any shape, the condition holds."""
        return motif_scores(self.log_odds, panel, rows) >= self.threshold

    @property
    def text(self) -> str:
        """The condition in words."""
        return f"around the motif {self.consensus}"


@dataclass(frozen=True)
class Place:
    """The residue lies at the start, at the end, or in a part of its protein."""

    where: Literal["start", "end", "between"]
    low: float
    high: float
    """`start`, `end`: fewer than `high` residues away; `between`: share of the length."""

    def holds(self, panel: Panel, rows: Ints) -> Bools:
        """Return for which of some rows, of any shape, the condition holds."""
        position, length = panel.position[rows], panel.lengths[panel.protein[rows]]
        if self.where == "start":
            return position < self.high
        if self.where == "end":
            return length - 1 - position < self.high
        share = position / np.maximum(length, 1)
        return (share >= self.low) & (share < self.high)

    @property
    def text(self) -> str:
        """The condition in words."""
        if self.where == "between":
            return f"between {self.low:.0%} and {self.high:.0%} of the sequence".replace("%", " %")
        return f"in the {'first' if self.where == 'start' else 'last'} {self.high:.0f} residues"


Condition = Concept | Letters | Motif | Place


@dataclass(frozen=True)
class Rule:
    """Conditions, all of which have to hold; none: it always predicts that a latent fires."""

    conditions: tuple[Condition, ...] = ()

    def holds(self, panel: Panel, rows: Ints) -> Bools:
        """Return on which of some rows, of any shape, a latent is predicted to fire."""
        found = panel.is_residue[rows]
        for condition in self.conditions:
            found = found & condition.holds(panel, rows)
        return found

    @property
    def text(self) -> str:
        """The conditions in words."""
        return ", ".join(condition.text for condition in self.conditions)


def motif_scores(log_odds: Floats, panel: Panel, rows: Ints) -> Floats:
    """Return the summed log2 odds of the letters around some rows, of any shape."""
    flank = len(log_odds) // 2
    scores = np.zeros(rows.shape)
    for offset, column in zip(range(-flank, flank + 1), log_odds, strict=True):
        scores += column[panel.letters[np.clip(rows + offset, 0, len(panel.letters) - 1)]]
    return scores


def letters_of(panel: Panel, latent: int) -> Letters | None:
    """Return the amino acids that are twice as common among the firing residues as among all, and at least a
    tenth of them; None: there are none."""
    rows, _ = panel.firing(latent)
    fired = np.bincount(panel.letters[rows], minlength=N_LETTERS + 1)[:N_LETTERS]
    every = np.bincount(panel.letters[panel.is_residue], minlength=N_LETTERS + 1)[:N_LETTERS]
    background = every / max(int(every.sum()), 1)
    share = (fired + background) / (fired.sum() + 1)
    enriched = (share >= _COMMON) & (share >= 2**_ENRICHED * background)
    order = [i for i in np.argsort(-share, kind="stable").tolist() if enriched[i]]
    return Letters("".join(AMINO_ACIDS[i] for i in order)) if order else None


def motifs_of(panel: Panel, latent: int, flank: int) -> list[Motif]:
    """Return the motif around a latent's peaks, with a strict and with laxer thresholds; none: there is none.

    The thresholds are those that a given share of the peaks reaches.
    """
    centres = peaks(panel, latent)
    if not len(centres):
        return []
    around = panel.letters[
        np.clip(centres[:, None] + np.arange(-flank, flank + 1), 0, len(panel.letters) - 1)
    ]
    counts = np.stack([np.bincount(column, minlength=N_LETTERS + 1)[:N_LETTERS] for column in around.T])
    every = np.bincount(panel.letters[panel.is_residue], minlength=N_LETTERS + 1)[:N_LETTERS]
    background = (every + 1) / (every + 1).sum()
    pseudo = np.sqrt(len(centres))
    share = (counts + pseudo * background) / (counts.sum(axis=1, keepdims=True) + pseudo)
    bits = (share * np.log2(share / background)).sum(axis=1)
    if not (bits >= _MIN_BITS).any():
        return []
    log_odds = np.concatenate([np.log2(share / background), np.zeros((2 * flank + 1, 1))], axis=1)
    log_odds = log_odds.round(2)  # so that a rule written as text predicts the same
    scores = motif_scores(log_odds, panel, centres)
    consensus = _consensus(share, background, bits)
    if not consensus.strip("-x"):
        return []
    thresholds = sorted({float(np.quantile(scores, 1 - recall)) for recall in _RECALLS})
    return [Motif(log_odds, threshold, consensus) for threshold in thresholds]


def _consensus(share: Floats, background: Floats, bits: Floats) -> str:
    """Write the informative positions: the amino acids that are common and enriched there, else x."""
    shown = np.flatnonzero(bits >= _MIN_BITS)
    texts = []
    for at in range(shown[0], shown[-1] + 1):
        order = np.argsort(-share[at], kind="stable")
        common = "".join(AMINO_ACIDS[i] for i in order if share[at, i] >= max(_OFTEN, 2 * background[i]))
        known = bits[at] >= _MIN_BITS and common
        texts.append("x" if not known else common if len(common) == 1 else f"[{common}]")
    return "-".join(texts)


def place_of(panel: Panel, latent: int) -> Place | None:
    """Return the smallest of three parts of a protein that holds four fifths of the peaks: the start, the
    end, or an interval of tenths; None where only a large part does."""
    centres = peaks(panel, latent)
    if not len(centres):
        return None
    position, length = panel.position[centres], panel.lengths[panel.protein[centres]]
    from_start = float(np.quantile(position, _COVERED, method="higher")) + 1
    from_end = float(np.quantile(length - 1 - position, _COVERED, method="higher")) + 1
    if min(from_start, from_end) <= _ENDS:
        at_start = from_start <= from_end
        return Place("start" if at_start else "end", 0.0, from_start if at_start else from_end)
    share = position / length
    within = np.cumsum([0, *np.histogram(share, bins=10, range=(0, 1))[0]])
    for width in range(1, int(10 * _WIDEST) + 1):
        inside = within[width:] - within[:-width]
        best = int(inside.argmax())
        if inside[best] >= _COVERED * len(centres):
            return Place("between", best / 10, (best + width) / 10)
    return None


def truth_table(conditions: list[Condition], panel: Panel, rows: Ints) -> NDArray[np.bool_]:
    """Return which condition holds where [n_conditions, ...]."""
    return np.stack([condition.holds(panel, rows) for condition in conditions])
