"""The kernels in plain torch, for devices and number formats that have none of their own; and what each does.

Shapes: n rows of a batch, k codes per row, `weights` [d_sae, d] with one row per latent.
"""

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.codes import SparseCodes, joined_codes

_CHUNK_BYTES = 16 * 2**20
"""Memory of the intermediate numbers that are held at a time: few enough to stay in a processor's cache."""


def rows_at_once(bytes_per_row: int) -> int:
    """Return how many rows of intermediate numbers are held at a time."""
    return max(1, _CHUNK_BYTES // bytes_per_row)


def select(numbers: Tensor, k: int, inside: Tensor | None) -> SparseCodes:
    """Return the k largest of each row, negative ones as 0, and their columns: [n, k] each.

    Args:
        numbers: [n, d_sae].
        k: how many; at most as many as there are columns to choose from.
        inside: columns to choose from, ascending; None: all.
    """
    candidates = numbers if inside is None else numbers[:, inside]
    values, columns = candidates.topk(k, dim=1, sorted=False)
    return SparseCodes(functional.relu(values), columns if inside is None else inside[columns])


def encode(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, inside: Tensor | None = None, k_inside: int = 0
) -> tuple[SparseCodes, SparseCodes | None]:
    """Return the k largest of `x weight + bias` per row as `select` does, and those inside some columns.

    Pre-activations are computed some rows at a time. They are never held for the whole batch.

    Args:
        x: [n, d].
        weight: [d, d_sae].
        bias: [d_sae].
        k: how many.
        inside: columns of the second choice; None: there is none.
        k_inside: how many of these.
    """
    found, within = [], []
    for part in torch.split(x, rows_at_once(weight.element_size() * weight.shape[1])):
        pre_acts = torch.addmm(bias, part, weight).to(weight.dtype)
        found.append(select(pre_acts, k, None))
        if inside is not None:
            within.append(select(pre_acts, k_inside, inside))
    return joined_codes(found), joined_codes(within) if within else None


def encode_batch(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> SparseCodes:
    """Return those of the n * k largest of `x weight + bias` in the whole batch that are positive.

    Returns:
        Values and columns, [n, most of any row] each; rows with fewer are filled up with zeros.
    """
    pre_acts = functional.relu(torch.addmm(bias, x, weight).to(weight.dtype))
    values, places = pre_acts.flatten().topk(k * len(x), sorted=False)
    return compress(torch.zeros_like(pre_acts).flatten().scatter_(0, places, values).view_as(pre_acts))


def compress(latent_acts: Tensor) -> SparseCodes:
    """Return the positive codes of each row of [n, d_sae] and their columns, [n, k] each, k the most of any
    row; rows with fewer are filled up with zeros of other columns."""
    k = int((latent_acts > 0).sum(dim=1).max()) if len(latent_acts) else 0
    return select(latent_acts, k, None)


def fired(values: Tensor, columns: Tensor, d_sae: int) -> Tensor:
    """Return which latents have a positive code anywhere: bool [d_sae]."""
    out = torch.zeros(d_sae, dtype=torch.bool, device=values.device)
    out[columns[values > 0]] = True
    return out


def add_rows(values: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """Return [n, d]: the sum over each row's codes of value times the latent's row of `weights`."""
    return functional.embedding_bag(columns, weights, per_sample_weights=values, mode="sum")


def dot_rows(values: Tensor, columns: Tensor, weights: Tensor, vectors: Tensor) -> Tensor:
    """Return [n, k]: each row's vector [d] times the rows of `weights` that its columns name; 0 where the
    value is 0."""
    out = weights.new_empty(columns.shape)
    for j in range(columns.shape[1]):  # one code at a time: k times less memory
        out[:, j] = (weights[columns[:, j]] * vectors).sum(dim=1)
    return out.masked_fill_(values == 0, 0)


def gather_rows(values: Tensor, columns: Tensor, vectors: Tensor, out: Tensor) -> Tensor:
    """Fill what each latent receives, and return the sums [d_sae] of its values alone.

    Args:
        values: [n, k].
        columns: [n, k].
        vectors: [n, d].
        out: output [d_sae, d]: the sum over the latent's codes of value times the vector of the row.
    """
    sums = out.zero_().new_zeros(len(out))
    for j in range(columns.shape[1]):
        out.index_add_(0, columns[:, j], values[:, j, None] * vectors)
        sums.index_add_(0, columns[:, j], values[:, j])
    return sums


def prefix_energies(
    start: Tensor, values: Tensor, columns: Tensor, weights: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what is left of `start` [n, d] without all codes, and the energies [n]:
    `sum over j = 0..k of shares[i, j] * ||start[i] - its first j codes' rows||^2`."""
    left, energies = start, shares[:, 0] * start.square().sum(dim=1)
    for j in range(values.shape[1]):
        left = left - values[:, j, None] * weights[columns[:, j]]
        energies = energies + shares[:, j + 1] * left.square().sum(dim=1)
    return left.clone() if left is start else left, energies


def prefix_energies_back(
    saved: tuple[Tensor, Tensor, Tensor, Tensor, Tensor], of_residual: Tensor, of_energies: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of start, values and weights.

    Args:
        saved: what `prefix_energies` left of its start, and its other arguments.
        of_residual: gradient [n, d].
        of_energies: gradient [n].
    """
    left, values, columns, weights, shares = saved
    k, of_rows, of_values = values.shape[1], torch.zeros_like(weights), torch.zeros_like(values)
    factors = 2 * of_energies.unsqueeze(1) * shares
    total = of_residual + factors[:, k, None] * left
    for j in reversed(range(k)):
        row, value = weights[columns[:, j]], values[:, j]
        of_values[:, j] = -(total * row).sum(dim=1).where(value != 0, 0.0)
        of_rows.index_add_(0, columns[:, j], value.unsqueeze(1) * total, alpha=-1)
        left = left + value.unsqueeze(1) * row
        total = total + factors[:, j, None] * left
    return total, of_values, of_rows
