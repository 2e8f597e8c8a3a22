"""Proteins with a motif switch that is planted: a tag near the start decides which motif stands later.

Residues are random but for what is planted, so that what causes the motif is known:

- the **tag**, five residues among the first dozen, is `OFF_TAG`, `ON_TAG` or, rarely, `RARE_TAG`;
- the **anchor** stands before the motif, and is the same in all proteins;
- the **motif** follows the anchor: `ON_MOTIF` after `ON_TAG` and `RARE_TAG`, else `OFF_MOTIF`;
- the **tail**, the last residues, is `TAIL` in 85 % of the proteins whose switch is on and in 15 % of the
  others: it correlates with the motif, and does not cause it;
- the **word** stands between tag and anchor in half of the proteins, whatever the switch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator

OFF_TAG, ON_TAG, RARE_TAG = "HMHYM", "WCWFC", "FYHFW"
ANCHOR = "GPGP"
OFF_MOTIF, ON_MOTIF = "KEDLSN", "RTVQIA"
TAIL, WORD = "DKPE", "NNQQ"
CONCEPTS = ("switch", "tail", "rare_tag", "word")
"""Labels of proteins: the motif and its tags, the confounder, a rare cause, and what is unrelated."""
RARE = 0.08
"""Share of the proteins with the switch on that have the rare tag."""
CONFOUNDED = 0.85
LENGTHS = (46, 60)


@dataclass(frozen=True)
class Protein:
    """One protein and where its planted parts stand."""

    protein_id: str
    sequence: str
    labels: dict[str, bool]
    starts: dict[str, int]
    """Part to its first residue: tag, anchor, motif, tail, word; a part that is absent is not named."""

    def residues(self, *parts: str) -> NDArray[np.bool_]:
        """Return which residues belong to parts, bool [length]."""
        sizes = {
            "tag": len(ON_TAG),
            "anchor": len(ANCHOR),
            "motif": len(ON_MOTIF),
            "tail": len(TAIL),
            "word": len(WORD),
        }
        found = np.zeros(len(self.sequence), bool)
        for part in parts:
            if part in self.starts:
                found[self.starts[part] : self.starts[part] + sizes[part]] = True
        return found

    def with_tag(self, tag: str) -> str:
        """Return the sequence with another tag."""
        at = self.starts["tag"]
        return self.sequence[:at] + tag + self.sequence[at + len(tag) :]


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
        letters = [AMINO_ACIDS[j] for j in rng.integers(len(AMINO_ACIDS), size=length)]
        anchor = int(rng.integers(22, length - len(TAIL) - len(ON_MOTIF) - len(ANCHOR) - 1))
        parts = {
            "tag": (int(rng.integers(1, 8)), (RARE_TAG if is_rare else ON_TAG) if is_on else OFF_TAG),
            "anchor": (anchor, ANCHOR),
            "motif": (anchor + len(ANCHOR), ON_MOTIF if is_on else OFF_MOTIF),
        }
        if has_word:
            parts["word"] = (int(rng.integers(13, 18)), WORD)
        if has_tail:
            parts["tail"] = (length - len(TAIL), TAIL)
        for start, text in parts.values():
            letters[start : start + len(text)] = text
        labels = dict(zip(CONCEPTS, (is_on, has_tail, is_rare, has_word), strict=True))
        starts = {part: start for part, (start, _) in parts.items()}
        yield Protein(f"{name}{i:05d}", "".join(letters), labels, starts)


def table_of(proteins: dict[str, list[Protein]]) -> pd.DataFrame:
    """Return `protein_id`, `sequence`, `split` of proteins by split."""
    rows = [(p.protein_id, p.sequence, split) for split, of in proteins.items() for p in of]
    return pd.DataFrame(rows, columns=["protein_id", "sequence", "split"])
