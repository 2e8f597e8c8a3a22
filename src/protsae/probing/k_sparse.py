"""k-sparse probing: how much of a concept do its best k latents hold, read by a logistic regression?

After Gurnee et al. 2023 (arXiv 2305.01610). The k latents are those of the largest correlation with the
concept over the proteins (or residues) that they are chosen by; the regression is fitted on training ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from protsae.core.splits import SELECTION_SPLITS, Selection
from protsae.metrics.ranking import Ranking
from protsae.probing.config import FewLatentsConfig

Floats = NDArray[np.float64]

_CHUNK_VALUES = 4_000_000
_MAX_ITERATIONS = 50
_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Sample:
    """Proteins or residues with their codes and labels."""

    codes: Any
    """[n, n_latents], an array or a SciPy sparse matrix."""
    labels: NDArray[np.bool_]
    """[n, n_concepts]."""
    labelled: NDArray[np.bool_]
    """[n, n_concepts]."""

    @classmethod
    def joined(cls, samples: "Sequence[Sample]") -> "Sample":
        """Return some samples, one after another."""
        if len(samples) == 1:
            return samples[0]
        labels, labelled = (
            np.concatenate([getattr(sample, name) for sample in samples]) for name in ("labels", "labelled")
        )
        codes = [sample.codes for sample in samples]
        if not hasattr(codes[0], "tocsc"):
            return cls(np.concatenate(codes), labels, labelled)
        from scipy import sparse

        return cls(sparse.vstack(codes).tocsc(), labels, labelled)

    def of(self, latents: NDArray[np.int64]) -> Floats:
        """Return the codes of some latents, dense [n, n_latents chosen]."""
        columns = self.codes[:, latents]
        return np.asarray(columns.toarray() if hasattr(columns, "toarray") else columns, np.float64)


class KSparseProbes(NamedTuple):
    """The regressions of all concepts on k latents each, judged."""

    k: int
    latents: NDArray[np.int64]
    """[n_concepts, k]."""
    auc: Floats
    """On test [n_concepts]; NaN where a concept has one class only, in training or on test."""
    resampled: Floats
    """The same in every resample [n_resamples, n_concepts]."""


def correlations(train: Sample) -> Floats:
    """Return the correlation of every latent with every concept over its labelled samples
    [n_latents, n_concepts]; 0 where either is constant."""
    masks, mask_of = np.unique(train.labelled, axis=1, return_inverse=True)
    known, mask_of = masks.astype(np.float64), mask_of.reshape(-1)
    positive = (train.labels & train.labelled).astype(np.float64)
    n = np.maximum(known.sum(axis=0), 1)[mask_of]
    share = positive.sum(axis=0) / n
    squares = train.codes.multiply(train.codes) if hasattr(train.codes, "multiply") else train.codes**2
    mean, square = ((values.T @ known)[:, mask_of] / n for values in (train.codes, squares))
    product = train.codes.T @ positive / n
    variance = np.maximum(square - mean**2, 0)
    spread = np.sqrt(np.where(variance > 1e-9 * square, variance, 0) * share * (1 - share))
    found: Floats = np.where(spread > 0, (product - mean * share) / np.where(spread > 0, spread, 1), 0)
    return found


def k_sparse_logits(
    chosen_by: Sample, train: Sample, scored: Sequence[Sample], config: FewLatentsConfig
) -> Iterator[tuple[int, NDArray[np.int64], list[Floats]]]:
    """Yield k, the latents of each concept [n_concepts, k], and log odds of scored samples [n, n_concepts].

    Where a concept has one class only in training, log odds are 0.

    Args:
        chosen_by: what latents are chosen on.
        train: what regressions are fitted on.
        scored: what is scored.
        config: numbers of latents, strength of the penalty.
    """
    order = np.argsort(-np.abs(correlations(chosen_by)), axis=0, kind="stable").T
    usable = has_both_classes(train)
    for k in config.sizes:
        latents = order[:, :k]
        logits = [np.zeros(sample.labels.shape) for sample in scored]
        size = max(1, _CHUNK_VALUES // max(1, len(train.labels) * k))
        for first in range(0, len(usable), size):
            some = usable[first : first + size]
            for found, values in zip(
                logits, _fitted_logits(train, scored, latents[some], some, config.l2), strict=True
            ):
                found[:, some] = values
        yield k, latents, logits


def has_both_classes(sample: Sample) -> NDArray[np.int64]:
    """Return the concepts with positives and negatives among labelled samples."""
    positive, negative = (sample.labels & sample.labelled), (sample.labelled & ~sample.labels)
    return np.flatnonzero(positive.any(axis=0) & negative.any(axis=0))


def k_sparse_aucs(
    samples: Mapping[str, Sample],
    selection: Selection,
    config: FewLatentsConfig,
    weights: NDArray[np.int64] | None = None,
    owner: NDArray[np.int64] | None = None,
) -> Iterator[KSparseProbes]:
    """Yield the probes of each k, judged on test.

    Args:
        samples: those of `train`, of `test` and of the splits of the selection.
        selection: what latents are chosen by.
        config: numbers of latents, strength of the penalty.
        weights: resamples of the test proteins [n_resamples, n_proteins]; None: no resampling.
        owner: protein of each row of `test` [n]; None: rows are the proteins.
    """
    train, test = samples["train"], samples["test"]
    chosen_by = Sample.joined([samples[split] for split in SELECTION_SPLITS[selection]])
    usable = has_both_classes(train)
    for k, latents, (logits,) in k_sparse_logits(chosen_by, train, [test], config):
        n_concepts = len(latents)
        auc = np.full(n_concepts, np.nan)
        resampled = np.full((0 if weights is None else len(weights), n_concepts), np.nan)
        ranking = Ranking(logits[:, usable], test.labels[:, usable], test.labelled[:, usable], owner)
        auc[usable] = ranking.roc_auc()
        if weights is not None:
            resampled[:, usable] = ranking.roc_auc(weights)
        yield KSparseProbes(k, latents, auc, resampled)


def _fitted_logits(
    train: Sample,
    scored: Sequence[Sample],
    latents: NDArray[np.int64],
    concepts: NDArray[np.int64],
    l2: float,
) -> list[Floats]:
    """Fit the concepts' regressions and return logits of the scored samples [n, n_concepts]."""
    features = np.stack([train.of(columns) for columns in latents])  # [n_concepts, n, k]
    counted = train.labelled[:, concepts].T.astype(np.float64)
    share = counted / counted.sum(axis=1, keepdims=True)
    mean = np.einsum("cn,cnk->ck", share, features)
    scale = np.sqrt(np.einsum("cn,cnk->ck", share, (features - mean[:, None]) ** 2))
    scale = np.where(scale > 0, scale, 1.0)
    weights = fit_logistic(
        (features - mean[:, None]) / scale[:, None], train.labels[:, concepts].T, share, l2
    )
    own, intercept = weights[:, :-1] / scale, weights[:, -1]
    intercept = intercept - (own * mean).sum(axis=1)
    return [
        np.stack(
            [sample.of(columns) @ w + b for columns, w, b in zip(latents, own, intercept, strict=True)], 1
        )
        for sample in scored
    ]


def fit_logistic(features: Floats, truth: NDArray[np.bool_], share: Floats, l2: float) -> Floats:
    """Fit many small logistic regressions at once, by Newton's method with halved steps.

    Minimises, per problem, sum of share x log loss + l2 / 2 x ||weights||^2, intercept free.

    Args:
        features: [n_problems, n, k], standardised.
        truth: [n_problems, n].
        share: weight of each sample, summing to 1 per problem [n_problems, n].
        l2: strength of the penalty.

    Returns:
        Weights with the intercept last [n_problems, k + 1].
    """
    design = np.concatenate([features, np.ones((*features.shape[:2], 1))], axis=2)
    penalty = np.full(design.shape[2], l2)
    penalty[-1] = 0.0
    target = truth.astype(np.float64)
    rate = (share * target).sum(axis=1)
    weights = np.zeros((len(design), design.shape[2]))
    weights[:, -1] = np.log(rate / (1 - rate))

    def logits_at(at: Floats) -> Floats:
        found: Floats = np.matmul(design, at[..., None])[..., 0]
        return found

    def loss(at: Floats, logits: Floats) -> Floats:
        # log(1 + exp(x)) without overflow
        terms: Floats = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits))) - target * logits
        summed: Floats = (share * terms).sum(axis=1) + (penalty * at**2).sum(axis=1) / 2
        return summed

    logits = logits_at(weights)
    value = loss(weights, logits)
    for _ in range(_MAX_ITERATIONS):
        probability = 1 / (1 + np.exp(-logits))
        residual = share * (probability - target)
        gradient = np.matmul(residual[:, None], design)[:, 0] + penalty * weights
        if np.abs(gradient).max() < _TOLERANCE:
            break
        curvature = share * probability * (1 - probability)
        hessian = np.matmul((design * curvature[..., None]).transpose(0, 2, 1), design)
        hessian += np.diag(np.maximum(penalty, 1e-12))
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        length = np.ones(len(weights))
        for _ in range(20):
            tried = weights - length[:, None] * step
            tried_logits = logits_at(tried)
            tried_value = loss(tried, tried_logits)
            worse = tried_value > value + 1e-15
            if not worse.any():
                break
            length[worse] /= 2
        kept = worse[:, None]  # nothing is left to gain there
        weights, logits = np.where(kept, weights, tried), np.where(kept, logits, tried_logits)
        value = np.where(worse, value, tried_value)
    return weights
