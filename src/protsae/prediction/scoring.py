"""Scores of proteins for concepts, as `<d>.concept_scorers` says that they are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.probing.scorers import KINDS, calibration_of

WORTH = ("auc_test", "auc_low", "auc_high", "aupr_test", "f1_test")
"""Columns of the scorers that say what a score is worth on test proteins."""
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Scored:
    """Scores of one kind for every concept [n_proteins, n_concepts]."""

    score: Floats
    """As made, on its own scale."""
    probability: NDArray[np.float64]
    """Calibrated on validation proteins."""
    is_reached: NDArray[np.bool_]
    """Whether the probability reaches the concept's threshold."""


class Scorers:
    """Scores proteins for every concept that a release scores.

    Args:
        table: see `probing.scorers.scorer_table`.
        concepts: the table `concepts`: `concept_id`, `name`, `aspect`.
    """

    def __init__(self, table: pd.DataFrame, concepts: pd.DataFrame) -> None:
        by_kind = {kind: rows.reset_index(drop=True) for kind, rows in table.groupby("score")}
        self.rows: dict[str, pd.DataFrame] = {kind: by_kind[kind] for kind in KINDS if kind in by_kind}
        """Scorers of each kind, in the order of the concepts."""
        first = next(iter(self.rows.values()), table)
        about = concepts.set_index("concept_id").loc[first["concept_id"]]
        self.concepts = pd.DataFrame(
            {
                "concept_idx": first["concept_idx"].to_numpy(),
                "concept_id": first["concept_id"].to_numpy(),
                "name": about["name"].to_numpy(),
                "aspect": about["aspect"].to_numpy(),
                "prevalence": first["prevalence"].to_numpy(),
                "n_test": first["n_test"].to_numpy(),
            }
        )
        """One row per concept that is scored."""

    def scores(self, pooled: Mapping[str, Floats]) -> dict[str, Scored]:
        """Return the scores of proteins by kind.

        Args:
            pooled: the columns of `encoding.reading.Encoding.proteins`, each [n_proteins, d].
        """
        return {kind: self._scored(kind, rows, pooled) for kind, rows in self.rows.items()}

    def _scored(self, kind: str, rows: pd.DataFrame, pooled: Mapping[str, Floats]) -> Scored:
        if kind == "predictor":
            score = pooled["protein_logits"][:, rows["concept_idx"]]
        else:
            columns = [
                pooled[f"{pooling}_latents"][:, latent] * sign
                for pooling, latent, sign in zip(rows["pooling"], rows["latent"], rows["sign"], strict=True)
            ]
            score = np.stack(columns, axis=1)
        probability = calibration_of(rows).probabilities(score)
        reached: NDArray[np.bool_] = probability >= rows["threshold"].to_numpy()
        return Scored(score, probability, reached)
