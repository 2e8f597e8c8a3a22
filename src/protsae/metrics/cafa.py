"""Protein-centric metrics by the rules of CAFA and of DeepGO: Fmax, weighted Fmax, Smin, coverage.

The two presets differ, so a figure is always named with its preset:

| | `cafa` | `deepgo` |
| --- | --- | --- |
| thresholds | .01, .02, ... .99 | 0, .01, ... 1 |
| weighted precision is averaged over | proteins with a prediction of positive weight | with any prediction |
| Smin | over thresholds with any prediction | over all thresholds |
| area under the averaged curve | not defined | trapezoids over recall |

Which relations scores and labels are propagated along, and how information is counted, differ too: that is
for the caller (`protsae.probing.vocabulary`). Roots are concepts like any other here; leave their columns out
to leave them out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PresetName = Literal["cafa", "deepgo"]

PRESET: PresetName = "cafa"
"""The preset of figures that name none."""
_TIE = 1e-12  # sums of the same numbers in another order: the first of equal thresholds counts


class Rules(NamedTuple):
    """The rules of a preset."""

    thresholds: Floats
    """Ascending; a concept is predicted where its score is at least the threshold."""
    is_weighed: bool
    """Weighted precision is averaged over proteins with a prediction of positive weight, not with any."""
    needs_prediction: bool
    """Smin is taken over thresholds at which some protein has a prediction."""
    has_area: bool
    """The area under the averaged precision-recall curve is defined."""


RULES: dict[PresetName, Rules] = {
    "cafa": Rules(np.arange(0.01, 1, 0.01), is_weighed=True, needs_prediction=True, has_area=False),
    "deepgo": Rules(np.arange(101) / 100, is_weighed=False, needs_prediction=False, has_area=True),
}
THRESHOLDS = RULES["cafa"].thresholds


class Averages(NamedTuple):
    """Means over proteins, each [..., n_thresholds]."""

    coverage: Floats
    """Share of proteins with a prediction."""
    precision: Floats
    """Over proteins with a prediction."""
    recall: Floats
    """Over all proteins that count."""
    weighted_precision: Floats
    weighted_recall: Floats
    remaining: Floats
    """Remaining uncertainty: summed information of what is true and not predicted, over all proteins."""
    misinformation: Floats
    """Summed information of what is predicted and not true, over all proteins."""


@dataclass(frozen=True)
class Best:
    """The best point over thresholds."""

    value: float
    """Fmax or weighted Fmax, 0 to 1, or Smin; NaN where no protein counts."""
    threshold: float
    """Smallest threshold at which it is reached."""
    precision: float
    """Precision there, weighted for weighted Fmax."""
    recall: float
    """Recall there, likewise."""
    coverage: float
    """Share of proteins with a prediction there."""
    n_proteins: int
    """Proteins that count."""


class ProteinCurves:
    """Precision, recall and information per protein and threshold, to be averaged with protein weights.

    Recall and Smin are averaged over all proteins that count, precision over those with a prediction.
    F = 2 P R / (P + R); S = sqrt(remaining^2 + misinformation^2) (Clark and Radivojac 2013).

    Args:
        scores: [n_proteins, n_concepts], 0 to 1, already propagated to ancestors.
        labels: [n_proteins, n_concepts], true for positives, propagated.
        labelled: [n_proteins, n_concepts], false where a prediction must not be counted; None: all count.
        information: weight of each concept, not negative [n_concepts]; infinite ones count nothing, as in
            cafaeval; None: 1 each.
        counts: which proteins count [n_proteins]; None: those with at least one true concept.
        preset: whose rules.

    Raises:
        ValueError: a score lies outside 0 to 1.
    """

    def __init__(
        self,
        scores: NDArray[np.floating[Any]],
        labels: NDArray[Any],
        labelled: NDArray[Any] | None = None,
        *,
        information: NDArray[Any] | None = None,
        counts: NDArray[Any] | None = None,
        preset: PresetName = PRESET,
    ) -> None:
        from protsae.metrics.kernels import threshold_counts

        values = np.ascontiguousarray(scores, dtype=np.float64)
        if not ((values >= 0) & (values <= 1)).all():
            raise ValueError("scores must lie between 0 and 1: calibrate them first")
        self._rules = RULES[preset]
        counted = np.ones(values.shape, dtype=bool) if labelled is None else np.asarray(labelled, dtype=bool)
        truth = np.asarray(labels, dtype=bool) & counted
        weight = np.ones(values.shape[1]) if information is None else np.asarray(information, np.float64)
        weight = np.where(np.isfinite(weight), weight, 0.0)
        n_true, true_weight = truth.sum(axis=1)[:, None], (truth @ weight)[:, None]
        self._counts = np.asarray(n_true[:, 0] > 0 if counts is None else counts, dtype=np.float64)
        called, hit, called_weight, hit_weight = threshold_counts(
            values, truth, counted, weight, self._rules.thresholds
        )
        is_called = called > 0
        is_weighed = called_weight > 0 if self._rules.is_weighed else is_called
        self._terms = np.stack(
            [
                is_called,
                _over(hit, called),
                _over(hit, n_true),
                is_weighed,
                _over(hit_weight, called_weight),
                _over(hit_weight, true_weight),
                true_weight - hit_weight,
                called_weight - hit_weight,
            ],
            axis=1,
        )

    def averages(self, weights: NDArray[Any] | None = None) -> Averages:
        """Return the curves with proteins weighted by `weights` [..., n_proteins]; None: 1 each."""
        given = np.ones(len(self._counts)) if weights is None else np.asarray(weights, np.float64)
        weight = given * self._counts
        flat = weight @ self._terms.reshape(len(self._terms), -1)
        sums = np.moveaxis(flat.reshape(*weight.shape[:-1], *self._terms.shape[1:]), -2, 0)
        n_called, precision, recall, n_weighed, weighed_precision, weighed_recall, missed, wrong = sums
        n = weight.sum(axis=-1, keepdims=True)
        return Averages(
            coverage=_over(n_called, n),
            precision=_over(precision, n_called),
            recall=_over(recall, n),
            weighted_precision=_over(weighed_precision, n_weighed),
            weighted_recall=_over(weighed_recall, n),
            remaining=_over(missed, n),
            misinformation=_over(wrong, n),
        )

    def fmax(self) -> Best:
        """Return Fmax."""
        found = self.averages()
        return self._best(_f(found.precision, found.recall), found, found.precision, found.recall)

    def weighted_fmax(self) -> Best:
        """Return Fmax with concepts weighted by information."""
        found = self.averages()
        precision, recall = found.weighted_precision, found.weighted_recall
        return self._best(_f(precision, recall), found, precision, recall)

    def smin(self) -> Best:
        """Return Smin, the least semantic distance."""
        found = self.averages()
        best = self._best(-self._s(found), found, found.precision, found.recall)
        return replace(best, value=-best.value)

    def values(self, weights: NDArray[Any] | None = None) -> dict[str, Floats]:
        """Return metric to values [...] for protein weights [..., n_proteins], each with its best threshold.

        `fmax`, `wfmax`, `smin`, `coverage` (at the threshold of Fmax) and, by the rules of DeepGO,
        `aupr_curve`; NaN where no protein counts.
        """
        found = self.averages(weights)
        f = _f(found.precision, found.recall)
        chosen = _first_best(f)[..., None]
        metrics = {
            "fmax": f.max(axis=-1),
            "wfmax": _f(found.weighted_precision, found.weighted_recall).max(axis=-1),
            "smin": self._s(found).min(axis=-1),
            "coverage": np.take_along_axis(found.coverage, chosen, axis=-1)[..., 0],
        }
        if self._rules.has_area:
            order = np.argsort(found.recall, axis=-1, kind="stable")
            recall = np.take_along_axis(found.recall, order, axis=-1)
            precision = np.take_along_axis(found.precision, order, axis=-1)
            metrics["aupr_curve"] = np.trapezoid(precision, recall, axis=-1)
        n = self._counts.sum() if weights is None else np.asarray(weights, np.float64) @ self._counts
        return {name: np.where(n > 0, value, np.nan) for name, value in metrics.items()}

    def _s(self, found: Averages) -> Floats:
        s = np.hypot(found.remaining, found.misinformation)
        usable = found.coverage > 0 if self._rules.needs_prediction else np.ones_like(s, dtype=bool)
        # Where nothing is ever predicted, nothing is known either: all of the information remains.
        usable |= ~usable.any(axis=-1, keepdims=True)
        return np.where(usable, s, np.inf)

    def _best(self, goodness: Floats, found: Averages, precision: Floats, recall: Floats) -> Best:
        n = int(self._counts.sum())
        at = int(_first_best(goodness))
        value = float(goodness.max()) if n else float("nan")
        threshold = float(self._rules.thresholds[at])
        return Best(value, threshold, float(precision[at]), float(recall[at]), float(found.coverage[at]), n)


def propagate_scores(scores: NDArray[Any], descendants: Iterable[Iterable[int]]) -> NDArray[Any]:
    """Give every concept the maximum of its own score and those of its descendants.

    Args:
        scores: [n_proteins, n_concepts]; booleans too, whose maximum is the union.
        descendants: per concept, the indices of all its descendants (a closure; itself may be among them).

    Returns:
        [n_proteins, n_concepts], never lower than `scores`.
    """
    rows = np.ascontiguousarray(np.asarray(scores).T)
    out = rows.copy()
    for concept, below in enumerate(descendants):
        out[concept] = rows[[concept, *below]].max(axis=0)
    return np.ascontiguousarray(out.T)


def _f(precision: Floats, recall: Floats) -> Floats:
    return _over(2 * precision * recall, precision + recall)


def _first_best(goodness: Floats) -> NDArray[np.intp]:
    best = goodness.max(axis=-1, keepdims=True)
    first: NDArray[np.intp] = np.argmax(goodness >= best - _TIE * np.maximum(1, np.abs(best)), axis=-1)
    return first


def _over(numerator: Any, denominator: Any) -> Floats:
    """Divide; 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out: Floats = np.zeros(numerator.shape)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out
