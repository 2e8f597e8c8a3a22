"""Ninety proteins in which a site is a C before a W, marked by dimension 0 of the activations."""

import numpy as np
import pandas as pd
from tests.memory_store import MemoryStore

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables

HOOK = "layers.1.resid_post"
SPLITS = ("train", "validation", "test")
CONCEPTS = pd.DataFrame(
    {
        "concept_idx": range(5),
        "concept_id": ["GO:1", "site", "GO:2", "loop", "nothing"],
        "name": list("abcde"),
        "aspect": ["MFO", "motif", "MFO", "shape", "shape"],
        "level": ["protein", "residue", "protein", "residue", "residue"],
    }
)
OF_RESIDUES = [1, 3, 4]


class ToyProteins:
    """Sites (one residue, or two as one instance), loops of random length, an empty concept; GO:1 is "has a
    site", GO:2 a coin. Some proteins are not labelled for shapes."""

    def __init__(self, n=90, seed=0):
        rng = np.random.default_rng(seed)
        self.ids = [f"P{i:02d}" for i in rng.permutation(n)]
        self.sequences, self.spans, x = {}, [], {}
        labelled, positives = [], []
        for p in sorted(self.ids):
            letters = rng.choice(list("ACDEFGWX"), size=rng.integers(12, 30))
            if rng.random() < 0.7:
                at = int(rng.integers(0, len(letters) - 1))
                letters[at : at + 2] = ["C", "W"]
            self.sequences[p] = sequence = "".join(letters)
            sites = [i for i in range(len(sequence) - 1) if sequence[i : i + 2] == "CW"]
            spans = [(p, 1, j, i, i + 1) for j, i in enumerate(sites)]
            start = int(rng.integers(0, len(sequence) - 3))
            spans.append((p, 3, 0, start, start + 3))
            self.spans += spans
            labelled += [(p, "MFO"), (p, "motif")] + [(p, "shape")] * (rng.random() < 0.8)
            positives += [(p, 0)] * bool(sites) + [(p, 2)] * (rng.random() < 0.4) + [(p, 1)] * bool(sites)
            block = 0.3 * rng.normal(size=(len(sequence), 4))
            block[sites, 0] += 3.0
            x[p] = block.astype(np.float32)
        self.store = MemoryStore({p: x[p] for p in self.ids}, HOOK)
        self.known = set(labelled)
        self.proteins = pd.DataFrame(
            {
                "protein_id": self.ids,
                "sequence": [self.sequences[p] for p in self.ids],
                "split": [SPLITS[int(p[1:]) % 3] for p in self.ids],
                "cluster_id": [f"c{int(p[1:]) // 6}" for p in self.ids],
            }
        )
        self.tables = LabelTables(
            CONCEPTS,
            pd.DataFrame(positives, columns=["protein_id", "concept_idx"]),
            pd.DataFrame(labelled, columns=["protein_id", "aspect"]),
            pd.DataFrame(self.spans, columns=list(RESIDUE_LABEL_COLUMNS)).sample(frac=1, random_state=0),
        )

    def of(self, split):
        """Return the sorted ids of a split."""
        return sorted(self.proteins.loc[self.proteins["split"] == split, "protein_id"])

    def counted(self, split):
        """Return spans and labelled pairs of a split, concepts of residues by their place among these."""
        names = set(self.of(split))
        place = {c: i for i, c in enumerate(OF_RESIDUES)}
        spans = [(p, place[c], i, a, b) for p, c, i, a, b in self.spans if p in names]
        aspects = CONCEPTS.set_index("concept_idx")["aspect"]
        known = {(p, place[c]) for p in names for c in OF_RESIDUES if (p, aspects[c]) in self.known}
        return spans, known
