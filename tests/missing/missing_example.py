"""Proteins with concepts, a dictionary that scores them, and scores that know nothing."""

import numpy as np
import pandas as pd
from tests.code_store import stored_codes

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.encoding.run import Run
from protsae.probing.config import EvaluationConfig, ScoringConfig
from protsae.probing.judge import Judge, Known, Scores, score_table

SPLITS = ("train", "validation", "test")
CONCEPTS = pd.DataFrame(
    {
        "concept_idx": range(4),
        "concept_id": ["GO:0", "GO:1", "site", "GO:2"],
        "name": ["wide", "narrow", "a site", "coin"],
        "aspect": ["MFO", "MFO", "feature", "MFO"],
        "level": ["protein", "protein", "residue", "protein"],
        "information_content": 1.0,
        "information_content_deepgo": 1.0,
    }
)


class Example:
    """GO:1 is below GO:0; latent 0 fires on residues 3 to 5 (1-based 4 to 6) of proteins with GO:0, latent 1
    with GO:1, latent 3 at random. Every tenth protein is not labelled."""

    def __init__(self, folder, n=360, seed=0):
        rng = np.random.default_rng(seed)
        self.ids = [f"P{i:03d}" for i in range(n)]
        split = [SPLITS[i % 3] for i in range(n)]
        wide = rng.random(n) < 0.4
        has = np.stack([wide, wide & (rng.random(n) < 0.5), rng.random(n) < 0.2], axis=1)
        self.strength = has * 2.0 + rng.normal(0.8, 0.3, size=has.shape)
        self.strength[:, 2] = rng.random(n)
        acts = {}
        for i, name in enumerate(self.ids):
            values = np.zeros((12, 5))
            for column, latent in enumerate((0, 1, 3)):
                values[3:6, latent] = np.maximum(self.strength[i, column], 0)
            acts[name] = values
        self.codes = stored_codes(
            folder,
            acts,
            dict(zip(self.ids, split, strict=True)),
            run=Run("sae", 0, "h", 4),
            concept_ids=CONCEPTS["concept_id"],
        )
        self.encoding = pd.DataFrame(
            {"protein_id": self.ids, "mean_latents": [acts[name].mean(axis=0) for name in self.ids]}
        )
        self.activations = pd.DataFrame(
            {"protein_id": self.ids, "activation": list(rng.normal(size=(n, 3)).astype(np.float32))}
        )
        self.proteins = pd.DataFrame(
            {
                "protein_id": self.ids,
                "sequence": "ACDEFGHIKLMN",
                "split": split,
                "cluster_id": [f"c{i // 6}" for i in range(n)],
                "is_audited": True,
                "nearest_train_identity": np.nan,
                "nearest_train_coverage": np.nan,
            }
        )
        columns = (0, 1, 3)
        self.labels = {
            "concepts": CONCEPTS,
            "protein_labels": pd.DataFrame(
                [(self.ids[i], columns[c]) for i, c in np.argwhere(has)],
                columns=["protein_id", "concept_idx"],
            ),
            "labelled_aspects": pd.DataFrame(
                [(name, "MFO") for i, name in enumerate(self.ids) if i % 10], columns=["protein_id", "aspect"]
            ),
            "residue_labels": pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)).astype({"concept_idx": int}),
        }
        self.ontology = {
            "concept_terms": pd.DataFrame(
                {
                    "term_id": CONCEPTS["concept_id"],
                    "name": CONCEPTS["name"],
                    "aspect": CONCEPTS["aspect"],
                    "level": CONCEPTS["level"],
                    "is_obsolete": False,
                }
            ),
            "concept_relations": pd.DataFrame(
                [("GO:1", "is_a", "GO:0")], columns=["child_id", "relation", "parent_id"]
            ),
        }
        self.has = has
        known = Known(self.proteins, LabelTables(**self.labels), *self.ontology.values())
        self.judge = Judge(known, set(self.ids), ScoringConfig(), EvaluationConfig())
        self.neighbours = pd.DataFrame(
            [(self.ids[1], self.ids[0], 0.41, 99.0)],
            columns=["protein_id", "neighbour_id", "identity", "bits"],
        )

    def values(self, columns):
        """Return scores by split, of values [n_proteins, n_concepts] in the order of `ids`."""
        table = dict(zip(self.ids, columns, strict=True))
        return {
            split: np.array([table[name] for name in self.judge.splits[split].protein_ids])
            for split in ("validation", "test")
        }

    def scores(self):
        """Return the latents' own scores, and others that know the truth or nothing."""
        rng = np.random.default_rng(7)
        values = {
            "sae_latent": self.values(self.strength),
            "sae_predictor": self.values(self.has + 0.0),
            "nearest_neighbour": self.values(rng.random(self.has.shape)),
            "prevalence": self.values(np.tile([0.4, 0.2, 0.2], (len(self.ids), 1))),
        }
        supervision = {"sae_latent": "training", "sae_predictor": "training"}
        return Scores(
            values,
            {method: supervision.get(method, "none") for method in values},
            {"sae_latent": ["mean"] * 3},
        )

    def score_tables(self):
        """Return the tables of scores of the dictionary and of the references."""
        table = score_table(self.scores(), self.judge)
        own = table["method"].str.startswith("sae")
        return table[own].reset_index(drop=True), table[~own].reset_index(drop=True)
