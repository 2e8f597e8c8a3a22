"""How well a dictionary reconstructs activations: sums by protein and amino acid, rows of whole splits."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.letters import character_codes, code_table
from protsae.core.splits import SPLITS
from protsae.encoding.run import Run
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.plm.residues import RESIDUES

if TYPE_CHECKING:
    from protsae.encoding.batches import ProteinBatch
    from protsae.sae.codes import SparseCodes

Floats = NDArray[np.float64]

SUM_COLUMNS = ("n_residues", "residual_squares", "centred_squares", "cosine_sum", "active_sum")
"""Residues, ||x - x_hat||^2, ||x - mu||^2, cos(x, x_hat) and positive latents, summed; mu is the mean of the
split's residues."""
ENERGY_COLUMNS = ("energy", "defined_energy")
"""Of all latents and of defined ones ||z_i W_dec[i]||^2, summed."""
GATES = "gates_open"
"""Open gates, summed."""
_N_LETTERS = len(RESIDUES)
_CODE = code_table(RESIDUES, -1)


class ReconstructionSums:
    """Sums by protein and amino acid while residues go by.

    Args:
        proteins: `protein_id`, `cluster_id`, `split`, `sequence`.
        decoder_norms: ||W_dec[i]|| [d_sae].
        n_defined: defined latents, which come first.
    """

    def __init__(
        self, proteins: pd.DataFrame, decoder_norms: NDArray[np.floating[Any]], n_defined: int
    ) -> None:
        self._proteins, self._n_defined = proteins, n_defined
        self._place = {name: i for i, name in enumerate(proteins["protein_id"])}
        self._letters = [_CODE[character_codes(sequence)] for sequence in proteins["sequence"]]
        self._energy = np.square(np.asarray(decoder_norms, np.float64))
        n_groups = len(proteins) * _N_LETTERS
        self._sums, self._activity = np.zeros((n_groups, 4)), np.zeros((n_groups, 3))
        self._gates: Floats | None = None

    def update(
        self,
        batch: "ProteinBatch",
        codes: "SparseCodes",
        x_hat: NDArray[np.float32],
        mean: Floats,
        gates_open: NDArray[np.integer[Any]] | None,
    ) -> None:
        """Add the residues of some proteins of one split.

        Args:
            batch: the proteins [n residues].
            codes: their codes, not negative.
            x_hat: their reconstructions [n, d_model].
            mean: mean activation of the split [d_model].
            gates_open: open gates of each residue [n], where there are gates.

        Raises:
            InputError: an activation or a reconstruction is not finite, or of a residue that the sequence
                does not have.
        """
        from protsae.encoding import kernels

        positions = np.split(batch.residue_index, np.cumsum(batch.lengths)[:-1])
        group = np.concatenate(list(map(self._groups, batch.protein_ids, positions)))
        kernels.add_reconstruction(batch.x.numpy(), x_hat, mean, group, self._sums)
        arrays = codes.values.numpy(), codes.columns.numpy()
        kernels.add_activity(*arrays, self._energy, self._n_defined, group, self._activity)
        if gates_open is not None:
            opened = np.bincount(group, gates_open, minlength=len(self._sums)).astype(np.float64)
            self._gates = opened if self._gates is None else self._gates + opened
        for name in batch.protein_ids:
            owner = self._place[name]
            if not np.isfinite(self._sums[owner * _N_LETTERS : (owner + 1) * _N_LETTERS]).all():
                raise InputError(f"{name}: an activation or its reconstruction is not finite: train it again")

    def _groups(self, protein_id: str, residues: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row of the sums of each of a protein's residues: its protein and amino acid in one."""
        owner = self._place[protein_id]
        letters = self._letters[owner]
        if residues.max(initial=-1) >= len(letters):
            raise InputError(
                f"{protein_id} has {len(letters)} residues but an activation of residue {residues.max()}: "
                "its sequence is not the one that activations were extracted of; extract again"
            )
        groups: NDArray[np.int64] = owner * _N_LETTERS + letters[residues]
        return groups

    def table(self) -> pd.DataFrame:
        """Return a row for each amino acid of a protein: `protein_id`, `cluster_id`, `split`, `length`,
        `residue`, `SUM_COLUMNS`; with defined latents `ENERGY_COLUMNS`, with gates `GATES`."""
        at = np.flatnonzero(self._sums[:, 0])
        owner, letter = np.divmod(at, _N_LETTERS)
        of = self._proteins.iloc[owner].reset_index(drop=True)
        columns: dict[str, Any] = {
            "protein_id": of["protein_id"],
            "cluster_id": of["cluster_id"].astype(str),
            "split": of["split"],
            "length": of["sequence"].str.len(),
            "residue": np.array(list(RESIDUES), dtype=object)[letter],
        }
        sums = np.column_stack([self._sums, self._activity])[at]
        names = SUM_COLUMNS + (ENERGY_COLUMNS if self._n_defined else ())
        columns |= {name: sums[:, i] for i, name in enumerate(names)}
        if self._gates is not None:
            columns[GATES] = self._gates[at]
        return pd.DataFrame(columns).astype({"n_residues": "int64"})


def reconstruction_metrics(totals: Floats, d_model: int) -> dict[str, Floats]:
    """Return `fve`, `mse`, `cosine` and `l0` of sums of `SUM_COLUMNS` [..., 5]; NaN without residues."""
    n, residual, centred, cosine, active = np.moveaxis(totals, -1, 0)
    return {
        "fve": 1 - quotient(residual, centred),
        "mse": quotient(residual, n * d_model),
        "cosine": quotient(cosine, n),
        "l0": quotient(active, n),
    }


def split_rows(sums: pd.DataFrame, statistics: pd.DataFrame, d_model: int, run: Run) -> pd.DataFrame:
    """Return rows of the metrics table for the splits that hold proteins; `n` counts residues.

    `fve`, `mse`, `l0`, `dead_share`; with defined latents `defined_participation` (their share of the decoded
    energy), with gates `gate_rate`.

    Args:
        sums: see `ReconstructionSums.table`.
        statistics: the table of latent statistics.
        d_model: width of the activations.
        run: the dictionary.
    """
    n_defined = int((statistics["kind"] == "defined").sum())
    tables = []
    for split in SPLITS:
        of_split = sums[sums["split"] == split]
        if of_split.empty:
            continue
        totals = of_split[list(SUM_COLUMNS)].to_numpy(np.float64).sum(axis=0)
        found: Mapping[str, Any] = reconstruction_metrics(totals, d_model)
        values = {name: float(found[name]) for name in ("fve", "mse", "l0")}
        values["dead_share"] = float((statistics[f"density_{split}"] == 0).mean())
        if n_defined:
            energy, defined = of_split[list(ENERGY_COLUMNS)].to_numpy(np.float64).sum(axis=0)
            values["defined_participation"] = float(quotient(defined, energy))
        if GATES in of_split:
            values["gate_rate"] = float(of_split[GATES].sum() / (totals[0] * n_defined))
        tables.append(metric_rows(values, split=split, n=int(totals[0]), **run.labels))
    return concat_metrics(tables)


def quotient(above: Any, below: Any) -> Floats:
    """Return the quotient, NaN where there is nothing below."""
    below = np.asarray(below, np.float64)
    found: Floats = np.divide(above, below, out=np.full_like(below, np.nan), where=below != 0)
    return found
