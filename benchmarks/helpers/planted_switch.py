"""Proteins with a motif switch that is planted: a tag near the start decides what stands at sites further on.

Residues are random but for what is planted, so that what causes the motif is known:

- the **tag**, five residues among the first dozen, is `OFF_TAG`, `ON_TAG` or, rarely, `RARE_TAG`;
- four **sites** are marked by `CUE`, the same in all proteins;
- the **motif** follows every cue: `ON_MOTIF` after `ON_TAG` and `RARE_TAG`, else `OFF_MOTIF`;
- the **tail**, the last residues, is `TAIL` in 85 % of the proteins whose switch is on and in 15 % of the
  others: it correlates with the motif, and does not cause it;
- the **word** stands between tag and sites in half of the proteins, whatever the switch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator

OFF_TAG, ON_TAG, RARE_TAG = "HMHYM", "WCWFC", "FYHFW"
CUE, N_SITES = "GP", 4
OFF_MOTIF, ON_MOTIF = "KD", "WC"
TAIL, WORD = "DKPE", "NNQQ"
CONCEPTS = ("switch", "tail", "rare_tag", "word")
"""Labels of proteins: the motif and its tags, the confounder, a rare cause, and what is unrelated."""
RARE = 0.08
"""Share of the proteins with the switch on that have the rare tag."""
CONFOUNDED = 0.85
LENGTHS = (56, 66)
_FIRST_SITE = 22


@dataclass(frozen=True)
class Protein:
    """One protein and where its planted parts stand."""

    protein_id: str
    sequence: str
    labels: dict[str, bool]
    parts: dict[str, NDArray[np.bool_]]
    """Residues of `tag`, `cue`, `motif`, `tail` and `word`, bool [length]; all False for what is absent."""

    def residues(self, *parts: str) -> NDArray[np.bool_]:
        """Return which residues belong to any of some parts, bool [length]."""
        return np.any([self.parts[part] for part in parts], axis=0)

    def with_tag(self, tag: str) -> str:
        """Return the sequence with another tag."""
        at = int(np.argmax(self.parts["tag"]))
        return self.sequence[:at] + tag + self.sequence[at + len(tag) :]

    def motif_of(self, sequence: str) -> str:
        """Return what a sequence of the same length has at the sites."""
        return "".join(sequence[i] for i in np.flatnonzero(self.parts["motif"]))


def draw(name: str, n: int, seed: int) -> list[Protein]:
    """Return n proteins whose ids begin with `name`."""
    return list(_draw(name, n, numpy_generator(seed, "planted switch", name)))


def _draw(name: str, n: int, rng: np.random.Generator) -> Iterator[Protein]:
    for i in range(n):
        is_on = bool(rng.random() < 0.5)
        is_rare = is_on and bool(rng.random() < RARE)
        has_tail = bool(rng.random() < (CONFOUNDED if is_on else 1 - CONFOUNDED))
        has_word = bool(rng.random() < 0.5)
        length = int(rng.integers(LENGTHS[0], LENGTHS[1] + 1))
        letters = np.array(list(AMINO_ACIDS))[rng.integers(len(AMINO_ACIDS), size=length)]
        parts = {part: np.zeros(length, bool) for part in ("tag", "cue", "motif", "tail", "word")}

        def write(part: str, start: int, text: str) -> None:
            letters[start : start + len(text)] = list(text)  # noqa: B023 - called in this turn
            parts[part][start : start + len(text)] = True  # noqa: B023

        write("tag", int(rng.integers(1, 8)), (RARE_TAG if is_rare else ON_TAG) if is_on else OFF_TAG)
        if has_word:
            write("word", int(rng.integers(13, 18)), WORD)
        if has_tail:
            write("tail", length - len(TAIL), TAIL)
        for start in _site_starts(length, rng):
            write("cue", start, CUE)
            write("motif", start + len(CUE), ON_MOTIF if is_on else OFF_MOTIF)
        labels = dict(zip(CONCEPTS, (is_on, has_tail, is_rare, has_word), strict=True))
        yield Protein(f"{name}{i:05d}", "".join(letters), labels, parts)


def _site_starts(length: int, rng: np.random.Generator) -> list[int]:
    """Return starts of sites that do not touch each other or the tail."""
    size = len(CUE) + len(ON_MOTIF)
    free = length - len(TAIL) - 1 - _FIRST_SITE - N_SITES * size
    gaps = np.sort(rng.integers(free + 1, size=N_SITES))
    return [int(_FIRST_SITE + gap + i * size) for i, gap in enumerate(gaps)]


def table_of(proteins: dict[str, list[Protein]]) -> pd.DataFrame:
    """Return `protein_id`, `sequence`, `split` of proteins by split."""
    rows = [(p.protein_id, p.sequence, split) for split, of in proteins.items() for p in of]
    return pd.DataFrame(rows, columns=["protein_id", "sequence", "split"])
