"""Dictionaries whose latents stand for concepts that are known, and others that stand for none."""

from pathlib import Path

import numpy as np
import pandas as pd
from tests.code_store import stored_codes

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.encoding.run import Run
from protsae.interpretation.config import ExampleConfig, MatchingConfig
from protsae.interpretation.tables import interpret
from protsae.probing.labelled import LabelledProteins

SPLITS = ("train", "validation", "test")
LETTERS = list("ACDEFGHIKLMNPQRSTVWY")
RUN = Run("planted", 0, "layers.1.resid_post", 4)


class PlantedDictionary:
    """Latents of `n_protein` concepts of whole proteins fire on a few random residues of their carriers,
    those of `n_residue` concepts inside spans, `n_noise` others on random residues of random proteins.

    Every latent misses some, and fires elsewhere at times. Half of the concepts of proteins also put a
    motif where their latent fires.
    """

    def __init__(self, folder: Path, seed=0, n=360, n_protein=8, n_residue=4, n_noise=4):
        rng = np.random.default_rng(seed)
        n_concepts = n_protein + n_residue
        self.ids = [f"P{i:03d}" for i in range(n)]
        split = [SPLITS[i % 3] for i in range(n)]
        order = rng.permutation(n_concepts + n_noise)
        self.concept_of = {int(latent): c for c, latent in enumerate(order[:n_concepts])}
        self.noise = [int(latent) for latent in order[n_concepts:]]
        carries = rng.random((n, n_concepts)) < rng.uniform(0.3, 0.45, n_concepts)
        letters, acts, spans = {}, {}, []
        for i, name in enumerate(self.ids):
            text = rng.choice(LETTERS, size=rng.integers(60, 140))
            values = np.zeros((len(text), n_concepts + n_noise))
            for c in range(n_concepts):
                latent = order[c]
                if c >= n_protein and carries[i, c]:
                    begin = int(rng.integers(0, len(text) - 10))
                    where = np.arange(begin, begin + int(rng.integers(5, 10)))
                    spans.append((name, c, 0, int(where[0]), int(where[-1]) + 1))
                    where = where[rng.random(len(where)) < 0.9]
                elif carries[i, c] and rng.random() < 0.95:
                    where = rng.choice(len(text) - 2, size=6, replace=False)
                    if c % 2:
                        text[where], text[where + 2] = "W", "C"
                elif rng.random() < 0.03:
                    where = rng.choice(len(text), size=2)
                else:
                    continue
                values[where, latent] = rng.uniform(0.6, 1.4, len(where))
            for latent in self.noise:
                if rng.random() < 0.3:
                    values[rng.choice(len(text), size=4), latent] = rng.uniform(0.6, 1.4, 4)
            letters[name], acts[name] = "".join(text), values
        self.concepts = pd.DataFrame(
            {
                "concept_idx": range(n_concepts),
                "concept_id": [f"C:{c}" for c in range(n_concepts)],
                "name": [f"concept {c}" for c in range(n_concepts)],
                "aspect": ["MFO"] * n_protein + ["feature"] * n_residue,
                "level": ["protein"] * n_protein + ["residue"] * n_residue,
            }
        )
        self.table = pd.DataFrame(
            {
                "protein_id": self.ids,
                "sequence": [letters[name] for name in self.ids],
                "split": split,
                "cluster_id": [f"c{i // 2}" for i in range(n)],
                "description": "",
            }
        )
        self.labels = {
            "concepts": self.concepts,
            "protein_labels": pd.DataFrame(
                [(self.ids[i], c) for i, c in np.argwhere(carries)], columns=["protein_id", "concept_idx"]
            ),
            "labelled_aspects": pd.DataFrame(
                [(name, aspect) for name in self.ids for aspect in ("MFO", "feature")],
                columns=["protein_id", "aspect"],
            ),
            "residue_labels": pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS)),
        }
        self.proteins = LabelledProteins.of(self.table, LabelTables(**self.labels), self.ids)
        self.acts = acts
        self.codes = stored_codes(folder, acts, dict(zip(self.ids, split, strict=True)), run=RUN)
        self.encoding = pd.DataFrame(
            {
                "protein_id": self.ids,
                "mean_latents": [acts[name].mean(axis=0) for name in self.ids],
                "max_latents": [acts[name].max(axis=0) for name in self.ids],
            }
        )
        n_latents = n_concepts + n_noise
        self.statistics = pd.DataFrame(
            {
                "latent": range(n_latents),
                "kind": "free",
                "concept_idx": -1,
                "density_test": 0.1,
                "max_act": np.max([values.max(axis=0) for values in acts.values()], axis=0),
            }
        )
        self.latents, _, _ = interpret(
            self.codes,
            self.encoding,
            self.statistics,
            proteins=self.proteins,
            descriptions=dict.fromkeys(self.ids, ""),
            matching=MatchingConfig(),
            examples=ExampleConfig(),
        )
