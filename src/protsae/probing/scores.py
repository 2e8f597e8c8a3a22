"""The rows of scores: every method gives every validation and test protein a score for every concept.

What a method may choose, it chooses on validation proteins; test proteins are only scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.core.splits import HELD_OUT
from protsae.metrics.ranking import pairwise_auc
from protsae.probing.config import ScoringConfig
from protsae.probing.logistic import choose_probes, fit_path
from protsae.probing.splits import SplitLabels

Floats = NDArray[np.floating[Any]]
Features = Mapping[str, Floats]


class Reference(NamedTuple):
    """A method that needs no dictionary."""

    supervision: str
    """How it saw labels, see `judge.Scores`."""
    reads_activations: bool = False
    """Whether it reads activations of a language model, trained or not, at a hook point."""


REFERENCES = {
    "linear_probe": Reference("probe", reads_activations=True),
    "prevalence": Reference("none"),
    "shuffled_labels": Reference("probe", reads_activations=True),
    "nearest_neighbour": Reference("transfer"),
    "composition_probe": Reference("probe"),
    "random_plm_probe": Reference("probe", reads_activations=True),
}
"""In the order of the tables."""


@dataclass(frozen=True)
class SelectedLatents:
    """The best single latent of each concept."""

    latent: NDArray[np.int64]
    """[n_concepts]."""
    sign: NDArray[np.float64]
    """[n_concepts], 1 or -1: whether a high or a low activation speaks for the concept."""
    auc: NDArray[np.float64]
    """[n_concepts], on the proteins of the selection, with the sign applied."""

    def scores(self, latents: Floats) -> Floats:
        """Return scores [n, n_concepts] of pooled latents [n, d_sae]."""
        return latents[:, self.latent] * self.sign


def select_latents(
    latents: Floats, labels: NDArray[np.bool_], labelled: NDArray[np.bool_]
) -> SelectedLatents:
    """Choose for each concept the latent and sign with the highest AUC; the first latent on ties.

    Args:
        latents: pooled latents of validation proteins [n, d_sae].
        labels: [n, n_concepts].
        labelled: [n, n_concepts].
    """
    auc = np.nan_to_num(pairwise_auc(latents, labels, labelled), nan=0.5)
    latent = np.argmax(np.abs(auc - 0.5), axis=0)
    best = auc[latent, np.arange(auc.shape[1])]
    return SelectedLatents(latent, np.where(best < 0.5, -1.0, 1.0), np.maximum(best, 1 - best))


def probe_scores(
    features: Features, splits: Mapping[str, SplitLabels], config: ScoringConfig
) -> dict[str, Floats]:
    """Fit L2 logistic regressions on train, choose their strength on validation, score the scored splits."""
    train, validation = splits["train"], splits["validation"]
    candidates = fit_path(features["train"], train.labels, train.labelled, config.l2, precise=config.precise)
    chosen = choose_probes(
        candidates, features["validation"], validation.labels, validation.labelled, config.patience
    )
    return {split: chosen.logits(features[split]) for split in HELD_OUT}


def prevalence_scores(splits: Mapping[str, SplitLabels]) -> dict[str, Floats]:
    """Give every protein the concept's share of positives among labelled training proteins."""
    train = splits["train"]
    prevalence = (train.labels & train.labelled).sum(axis=0) / np.maximum(train.labelled.sum(axis=0), 1)
    return {split: np.tile(prevalence, (len(splits[split].protein_ids), 1)) for split in HELD_OUT}
