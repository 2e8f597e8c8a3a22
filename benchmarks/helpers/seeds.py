"""Several training runs read together: means and spreads over seeds, differences between methods,
intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.metrics.bootstrap import interval
from protsae.metrics.table import metric_records, metrics_table
from protsae.probing.estimates import Evaluations, Key

MEAN_OF_SEEDS = "mean of seeds"
SD_OF_SEEDS = "sd of seeds"


@dataclass(frozen=True)
class SeedEstimate:
    """One metric of one method on the test split, over training seeds."""

    values: NDArray[np.float64]
    """[n_seeds]."""
    samples: NDArray[np.float64]
    """[n_resamples]: mean over seeds in each resample of homology clusters."""
    n: int
    """What a value is an average over; see `Estimate.n`."""

    def __sub__(self, other: "SeedEstimate") -> "SeedEstimate":
        """Return the difference, seed by seed and resample by resample: it is paired."""
        return SeedEstimate(self.values - other.values, self.samples - other.samples, self.n)


def over_seeds(
    evaluations: Sequence[Evaluations], method: str, metric: str, aspect: str = "mean"
) -> SeedEstimate:
    """Return a metric on test over seeds; every evaluation must have used the same resamples of clusters.

    Raises:
        ValueError: an evaluation has no resamples.
    """
    estimates = [found[method, "test"][metric, aspect] for found in evaluations]
    samples = [estimate.samples for estimate in estimates if estimate.samples is not None]
    if len(samples) != len(estimates):
        raise ValueError(f"{metric} of {method} has no resamples")
    values = np.array([estimate.value for estimate in estimates])
    return SeedEstimate(values, np.mean(samples, axis=0), estimates[0].n)


def seed_rows(
    name: str, metric: str, aspect: str, estimate: SeedEstimate, *, confidence: float, supervision: str = ""
) -> pd.DataFrame:
    """Return two rows of the metrics table: mean over seeds with its interval over clusters, and spread over
    seeds.

    The spread is the sample standard deviation; with one seed there is none, and no row.
    """
    spread = {"sd": float(estimate.values.std(ddof=1))} if len(estimate.values) > 1 else {}
    records = []
    for stratum, value in {"mean": float(estimate.values.mean()), **spread}.items():
        is_mean = stratum == "mean"
        records += metric_records(
            {metric: value},
            method=name,
            aspect=aspect,
            split="test",
            n=estimate.n,
            preset=Key.of(metric, aspect).preset,
            stratum=MEAN_OF_SEEDS if is_mean else SD_OF_SEEDS,
            supervision=supervision,
            intervals={metric: interval(metric, value, estimate.samples, confidence)} if is_mean else None,
        )
    return metrics_table(records)


def summarise_seeds(
    evaluations: Sequence[Evaluations],
    supervision: Mapping[str, str],
    differences: Sequence[tuple[str, str]],
    *,
    metrics: Sequence[str],
    aspects: Sequence[str],
    confidence: float,
) -> pd.DataFrame:
    """Return the rows over seeds of the methods in `supervision`, then of differences (`a - b`)."""
    tables = []
    for metric in metrics:
        for aspect in aspects:
            found = {method: over_seeds(evaluations, method, metric, aspect) for method in supervision}
            tables += [
                seed_rows(
                    method,
                    metric,
                    aspect,
                    estimate,
                    confidence=confidence,
                    supervision=supervision[method],
                )
                for method, estimate in found.items()
            ]
            tables += [
                seed_rows(
                    f"{one} - {other}", metric, aspect, found[one] - found[other], confidence=confidence
                )
                for one, other in differences
            ]
    return pd.concat(tables, ignore_index=True)
