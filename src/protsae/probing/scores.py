"""The rows of scores: every method gives every validation and test protein a score for every concept.

What a method may choose, it chooses on validation proteins; test proteins are only scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.metrics.ranking import pairwise_auc
from protsae.probing.config import ScoringConfig
from protsae.probing.logistic import choose_probes, fit_path
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import SplitLabels, feature_matrix

Floats = NDArray[np.floating[Any]]
Features = Mapping[str, Floats]


@dataclass(frozen=True)
class Method:
    """What a row of scores is made from."""

    supervision: str
    """How it saw labels: none, selection (of one latent), probe (a classifier on top), transfer (from other
    proteins) or training (of the SAE)."""
    source: str
    """Dictionary whose outputs it reads, `activations`, `random_plm`, `sequence`, or empty."""


ENCODED = {
    "protsae_latent": Method("training", "protsae"),
    "protsae_predictor": Method("training", "protsae"),
    "topk_latent": Method("selection", "topk"),
    "protsae_probe": Method("probe", "protsae"),
    "topk_probe": Method("probe", "topk"),
    "linear_probe": Method("probe", "activations"),
    "prevalence": Method("none", ""),
    "shuffled_labels": Method("probe", "activations"),
}
"""The score rows of `score_all_methods`."""

BASELINES = {
    "nearest_neighbour": Method("transfer", "sequence"),
    "composition_probe": Method("probe", "sequence"),
    "random_plm_probe": Method("probe", "random_plm"),
}
"""Those of `baselines.score_baselines`."""

METHODS = ENCODED | BASELINES
"""All score rows, in the order of the tables."""

SCORED_SPLITS = ("validation", "test")


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
    return {split: chosen.logits(features[split]) for split in SCORED_SPLITS}


def prevalence_scores(splits: Mapping[str, SplitLabels]) -> dict[str, Floats]:
    """Give every protein the concept's share of positives among labelled training proteins."""
    train = splits["train"]
    prevalence = (train.labels & train.labelled).sum(axis=0) / np.maximum(train.labelled.sum(axis=0), 1)
    return {split: np.tile(prevalence, (len(splits[split].protein_ids), 1)) for split in SCORED_SPLITS}


def score_all_methods(
    protsae_encoding: pd.DataFrame,
    topk_encoding: pd.DataFrame,
    mean_activations: pd.DataFrame,
    splits: Mapping[str, SplitLabels],
    columns: NDArray[np.int64],
    config: ScoringConfig,
) -> dict[str, dict[str, Floats]]:
    """Return method to split to scores [n, n_concepts], for the methods of `ENCODED`; none without concepts.

    Args:
        protsae_encoding: pooled latents and logits of ProtSAE per protein.
        topk_encoding: pooled latents of TopK per protein.
        mean_activations: mean activation per protein.
        splits: labels by split, of all concepts.
        columns: the `concept_idx` of the concepts that are scored [n_concepts].
        config: pooling, probe strengths, seed.

    Raises:
        InputError: ProtSAE was trained on another number of concepts than the labels have.
    """
    column = f"{config.pooling}_latents"
    protsae = _features(protsae_encoding, column, splits)
    topk = _features(topk_encoding, column, splits)
    activations = _features(mean_activations, "activation", splits)
    logits = _features(protsae_encoding, "protein_logits", splits)
    n_known, n_concepts = logits["test"].shape[1], splits["test"].labels.shape[1]
    if n_known != n_concepts:
        raise InputError(f"ProtSAE knows {n_known} concepts, the labels have {n_concepts}: train it again")
    if not len(columns):
        return {}
    splits = {split: labels.of_concepts(columns) for split, labels in splits.items()}
    validation = splits["validation"]
    selected = select_latents(topk["validation"], validation.labels, validation.labelled)
    shuffled = shuffle_labels(splits, config.seed)
    return {
        "protsae_latent": {split: protsae[split][:, columns] for split in SCORED_SPLITS},
        "protsae_predictor": {split: logits[split][:, columns] for split in SCORED_SPLITS},
        "topk_latent": {split: selected.scores(topk[split]) for split in SCORED_SPLITS},
        "protsae_probe": probe_scores(protsae, splits, config),
        "topk_probe": probe_scores(topk, splits, config),
        "linear_probe": probe_scores(activations, splits, config),
        "prevalence": prevalence_scores(splits),
        "shuffled_labels": probe_scores(activations, shuffled, config),
    }


def score_table(
    scores: Mapping[str, Mapping[str, Floats]],
    splits: Mapping[str, SplitLabels],
    columns: NDArray[np.int64],
) -> pd.DataFrame:
    """Return the long table `method`, `supervision`, `protein_id`, `concept_idx`, `score`.

    Methods in the order of `METHODS`, proteins by split and id, concepts by index.
    """
    tables = []
    for method, by_split in scores.items():
        for split in SCORED_SPLITS:
            n, n_concepts = by_split[split].shape
            concept_idx = np.asarray(columns, np.int32)
            tables.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "supervision": METHODS[method].supervision,
                        "protein_id": np.repeat(splits[split].protein_ids, n_concepts),
                        "concept_idx": np.tile(concept_idx, n),
                        "score": np.asarray(by_split[split], np.float64).ravel(),
                    }
                )
            )
    if not tables:
        return pd.DataFrame(columns=["method", "supervision", "protein_id", "concept_idx", "score"])
    return pd.concat(tables, ignore_index=True)


def _features(table: pd.DataFrame, column: str, splits: Mapping[str, SplitLabels]) -> dict[str, NDArray[Any]]:
    return {split: feature_matrix(table, column, labels.protein_ids) for split, labels in splits.items()}
