"""L2 logistic regression for all concepts at once.

All concepts share the features, so one singular value decomposition turns the curvature bound of the logistic
loss (Boehning 1992: Hessian at most X'X / 4) into a diagonal. In coordinates scaled by it every problem is
well conditioned, and one L-BFGS run solves them together in few steps; scikit-learn, one concept at a time,
gives the same weights.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc

Floats = NDArray[np.float64]

_GRADIENT_TOLERANCE = 3e-7
_MAX_ITERATIONS = 2000


@dataclass(frozen=True)
class LogisticProbes:
    """One logistic regression per concept on shared, standardised features."""

    mean: Floats
    """Training mean of each feature [d]."""
    scale: Floats
    """Training standard deviation of each feature [d]; 1 where a feature is constant."""
    weights: Floats
    """[d, n_concepts], for standardised features."""
    intercept: Floats
    """[n_concepts]."""
    l2: float
    """Strength of the penalty."""

    def logits(self, features: NDArray[np.floating[Any]]) -> Floats:
        """Return log odds [n, n_concepts] for raw features [n, d]."""
        standardised = (np.asarray(features, np.float64) - self.mean) / self.scale
        logits: Floats = standardised @ self.weights + self.intercept
        return logits


def fit_path(
    features: NDArray[np.floating[Any]],
    labels: NDArray[Any],
    labelled: NDArray[Any],
    strengths: Sequence[float],
) -> list[LogisticProbes]:
    """Fit every concept at every strength.

    Minimises, per concept, the mean log loss over its labelled proteins + l2 / 2 x ||weights||^2, intercept
    free. In scikit-learn's terms C = 1 / (n_labelled x l2).

    Args:
        features: training features [n, d]; standardised here with their own mean and standard deviation.
        labels: [n, n_concepts], true for positives.
        labelled: [n, n_concepts], false where a protein is left out for a concept.
        strengths: values of l2, in the order of the result.

    Returns:
        One `LogisticProbes` per strength.

    Raises:
        ValueError: a concept lacks positives or negatives, so that its intercept has no finite optimum.
    """
    values = np.asarray(features, dtype=np.float64)
    counted = np.asarray(labelled, dtype=bool)
    truth = np.asarray(labels, dtype=bool) & counted
    n_positive, n_labelled = truth.sum(axis=0), counted.sum(axis=0)
    one_class = np.flatnonzero((n_positive == 0) | (n_positive == n_labelled))
    if len(one_class):
        raise ValueError(
            f"concept {one_class[0]} has one class only among its {n_labelled[one_class[0]]} labels"
        )
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(mean)), scale, 1.0)
    left, singular, right = np.linalg.svd((values - mean) / scale, full_matrices=False)
    kept = singular > 1e-10 * max(float(singular[0]), 1e-300)
    problem = _Problem(left[:, kept] * singular[kept], truth, counted)
    basis = right[kept]
    fitted: dict[float, LogisticProbes] = {}
    start = np.concatenate([np.zeros((int(kept.sum()), truth.shape[1])), problem.log_odds[None]])
    for l2 in sorted(set(strengths), reverse=True):  # from strong to weak, each starting where the last ended
        start = problem.solve(l2, start)
        fitted[l2] = LogisticProbes(mean, scale, basis.T @ start[:-1], start[-1], l2)
    return [fitted[l2] for l2 in strengths]


def choose_probes(
    candidates: Sequence[LogisticProbes],
    features: NDArray[np.floating[Any]],
    labels: NDArray[Any],
    labelled: NDArray[Any],
) -> LogisticProbes:
    """Return the candidate with the highest macro AUC on (validation) features; the strongest penalty on
    ties."""
    scored = [
        (float(macro_mean(roc_auc(probes.logits(features), labels, labelled))[0]), probes.l2, probes)
        for probes in candidates
    ]
    return max(scored, key=lambda entry: entry[:2])[2]


class _Problem:
    """The joint objective in the basis of the features' singular vectors.

    Args:
        coordinates: training features in that basis [n, rank], centred, columns orthogonal.
        truth: [n, n_concepts] positives.
        counted: [n, n_concepts] labelled pairs.
    """

    def __init__(self, coordinates: Floats, truth: NDArray[np.bool_], counted: NDArray[np.bool_]) -> None:
        self._design = np.concatenate([coordinates, np.ones((len(coordinates), 1))], axis=1)
        self._truth = truth.astype(np.float64)
        self._share = counted / counted.sum(axis=0)  # weight of each pair in its concept's mean
        self._curvature = np.square(self._design).mean(axis=0)[:, None] / 4
        odds = self._truth.sum(axis=0) / (counted.sum(axis=0) - self._truth.sum(axis=0))
        self.log_odds: Floats = np.log(odds)

    def solve(self, l2: float, start: Floats) -> Floats:
        """Return the optimum [rank + 1, n_concepts], the last row being the intercepts."""
        from scipy.optimize import minimize
        from threadpoolctl import threadpool_limits

        penalty = np.full((len(start), 1), l2)
        penalty[-1] = 0.0
        unit = 1 / np.sqrt(self._curvature + penalty)

        def objective(flat: Floats) -> tuple[float, Floats]:
            parameters = flat.reshape(start.shape) * unit
            logits = self._design @ parameters
            loss = np.logaddexp(0, logits) - self._truth * logits
            error = self._share * (_sigmoid(logits) - self._truth)
            value = (self._share * loss).sum() + 0.5 * (penalty * np.square(parameters)).sum()
            gradient = (self._design.T @ error + penalty * parameters) * unit
            return float(value), gradient.ravel()

        options = {"maxiter": _MAX_ITERATIONS, "maxfun": 2 * _MAX_ITERATIONS, "gtol": _GRADIENT_TOLERANCE}
        # One thread: BLAS splits even dot products, and waiting costs ten times what it saves.
        with threadpool_limits(1, user_api="blas"):
            result = minimize(
                objective,
                (start / unit).ravel(),
                jac=True,
                method="L-BFGS-B",
                options={**options, "ftol": 1e-14},
            )
        steepest = float(np.abs(result.jac).max())
        if steepest > 100 * _GRADIENT_TOLERANCE:
            raise ValueError(f"logistic regression did not converge at l2 {l2}: gradient {steepest:.1e}")
        solution: Floats = result.x.reshape(start.shape) * unit
        return solution


def _sigmoid(logits: Floats) -> Floats:
    """1 / (1 + exp(-logits)) without overflow."""
    return np.exp(-np.logaddexp(0, -logits))
