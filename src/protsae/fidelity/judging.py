"""From sums to rows of the metrics table, with intervals over homology clusters."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.encoding.reconstruction import SUM_COLUMNS, quotient, reconstruction_metrics, split_rows
from protsae.encoding.run import Run
from protsae.fidelity.config import FidelityMetricsConfig
from protsae.fidelity.sequences import JOINED, PROTEIN, WHOLE
from protsae.metrics.bootstrap import cluster_weights, interval
from protsae.metrics.table import concat_metrics, metric_rows

Floats = NDArray[np.float64]
_MISSING = (float("nan"), float("nan"))
LOSS_KEY = ["sequence_id", "kind", "cluster_id", "length", "residue", "n_masked"]
VARIANTS = {
    "": ("sae", "mean", "zero"),
    "unmasked": ("sae_unmasked", "mean_unmasked", "zero_unmasked"),
    "defined": ("defined", "mean", "zero"),
    "free": ("free", "mean", "zero"),
}
"""Preset to the columns of the spliced run, of mean ablation and of zero ablation. The headline, all residues
replaced, has an empty preset."""
LONG = {WHOLE: "longer_than_training", JOINED: "joined_longer_than_training"}
"""Kind of sequence to stratum."""


def loss_recovered(ablated: Floats, spliced: Floats, clean: Floats) -> Floats:
    """Return (ablated - spliced) / (ablated - clean), unclipped: 1 is the clean run, 0 the ablated one, below
    0 is worse than ablation. NaN where ablation changes nothing."""
    gap = ablated - clean
    return np.divide(ablated - spliced, gap, out=np.full_like(gap, np.nan), where=gap != 0)


def loss_rows(
    plm_losses: pd.DataFrame, spliced_losses: pd.DataFrame, run: Run, config: FidelityMetricsConfig
) -> pd.DataFrame:
    """Return cross-entropies and recovered losses as rows of the metrics table; `n` counts masked residues.

    `loss_recovered` is against zero ablation, `loss_recovered_mean` against mean ablation. Strata are given
    for the headline alone.

    Args:
        plm_losses: of `splicing.ABLATIONS`, see `splicing.masked_losses`.
        spliced_losses: of the dictionary's `splicing.splices`, over the same residues.
        run: the dictionary.
        config: bands and intervals.

    Raises:
        InputError: the tables are of other residues.
    """
    if not plm_losses[LOSS_KEY].equals(spliced_losses[LOSS_KEY]):
        raise InputError(
            "the losses of the language model and those with the dictionary are of other residues: run the "
            "pipeline fidelity again"
        )
    table = pd.concat([plm_losses, spliced_losses.drop(columns=LOSS_KEY)], axis=1)
    parts = []
    for kind in (PROTEIN, *LONG):
        of_kind = table[table["kind"] == kind].reset_index(drop=True)
        if of_kind.empty:
            continue
        sums = Resampled(of_kind["sequence_id"], of_kind["cluster_id"], config)
        everything = (LONG.get(kind, ""), np.ones(len(of_kind), dtype=bool))
        for preset, (spliced, mean, zero) in VARIANTS.items():
            if spliced not in of_kind or (preset and kind != PROTEIN):
                continue
            values = of_kind[["n_masked", "clean", spliced, mean, zero]].to_numpy(np.float64)
            is_divided = kind == PROTEIN and not preset
            for stratum, rows in _strata(of_kind, config) if is_divided else [everything]:
                found = sums.metrics(_losses, values, rows)
                n = int(values[rows, 0].sum())
                parts.append(_rows(found, run, preset=preset, stratum=stratum, n=n))
    return concat_metrics(parts)


def reconstruction_rows(
    sums: pd.DataFrame, statistics: pd.DataFrame, d_model: int, run: Run, config: FidelityMetricsConfig
) -> pd.DataFrame:
    """Return reconstruction on every split (`encoding.reconstruction.split_rows`), and on test `fve`, `mse`,
    `cosine` and `l0` by stratum with intervals, `dead_share` and `dense_share`; `n` counts residues.

    A stratum's `fve` is 1 - sum ||x - x_hat||^2 / sum ||x - mu||^2 over its residues, with mu the mean of the
    whole split.

    Args:
        sums: see `encoding.reconstruction.ReconstructionSums`.
        statistics: the table of latent statistics.
        d_model: width of the activations.
        run: the dictionary.
        config: bands, threshold and intervals.
    """
    test = sums[sums["split"] == "test"].reset_index(drop=True)
    resampled = Resampled(test["protein_id"], test["cluster_id"], config)
    values = test[list(SUM_COLUMNS)].to_numpy(np.float64)
    parts = []
    for stratum, rows in _strata(test, config):
        found = resampled.metrics(lambda totals: reconstruction_metrics(totals, d_model), values, rows)
        parts.append(_rows(found, run, stratum=stratum, n=int(values[rows, 0].sum())))
    dense = float((statistics["density_test"] > config.dense_above).mean())
    parts.append(_rows({"dense_share": (dense, _MISSING)}, run, n=int(values[:, 0].sum())))
    whole = split_rows(sums, statistics, d_model, run)
    has_interval = (whole["split"] == "test") & whole["metric"].isin(parts[0]["metric"])
    return concat_metrics([whole[~has_interval], *parts])


def require_hook_point(run: Run, hook_point: str) -> None:
    """Refuse ablations at another hook point than the dictionary's.

    Raises:
        InputError: they differ.
    """
    if run.hook_point != hook_point:
        raise InputError(
            f"the dictionary {run.method} is of hook point {run.hook_point}, fidelity.hook_point is "
            f"{hook_point}: set it to the dictionary's"
        )


class Resampled:
    """Sums over proteins, and over resamples of their homology clusters."""

    def __init__(self, owners: pd.Series, clusters: pd.Series, config: FidelityMetricsConfig) -> None:
        """Draw the resamples.

        Args:
            owners: protein of each row of a table.
            clusters: its homology cluster.
            config: number of resamples, seed and confidence.
        """
        _, first, self._owner = np.unique(owners.to_numpy(str), return_index=True, return_inverse=True)
        self._confidence = config.confidence
        generator = numpy_generator(config.seed, "fidelity", "bootstrap")
        self._cluster = clusters.to_numpy(str)
        self._weights = cluster_weights(self._cluster[first], config.n_resamples, generator)

    def metrics(
        self, metric: Callable[[Floats], dict[str, Floats]], values: Floats, rows: NDArray[np.bool_]
    ) -> dict[str, tuple[float, tuple[float, float]]]:
        """Return each metric with its interval; one of a single cluster is missing (NaN), not narrow.

        Args:
            metric: from sums [..., n_columns] to named values [...].
            values: one row of the table each [n_rows, n_columns].
            rows: which of them.
        """
        of_owners = np.zeros((self._weights.shape[1], values.shape[1]))
        np.add.at(of_owners, self._owner[rows], values[rows])
        found = metric(of_owners.sum(axis=0))
        if len(set(self._cluster[rows])) == 1:
            return {name: (float(value), _MISSING) for name, value in found.items()}
        resampled = metric(self._weights @ of_owners)
        return {
            name: (float(value), interval(name, float(value), resampled[name], self._confidence))
            for name, value in found.items()
        }


def _losses(sums: Floats) -> dict[str, Floats]:
    """Return metrics of sums of [n_masked, clean, spliced, mean, zero]."""
    n, clean, spliced, mean, zero = np.moveaxis(sums, -1, 0)
    return {
        "mlm_ce_clean": quotient(clean, n),
        "mlm_ce_sae": quotient(spliced, n),
        "mlm_ce_mean": quotient(mean, n),
        "mlm_ce_zero": quotient(zero, n),
        "loss_recovered": loss_recovered(zero, spliced, clean),
        "loss_recovered_mean": loss_recovered(mean, spliced, clean),
    }


def _strata(table: pd.DataFrame, config: FidelityMetricsConfig) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield everything, then bands of protein length and residue types that hold anything."""
    yield "", np.ones(len(table), dtype=bool)
    band = np.searchsorted(np.asarray(config.length_bands), table["length"].to_numpy())
    for i, name in enumerate(length_band_names(config.length_bands)):
        if (band == i).any():
            yield name, band == i
    for letter in sorted(table["residue"].unique()):
        yield f"residue {letter}", (table["residue"] == letter).to_numpy()


def length_band_names(upper: Sequence[int]) -> list[str]:
    """Return the strata of protein length: `length 1-128`, ..., `length >512`."""
    below = [0, *upper]
    return [f"length {a + 1}-{b}" for a, b in zip(below, upper, strict=False)] + [f"length >{below[-1]}"]


def _rows(
    found: Mapping[str, tuple[float, tuple[float, float]]], run: Run, **labels: str | int
) -> pd.DataFrame:
    return metric_rows(
        {name: value for name, (value, _) in found.items()},
        intervals={name: interval for name, (_, interval) in found.items()},
        split="test",
        **run.labels,
        **labels,
    )
