"""The rows of scores: every method gives every validation and test protein a score for every concept.

Latents are chosen by the labels of `ScoringConfig.selection`, strengths and scales on validation proteins;
test proteins are only scored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.core.pooling import Pooling
from protsae.core.splits import HELD_OUT, SELECTION_SPLITS, Selection
from protsae.metrics.ranking import pairwise_auc, roc_auc
from protsae.probing.config import FewLatentsConfig, ScoringConfig
from protsae.probing.k_sparse import Sample, k_sparse_logits
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
    "gated_linear_probe": Reference("probe", reads_activations=True),
    "linear_probe": Reference("probe", reads_activations=True),
    "prevalence": Reference("none"),
    "shuffled_labels": Reference("probe", reads_activations=True),
    "nearest_neighbour": Reference("transfer"),
    "composition_probe": Reference("probe"),
    "random_plm_probe": Reference("probe", reads_activations=True),
}
"""In the order of the tables. Those of `UNTRAINED` come after them."""
UNTRAINED = ("neurons", "random_directions")
"""Sets of latents that nothing was trained for. They have the methods of an unguided dictionary, but for the
probe on all of them, which is `linear_probe`."""


def reference(method: str) -> Reference:
    """Return what is known of a method that needs no dictionary."""
    if method in REFERENCES:
        return REFERENCES[method]
    return Reference("selection" if method.endswith("_latent") else "probe", reads_activations=True)


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
    latents: Features, splits: Mapping[str, SplitLabels], selection: Selection
) -> SelectedLatents:
    """Choose for each concept the latent and sign with the highest AUC; the first latent on ties.

    Args:
        latents: split to pooled latents of its proteins [n, d_sae].
        splits: labels by split.
        selection: the splits whose labels are read.
    """
    names = SELECTION_SPLITS[selection]
    values, of = np.concatenate([latents[split] for split in names]), SplitLabels.joined(splits, names)
    auc = np.nan_to_num(pairwise_auc(values, of.labels, of.labelled), nan=0.5)
    latent = np.argmax(np.abs(auc - 0.5), axis=0)
    best = auc[latent, np.arange(auc.shape[1])]
    return SelectedLatents(latent, np.where(best < 0.5, -1.0, 1.0), np.maximum(best, 1 - best))


def choose_pooling(
    candidates: Mapping[Pooling, Features], splits: Mapping[str, SplitLabels], selection: Selection
) -> tuple[dict[str, Floats], list[Pooling]]:
    """Choose for each concept the pooling with the highest AUC; the first on ties.

    Args:
        candidates: pooling to split to scores [n, n_concepts]. Several need the splits of the selection.
        splits: labels by split.
        selection: the splits whose labels are read.

    Returns:
        Split to scores of held-out proteins [n, n_concepts], and the pooling of each concept.
    """
    names, concepts = list(candidates), np.arange(splits["test"].labels.shape[1])
    best = np.zeros(len(concepts), np.int64)
    if len(names) > 1:
        read = SELECTION_SPLITS[selection]
        of = SplitLabels.joined(splits, read)
        values = (np.concatenate([scores[split] for split in read]) for scores in candidates.values())
        aucs = [roc_auc(scores, of.labels, of.labelled) for scores in values]
        best = np.nan_to_num(aucs, nan=0.5).argmax(axis=0)
    stacked = {split: np.stack([candidates[name][split] for name in names]) for split in HELD_OUT}
    found = {split: values[best, :, concepts].T for split, values in stacked.items()}
    return found, [names[place] for place in best]


def few_latent_scores(
    latents: Features, splits: Mapping[str, SplitLabels], selection: Selection, config: FewLatentsConfig
) -> dict[int, dict[str, Floats]]:
    """Fit logistic regressions on the k latents that correlate most with each concept, on training proteins.

    Args:
        latents: split to pooled latents of its proteins [n, d_sae].
        splits: labels by split.
        selection: the splits whose labels the k latents are chosen by.
        config: values of k, strength of the penalty.

    Returns:
        k to split to log odds [n, n_concepts] of the scored splits.
    """
    samples = {
        split: Sample(np.asfortranarray(latents[split]), of.labels, of.labelled)
        for split, of in splits.items()
    }
    chosen_by = Sample.joined([samples[split] for split in SELECTION_SPLITS[selection]])
    scored = [samples[split] for split in HELD_OUT]
    found = k_sparse_logits(chosen_by, samples["train"], scored, config)
    return {k: dict(zip(HELD_OUT, logits, strict=True)) for k, _, logits in found}


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
