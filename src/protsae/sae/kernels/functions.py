"""Encoding and decoding of sparse codes as autograd functions, over the kernels of a device."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from protsae.core.experimental import warn_experimental
from protsae.core.parallel import even_bounds
from protsae.sae.kernels import plain
from protsae.sae.kernels.loops import as_array, run_rows

_PARTS = 16
"""Parts of a sum that are added up in the end. Their number, and so the bits, does not depend on threads."""


def backend(tensor: Tensor) -> ModuleType:
    """Return the module of kernels for a tensor's device and number format."""
    if tensor.dtype not in (torch.float32, torch.float64):
        return plain
    if tensor.device.type == "cpu":
        from protsae.sae.kernels import cpu

        return cpu
    if tensor.device.type == "cuda" and _has_triton():
        warn_experimental("Training and encoding by the Triton kernels (sae.kernels.gpu)")
        from protsae.sae.kernels import gpu

        return gpu
    return plain


@cache
def _has_triton() -> bool:
    """Return whether Triton is installed, as it is with builds of torch for CUDA on Linux."""
    return find_spec("triton") is not None


def is_compiled_for(*tensors: Tensor) -> bool:
    """Return whether the compiled kernels of a CPU take these tensors: all of one number format."""
    first = tensors[0].dtype
    known = first in (torch.float32, torch.float64)
    return known and all(t.device.type == "cpu" and t.dtype == first for t in tensors)


class Encode(torch.autograd.Function):
    """Codes that were chosen without a graph, with the gradients of their affine map and ReLU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, values: Tensor, columns: Tensor) -> Tensor:
        """Return `values` [n, k], `ReLU(x weight + bias)` at `columns`.

        Args:
            ctx: of autograd.
            x: [n, d_model].
            weight: [d_model, d_sae].
            bias: [d_sae].
            values: [n, k].
            columns: int64 [n, k].
        """
        ctx.save_for_backward(x, weight, values, columns)
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight and bias."""
        x, weight, values, columns = ctx.saved_tensors
        kernels = backend(weight)
        of_values = gradients[0].to(weight.dtype).masked_fill(values <= 0, 0)
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = kernels.add_rows(of_values, columns, weight.T)
        if ctx.needs_input_grad[1] or ctx.needs_input_grad[2]:
            rows = torch.empty_like(weight.T, memory_format=torch.contiguous_format)
            of_bias = kernels.gather_rows(of_values, columns, x.to(weight.dtype), rows)
            of_weight = rows.T
        return of_x, of_weight, of_bias, None, None


class Decode(torch.autograd.Function):
    """Sums of decoder rows weighted by codes."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
        """Return [n, d_model].

        Args:
            ctx: of autograd.
            values: [n, k].
            columns: int64 [n, k].
            rows: decoder [d_sae, d_model].
        """
        ctx.save_for_backward(values, columns, rows)
        total: Tensor = backend(rows).add_rows(values, columns, rows)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of values and rows."""
        values, columns, rows = ctx.saved_tensors
        kernels, gradient = backend(rows), gradients[0].contiguous()
        of_values = of_rows = None
        if ctx.needs_input_grad[0]:
            of_values = kernels.dot_rows(values, columns, rows, gradient)
        if ctx.needs_input_grad[2]:
            of_rows = torch.empty_like(rows)
            kernels.gather_rows(values, columns, gradient, of_rows)
        return of_values, None, of_rows


class DecodeGroups(torch.autograd.Function):
    """Sums of decoder rows weighted by codes, group by group of latents."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, columns: Tensor, rows: Tensor, ends: tuple[int, ...]) -> Tensor:
        """Return [groups, n, d_model]; see `Decode`, and `sparse_decode_groups` for `ends`."""
        ctx.save_for_backward(values, columns, rows)
        ctx.ends, kernels = ends, backend(rows)
        groups = _groups(values, columns, ends)
        return torch.stack([kernels.add_rows(own, within, rows[group]) for own, within, group in groups])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of values and rows."""
        values, columns, rows = ctx.saved_tensors
        kernels, gradient = backend(rows), gradients[0].contiguous()
        of_values, of_rows = torch.zeros_like(values), torch.empty_like(rows)
        for i, (own, within, group) in enumerate(_groups(values, columns, ctx.ends)):
            of_values += kernels.dot_rows(own, within, rows[group], gradient[i])
            kernels.gather_rows(own, within, gradient[i], of_rows[group])
        return of_values, None, of_rows, None


def _groups(values: Tensor, columns: Tensor, ends: tuple[int, ...]) -> Iterator[tuple[Tensor, Tensor, slice]]:
    """Yield the codes of each group, others as 0, their columns counted from the group's first, and the
    group."""
    for start, end in pairwise((0, *ends)):
        inside = (columns >= start) & (columns < end)
        yield values.where(inside, 0.0), (columns - start).where(inside, 0), slice(start, end)


class PrefixEnergies(torch.autograd.Function):
    """Weighted squares of what is left of vectors while the rows of their codes are taken away one by one."""

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
        residual, energies = backend(rows).prefix_energies(start, values, columns, rows, shares)
        ctx.save_for_backward(residual, values, columns, rows, shares)
        return residual, energies

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of start, values and rows."""
        saved = ctx.saved_tensors
        of_start, of_values, of_rows = backend(saved[3]).prefix_energies_back(saved, *gradients)
        return of_start, of_values, None, of_rows, None


class BallExcess(torch.autograd.Function):
    """How far balls stick out of others: on CPUs alone."""

    @staticmethod
    def forward(ctx: Any, centres: Tensor, radii: Tensor, pairs: Tensor) -> Tensor:
        """Return ||c - d|| + r_c - r_d [n].

        Args:
            ctx: of autograd.
            centres: [n_balls, d].
            radii: [n_balls].
            pairs: int64 [n, 2]: c and d.
        """
        from protsae.sae.kernels.ball_loops import excess

        distances, out = radii.new_empty(len(pairs)), radii.new_empty(len(pairs))
        excess(*map(as_array, (centres, radii, pairs, distances, out)))
        ctx.save_for_backward(centres, pairs, distances)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of centres and radii."""
        from protsae.sae.kernels.ball_loops import excess_back

        centres = ctx.saved_tensors[0]
        of_centres = torch.empty_like(centres, memory_format=torch.contiguous_format)
        of_radii = centres.new_empty(len(centres))
        excess_back(*map(as_array, (gradients[0], *ctx.saved_tensors, of_centres, of_radii)))
        return of_centres, of_radii, None


class Lift(torch.autograd.Function):
    """Defined latents at open gates, lifted to a level of their residue: on CPUs alone."""

    @staticmethod
    def forward(
        ctx: Any, scale: Tensor, levels: Tensor, logits: Tensor, gate_logit: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return values, what they were before they were lifted, and columns, [n, w] each.

        Args:
            ctx: of autograd.
            scale: [m] > 0.
            levels: [n].
            logits: [n, m]; they get no gradient.
            gate_logit: [m]; gates are open where logits are above.
        """
        from protsae.sae.kernels import lifting

        n = len(logits)
        counts = torch.empty(n, dtype=torch.int64)
        run_rows(lifting.count_open, n, logits, gate_logit, counts)
        w = int(counts.max()) if n else 0
        evidence, driven, values = (logits.new_empty(n, w) for _ in range(3))
        columns = torch.empty(n, w, dtype=torch.int64)
        run_rows(lifting.lift, n, logits, gate_logit, scale, levels, evidence, driven, values, columns)
        ctx.save_for_backward(evidence, driven, columns, levels)
        ctx.m = len(scale)
        ctx.mark_non_differentiable(driven, columns)
        ctx.set_materialize_grads(False)
        return values, driven, columns

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of scale and levels."""
        from protsae.sae.kernels.lifting import lift_back

        levels = ctx.saved_tensors[3]
        of_levels, of_scale = torch.empty_like(levels), levels.new_empty(_PARTS, ctx.m)
        parts = np.array(even_bounds(len(levels), _PARTS))
        run_rows(lift_back, _PARTS, gradients[0], *ctx.saved_tensors, of_levels, of_scale, parts)
        return of_scale.sum(dim=0), of_levels, None, None
