"""The mean squared residual over prefixes of a code, differentiable, without a tensor per prefix."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels import functions

_CHUNK_BYTES = 16 * 2**20
"""Memory of the gradients of rows, one for every code, that are held at a time."""


class PrefixEnergies(torch.autograd.Function):
    """Weighted squares of what is left of vectors while their codes' rows are taken away one by one."""

    @staticmethod
    def forward(
        ctx: Any, start: Tensor, values: Tensor, columns: Tensor, rows: Tensor, shares: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what is left once all codes are taken away [n, d], and the energies [n]:
        `sum over j = 0..k of shares[i, j] * ||start[i] - its first j codes' rows||^2`.

        Args:
            ctx: of autograd.
            start: [n, d].
            values: codes [n, k]; those of value 0 get no gradient.
            columns: int64 [n, k].
            rows: [d_sae, d].
            shares: [n, k + 1]; they get no gradient.
        """
        walk = _compiled_walk if _is_compiled(rows) else _plain_walk
        residual, energies = walk(start, values, columns, rows, shares)
        ctx.save_for_backward(residual, values, columns, rows, shares)
        return residual, energies

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of start, values and rows."""
        residual, values, columns, rows, shares = ctx.saved_tensors
        back = _compiled_way_back if _is_compiled(rows) else _plain_way_back
        return (*back(residual.clone(), values, columns, rows, shares, *gradients), None)


def _is_compiled(rows: Tensor) -> bool:
    return functions.backend(rows).__name__.endswith(".cpu")


def _plain_walk(
    start: Tensor, values: Tensor, columns: Tensor, rows: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    left, energies = start, shares[:, 0] * start.square().sum(dim=1)
    for j in range(values.shape[1]):
        left = left - values[:, j, None] * rows[columns[:, j]]
        energies = energies + shares[:, j + 1] * left.square().sum(dim=1)
    return left.clone() if left is start else left, energies


def _plain_way_back(
    left: Tensor,
    values: Tensor,
    columns: Tensor,
    rows: Tensor,
    shares: Tensor,
    of_residual: Tensor,
    of_energies: Tensor,
) -> tuple[Tensor, Tensor, None, Tensor]:
    k, of_rows, of_values = values.shape[1], torch.zeros_like(rows), torch.zeros_like(values)
    weights = 2 * of_energies.unsqueeze(1) * shares
    total = of_residual + weights[:, k, None] * left
    for j in reversed(range(k)):
        row, value = rows[columns[:, j]], values[:, j]
        of_values[:, j] = -(total * row).sum(dim=1).where(value != 0, 0.0)
        of_rows.index_add_(0, columns[:, j], value.unsqueeze(1) * total, alpha=-1)
        left = left + value.unsqueeze(1) * row
        total = total + weights[:, j, None] * left
    return total, of_values, None, of_rows


def _compiled_walk(
    start: Tensor, values: Tensor, columns: Tensor, rows: Tensor, shares: Tensor
) -> tuple[Tensor, Tensor]:
    from protsae.sae.kernels import walks

    inputs = [t.detach().contiguous().numpy() for t in (start, values, columns, rows, shares)]
    residual, energies = torch.empty_like(start), start.new_empty(len(start))
    outputs = residual.numpy(), energies.numpy()
    _in_parts(walks.prefix_energies, len(start), *inputs, *outputs)
    return residual, energies


def _in_parts(loop: Callable[..., None], n: int, *arrays: Any) -> None:
    """Run a compiled loop over n rows, its last arguments, on torch's number of threads."""
    run_parts(
        lambda first, last: loop(*arrays, first, last),
        even_bounds(n, torch.get_num_threads()),
    )


def _compiled_way_back(
    left: Tensor,
    values: Tensor,
    columns: Tensor,
    rows: Tensor,
    shares: Tensor,
    of_residual: Tensor,
    of_energies: Tensor,
) -> tuple[Tensor, Tensor, None, Tensor]:
    from protsae.sae.kernels import rows as entry_loops
    from protsae.sae.kernels import walks

    n, k = values.shape
    of_start, of_values, of_rows = torch.empty_like(left), torch.empty_like(values), torch.zeros_like(rows)
    n_rows = max(1, _CHUNK_BYTES // (left.element_size() * max(1, k) * left.shape[1]))
    vectors = left.new_empty(min(n, n_rows), k, left.shape[1])
    table, target = rows.detach().contiguous().numpy(), of_rows.numpy()
    by_row = (left, values, columns, shares, of_energies, of_residual, of_start, of_values)
    for chunk in (slice(first, first + n_rows) for first in range(0, n, n_rows)):
        arrays = [t[chunk].contiguous().numpy() for t in by_row]
        _in_parts(walks.walk_back, len(arrays[0]), *arrays[:3], table, *arrays[3:], vectors.numpy())
        begins, entries = entry_loops.by_column(arrays[1], arrays[2], len(rows))
        flat = arrays[1].reshape(-1), begins, entries, vectors.numpy().reshape(-1, left.shape[1])
        _in_parts(walks.subtract_by_column, len(rows), *flat, target)
    return of_start, of_values, None, of_rows
