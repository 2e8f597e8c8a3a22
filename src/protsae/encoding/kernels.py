"""Sums over proteins, residues and latents, compiled by numba. Import this module inside functions."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.core.compiled import compiled, vectorised

Floats = NDArray[np.float64]


@compiled
def pool(
    values: Any,
    columns: NDArray[np.int64],
    begins: NDArray[np.int64],
    mean: NDArray[np.float32],
    maximum: NDArray[np.float32],
    totals: Floats,
    n_fired: NDArray[np.int64],
) -> None:
    """Fill mean and largest code of each protein, and add to sums over all residues.

    Args:
        values: codes, not negative, [n_residues, k].
        columns: their latents [n_residues, k].
        begins: where the residues of each protein begin, and where the last end [n_proteins + 1].
        mean: zeroed output [n_proteins, d_sae].
        maximum: zeroed output [n_proteins, d_sae].
        totals: [d_sae, 2]: sum, added to, and the largest code, compared with.
        n_fired: added to [d_sae]: residues on which the latent is active.
    """
    sums = np.zeros(mean.shape[1])
    for protein in range(len(begins) - 1):
        first, last = begins[protein], begins[protein + 1]
        sums[:] = 0
        for i in range(first, last):
            for j in range(values.shape[1]):
                value = values[i, j]
                if not value > 0:
                    continue
                latent = columns[i, j]
                sums[latent] += value
                maximum[protein, latent] = max(maximum[protein, latent], value)
                totals[latent, 0] += value
                totals[latent, 1] = max(totals[latent, 1], value)
                n_fired[latent] += 1
        if last > first:
            mean[protein] = (sums / (last - first)).astype(np.float32)


@compiled
def pool_top(
    values: Any,
    columns: NDArray[np.int64],
    begins: NDArray[np.int64],
    n_top: NDArray[np.int64],
    top: NDArray[np.float32],
) -> None:
    """Fill the mean of the highest codes of each protein; residues where a latent is silent count as 0.

    Args:
        values: codes, not negative, [n_residues, k].
        columns: their latents [n_residues, k].
        begins: where the residues of each protein begin, and where the last end [n_proteins + 1].
        n_top: how many codes of each protein are averaged, at least one [n_proteins].
        top: zeroed output [n_proteins, d_sae].
    """
    counts = np.zeros(top.shape[1], np.int64)
    for protein in range(len(n_top)):
        counts[:] = 0
        for i in range(begins[protein], begins[protein + 1]):
            for j in range(values.shape[1]):
                if values[i, j] > 0:
                    counts[columns[i, j]] += 1
        ends = np.cumsum(counts)
        place = ends - counts
        codes = np.empty(ends[-1])  # latent by latent
        for i in range(begins[protein], begins[protein + 1]):
            for j in range(values.shape[1]):
                if values[i, j] > 0:
                    codes[place[columns[i, j]]] = values[i, j]
                    place[columns[i, j]] += 1
        for latent in np.flatnonzero(counts):
            own = codes[ends[latent] - counts[latent] : ends[latent]]
            if len(own) > n_top[protein]:
                own = np.sort(own)[-n_top[protein] :]
            top[protein, latent] = own.sum() / n_top[protein]


@compiled
def pack(
    values: Any,
    columns: NDArray[np.int64],
    indptr: NDArray[np.int64],
    latents: NDArray[np.int32],
    kept: NDArray[np.float32],
) -> None:
    """Copy the positive codes of each residue, latents ascending.

    Args:
        values: codes, not negative, [n_residues, k].
        columns: their latents [n_residues, k].
        indptr: where the positive codes of each residue begin [n_residues + 1].
        latents: output [n_codes].
        kept: output [n_codes].
    """
    for i in range(len(values)):
        first = end = indptr[i]
        for j in range(values.shape[1]):
            value, latent = values[i, j], columns[i, j]
            if not value > 0:
                continue
            place = end
            while place > first and latents[place - 1] > latent:
                latents[place], kept[place] = latents[place - 1], kept[place - 1]
                place -= 1
            latents[place], kept[place] = latent, value
            end += 1


@vectorised
def add_reconstruction(
    x: NDArray[np.float32],
    x_hat: NDArray[np.float32],
    mean: Floats,
    group: NDArray[np.int64],
    sums: Floats,
) -> None:
    """Add each residue's squares and cosine to its group.

    Args:
        x: activations [n, d_model].
        x_hat: their reconstructions [n, d_model].
        mean: mean activation [d_model].
        group: row of `sums` of each residue [n].
        sums: [n_groups, 4 or more]: residues, ||x - x_hat||^2, ||x - mean||^2, cos(x, x_hat).
    """
    for i in range(len(x)):
        residual = centred = product = own = other = 0.0
        for j in range(x.shape[1]):
            value, given = np.float64(x[i, j]), np.float64(x_hat[i, j])
            residual += (value - given) * (value - given)
            centred += (value - mean[j]) * (value - mean[j])
            product += value * given
            own += value * value
            other += given * given
        row = sums[group[i]]
        row[0] += 1
        row[1] += residual
        row[2] += centred
        row[3] += product / max(np.sqrt(own * other), 1e-300)


@compiled
def add_activity(
    values: Any,
    columns: NDArray[np.int64],
    energy: Floats,
    n_defined: int,
    group: NDArray[np.int64],
    sums: Floats,
) -> None:
    """Add each residue's active latents and their energy z^2 ||W_dec||^2 to its group.

    Args:
        values: codes, not negative, [n, k].
        columns: their latents [n, k].
        energy: ||W_dec||^2 of each latent [d_sae].
        n_defined: defined latents, which come first.
        group: row of `sums` of each residue [n].
        sums: [n_groups, 3]: active latents, energy, that of defined latents.
    """
    for i in range(len(values)):
        row = sums[group[i]]
        for j in range(values.shape[1]):
            value = np.float64(values[i, j])
            if value > 0:
                latent = columns[i, j]
                part = value * value * energy[latent]
                row[0] += 1
                row[1] += part
                if latent < n_defined:
                    row[2] += part
