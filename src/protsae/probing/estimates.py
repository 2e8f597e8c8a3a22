"""What was measured of the methods, as values with their resamples, and as rows of the metrics table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.metrics.bootstrap import interval, macro_mean
from protsae.metrics.cafa import PRESET
from protsae.metrics.table import concat_metrics, metric_records, metrics_table

Floats = NDArray[np.float64]

PRESET_METRICS = ("fmax", "wfmax", "smin", "coverage", "fmax_threshold", "aupr_micro", "aupr_curve")
"""Metrics whose rules a preset sets: calibrated scores, propagated to ancestors."""


class Key(NamedTuple):
    """What an estimate is of."""

    metric: str
    aspect: str
    preset: str = ""
    stratum: str = ""

    @classmethod
    def of(cls, metric: str, aspect: str) -> "Key":
        """Return the key over the whole split, of preset `cafa` where one has to be named."""
        return cls(metric, aspect, PRESET if metric in PRESET_METRICS else "")


@dataclass(frozen=True)
class Estimate:
    """One metric of one method on one split and aspect."""

    value: float
    n: int
    """Number of concepts for `auc` and `aupr`, of pairs for `aupr_micro`, else of proteins; for aspect `mean`
    of aspects."""
    samples: Floats | None = None
    """The metric in every resample of clusters [n_resamples]; None without intervals."""

    def __sub__(self, other: "Estimate") -> "Estimate":
        """Return the difference, resample by resample: it is paired."""
        samples = None
        if self.samples is not None and other.samples is not None:
            samples = self.samples - other.samples
        return Estimate(self.value - other.value, self.n, samples)


Evaluations = Mapping[tuple[str, str], "MethodEvaluation"]
"""(method, split) to what was measured."""


@dataclass(frozen=True)
class MethodEvaluation:
    """Everything measured of one method on one split."""

    estimates: dict[Key, Estimate]
    concepts: pd.DataFrame
    """`concept_idx`, `n_positive`, `auc`, `average_precision`, `n_resamples_left_out`."""

    def __getitem__(self, of: tuple[str, str]) -> Estimate:
        """Return the estimate of (metric, aspect) over the whole split; see `Key.of`."""
        return self.estimates[Key.of(*of)]


def macro(values: Floats, resampled: Floats | None) -> Estimate:
    """Average over concepts [n_concepts], and over those of every resample [n_resamples, n_concepts]."""
    mean, left_out = macro_mean(values)
    samples = None if resampled is None else macro_mean(resampled)[0]
    return Estimate(float(mean), len(values) - int(left_out), samples)


def mean_of(parts: Sequence[Estimate]) -> Estimate:
    """Average over aspects; a resample in which an aspect has no value has no mean."""
    samples = [part.samples for part in parts if part.samples is not None]
    return Estimate(
        float(np.mean([part.value for part in parts])),
        len(parts),
        np.mean(samples, axis=0) if samples else None,
    )


def estimate_rows(
    name: str, split: str, estimates: Mapping[Key, Estimate], confidence: float, supervision: str = ""
) -> pd.DataFrame:
    """Return the rows of the metrics table of one method or difference, in the order measured."""
    records = [
        record
        for key, estimate in estimates.items()
        for record in metric_records(
            {key.metric: estimate.value},
            method=name,
            aspect=key.aspect,
            split=split,
            n=estimate.n,
            preset=key.preset,
            stratum=key.stratum,
            supervision=supervision,
            intervals=None
            if estimate.samples is None
            else {key.metric: interval(key.metric, estimate.value, estimate.samples, confidence)},
        )
    ]
    return metrics_table(records)


def difference_rows(
    evaluations: Evaluations, pairs: Sequence[tuple[str, str]], confidence: float
) -> pd.DataFrame:
    """Return rows of paired differences on test, method `a - b`, of all that has resamples in both.

    The interval is that of the difference in each resample of homology clusters, not of two independent ones.
    """
    tables = []
    for one, other in pairs:
        left, right = evaluations[one, "test"].estimates, evaluations[other, "test"].estimates
        found = {
            key: estimate - right[key]
            for key, estimate in left.items()
            if key in right and estimate.samples is not None
        }
        tables.append(estimate_rows(f"{one} - {other}", "test", found, confidence))
    return concat_metrics(tables)
