"""Which bootstrap interval holds the truth as often as it says, on test sets of which the truth is known.

Simulates test sets like the demo's: some 200 proteins in 110 homology clusters whose members share labels and
errors, 60 concepts in 12 correlated groups with 3 to 30 % of positives, a good method, a weaker one with
partly the same errors, and one that knows nothing. For every metric, and for paired differences, it counts
how often each kind of interval holds the metric's expectation over test sets of this size, its value in the
population, and the value that was measured. Writes docs/results/interval_coverage.csv and prints it.

    python benchmarks/interval_coverage.py [--replicates 2400] [--resamples 200]
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from helpers.provenance import ROOT, provenance, write_json
from protsae.core.files import write_text_atomic
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, macro_mean, normal_interval, percentile_interval
from protsae.metrics.cafa import ProteinCurves
from protsae.metrics.ranking import Ranking

OUT = ROOT / "docs/results/interval_coverage.csv"
CONFIDENCE = 0.95
N_CLUSTERS, N_GROUPS, PER_GROUP = 110, 12, 5
PREVALENCES = np.tile(np.geomspace(0.03, 0.3, PER_GROUP), N_GROUPS)
EFFECTS = {"good": 1.2, "weak": 0.8, "chance": 0.0}
"""Standard deviations between the scores of positives and negatives."""
PAIR = ("good", "weak")
Floats = NDArray[np.float64]


class TestSet(NamedTuple):
    """Simulated proteins."""

    clusters: NDArray[np.int64]
    labels: NDArray[np.bool_]
    scores: dict[str, Floats]
    """By method, [n_proteins, n_concepts]."""


class Measured(NamedTuple):
    """One metric: its value, in every resample, and without each cluster in turn."""

    value: float
    samples: Floats
    jackknife: Floats

    def __sub__(self, other: "Measured") -> "Measured":
        return Measured(*(a - b for a, b in zip(self, other, strict=True)))


def simulate(n_clusters: int, generator: np.random.Generator) -> TestSet:
    """Draw a test set: liability models for labels and errors, with shared parts within clusters."""
    sizes = generator.geometric(0.55, size=n_clusters)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    n_concepts = len(PREVALENCES)

    def mixed(of_cluster: float) -> Floats:
        """Standard normal [n, n_concepts], of which a share of the variance belongs to the cluster."""
        shared = generator.standard_normal((n_clusters, n_concepts))[cluster]
        own = generator.standard_normal((len(cluster), n_concepts))
        return np.sqrt(of_cluster) * shared + np.sqrt(1 - of_cluster) * own

    groups = generator.standard_normal((n_clusters, N_GROUPS))[cluster].repeat(PER_GROUP, axis=1)
    labels = np.sqrt(0.7) * groups + np.sqrt(0.3) * mixed(0.7) > norm.isf(PREVALENCES)
    errors, common = {name: mixed(0.5) for name in EFFECTS}, mixed(0.5)
    scores = {
        name: effect * labels + np.sqrt(0.5) * common + np.sqrt(0.5) * errors[name]
        for name, effect in EFFECTS.items()
    }
    return TestSet(cluster, labels, scores)


def measure(found: TestSet, method: str, weights: NDArray[np.int64] | None = None) -> dict[str, Floats]:
    """Return the metrics of a method, of every row of weights [n, n_proteins]."""
    scores, effect = found.scores[method], EFFECTS[method]
    auc, precision = Ranking(scores, found.labels).areas(weights)
    odds = np.log(PREVALENCES / (1 - PREVALENCES)) + effect * scores - effect**2 / 2
    probabilities = 1 / (1 + np.exp(-odds))  # what a perfect calibration gives
    curves = ProteinCurves(probabilities, found.labels, information=-np.log2(PREVALENCES)).values(weights)
    pooled = Ranking.pooled(probabilities, found.labels).average_precision(weights)[..., 0]
    by = np.ones(len(scores)) if weights is None else weights
    fires = scores > 1.2
    both = by @ (fires & found.labels)
    f1 = 2 * both / np.maximum(by @ fires.astype(float) + by @ found.labels.astype(float), 1)
    return {
        "auc": macro_mean(auc)[0],
        "aupr": macro_mean(precision)[0],
        "aupr_micro": pooled,
        "f1": f1.mean(axis=-1),
        **{name: curves[name] for name in ("fmax", "wfmax", "smin")},
    }


def all_measured(found: TestSet, n_resamples: int, generator: np.random.Generator) -> dict[str, Measured]:
    """Return everything that an interval can be made of, by `method metric`."""
    weights = cluster_weights(found.clusters, n_resamples, generator)
    without = (found.clusters[None] != np.unique(found.clusters)[:, None]).astype(np.int64)
    out = {}
    for method in EFFECTS:
        value, resampled = measure(found, method), measure(found, method, np.concatenate([weights, without]))
        for metric, samples in resampled.items():
            parts = samples[:n_resamples], samples[n_resamples:]
            out[f"{method} {metric}"] = Measured(float(value[metric]), *parts)
    for metric in value:
        one, other = (out[f"{method} {metric}"] for method in PAIR)
        out[f"{PAIR[0]} - {PAIR[1]} {metric}"] = one - other
    return out


def percentile(m: Measured) -> tuple[float, float]:
    """Quantiles of the resamples."""
    return percentile_interval(m.samples, CONFIDENCE)


def normal(m: Measured) -> tuple[float, float]:
    """The value and its bootstrap standard error, as if normal."""
    return normal_interval(m.value, m.samples, CONFIDENCE)


def shifted(m: Measured) -> tuple[float, float]:
    """The percentile interval, moved back by the bootstrap's bias."""
    low, high = percentile(m)
    bias = m.samples.mean() - m.value
    return low - bias, high - bias


def basic(m: Measured) -> tuple[float, float]:
    """The percentile interval reflected at the value (Davison and Hinkley 1997, 5.2)."""
    low, high = percentile(m)
    return 2 * m.value - high, 2 * m.value - low


def bias_corrected(m: Measured, acceleration: float = 0.0) -> tuple[float, float]:
    """BC (Efron 1981), or with an acceleration BCa (Efron 1987)."""
    n = len(m.samples)
    below = (m.samples < m.value).sum() + (m.samples == m.value).sum() / 2
    z0 = norm.ppf(np.clip(below / n, 0.5 / n, 1 - 0.5 / n))
    z = z0 + norm.ppf([(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    low, high = np.quantile(m.samples, norm.cdf(z0 + z / (1 - acceleration * z)))
    return float(low), float(high)


def accelerated(m: Measured) -> tuple[float, float]:
    """BCa, its acceleration from the jackknife over clusters."""
    apart = m.jackknife.mean() - m.jackknife
    scale = (apart**2).sum() ** 1.5
    return bias_corrected(m, float((apart**3).sum() / (6 * scale)) if scale > 0 else 0.0)


KINDS: dict[str, Callable[[Measured], tuple[float, float]]] = {
    "percentile": percentile,
    "shifted": shifted,
    "normal": normal,
    "basic": basic,
    "bc": bias_corrected,
    "bca": accelerated,
}


def main() -> None:
    """Simulate, count and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=2400)
    parser.add_argument("--resamples", type=int, default=200)
    parser.add_argument("--output", type=Path, default=OUT)
    arguments = parser.parse_args()
    about, started = provenance(), time.monotonic()
    population = simulate(400 * N_CLUSTERS, numpy_generator(0, "population"))
    truth = {
        f"{method} {metric}": float(v)
        for method in EFFECTS
        for metric, v in measure(population, method).items()
    }
    for metric in {name.split()[-1] for name in truth}:
        truth[f"{PAIR[0]} - {PAIR[1]} {metric}"] = truth[f"{PAIR[0]} {metric}"] - truth[f"{PAIR[1]} {metric}"]
    found: dict[str, list[Measured]] = {}
    for replicate in range(arguments.replicates):
        generator = numpy_generator(replicate, "replicate")
        for name, measured in all_measured(
            simulate(N_CLUSTERS, generator), arguments.resamples, generator
        ).items():
            found.setdefault(name, []).append(measured)
    rows = []
    for name, measured in found.items():
        method, metric = name.rsplit(" ", 1)
        values = np.array([m.value for m in measured])
        expected = values.mean()
        for kind, make in KINDS.items():
            low, high = np.array([make(m) for m in measured]).T
            rows.append(
                {
                    "metric": metric,
                    "method": method,
                    "kind": kind,
                    "population": truth[name],
                    "expected": expected,
                    "bootstrap_bias": np.mean([m.samples.mean() - m.value for m in measured]),
                    "holds_expected": np.mean((low <= expected) & (expected <= high)),
                    "holds_population": np.mean((low <= truth[name]) & (truth[name] <= high)),
                    "holds_value": np.mean((low <= values) & (values <= high)),
                    "width": np.mean(high - low),
                }
            )
    table = pd.DataFrame(rows)
    write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.4f"))
    pd.set_option("display.width", 200, "display.max_rows", 500)
    print(table.round(3).to_string(index=False))
    content = {**about, "replicates": arguments.replicates, "resamples": arguments.resamples}
    write_json(
        arguments.output.with_suffix(".json"), {**content, "seconds": round(time.monotonic() - started)}
    )
    print(json.dumps(content))


if __name__ == "__main__":
    main()
