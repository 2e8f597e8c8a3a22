"""TopK by dense products, for codes too many to be called sparse: they are held once, their gradient never.

On CPUs; elsewhere there is nothing to win.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels.functions import is_compiled_for

_DENSE = 17
"""Latents per code below which dense products are faster (docs/decisions/0011-kernels.md)."""
_BLOCK_BYTES = 16 * 2**20


def is_dense(weight: Tensor, k: int) -> bool:
    """Say whether `DenseTopK` is the faster way for the k largest of `x weight` [n, d_sae]."""
    many = _DENSE * k > weight.shape[1]
    return many and is_compiled_for(weight) and not torch.is_autocast_enabled("cpu")


class DenseTopK(torch.autograd.Function):
    """Reconstruction from the k largest of `x weight + bias` per row, ReLU applied."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, rows: Tensor, k: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the codes times `rows` [n, d_model], which latents are active anywhere, and how many are of
        each row.

        Args:
            ctx: of autograd.
            x: [n, d_model].
            weight: [d_model, d_sae].
            bias: [d_sae].
            rows: decoder [d_sae, d_model].
            k: codes per row.
        """
        from protsae.sae.kernels import selection

        acts = x @ weight
        table, added = acts.numpy(), bias.detach().contiguous().numpy()
        integers = np.empty(0, np.int32 if acts.dtype == torch.float32 else np.int64)
        counts, fired = torch.empty(len(x), dtype=torch.int64), torch.zeros(len(bias), dtype=torch.bool)
        outputs = counts.numpy(), fired.numpy()

        def work(first: int, last: int) -> None:
            selection.keep_top_k_of_rows(table, added, integers, k, *outputs, first, last)

        run_parts(work, even_bounds(len(table), torch.get_num_threads()))
        ctx.save_for_backward(x, weight, rows, acts)
        ctx.mark_non_differentiable(fired, counts)
        return acts @ rows, fired, counts

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of x, weight, bias and rows."""
        x, weight, rows, acts = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        of_x = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        of_weight = torch.zeros_like(weight.T, memory_format=torch.contiguous_format)
        of_bias = weight.new_zeros(weight.shape[1])
        n_rows = max(1, _BLOCK_BYTES // (acts.element_size() * acts.shape[1]))
        for block in (slice(first, first + n_rows) for first in range(0, len(x), n_rows)):
            of_acts = gradient[block] @ rows.T
            of_acts.masked_fill_(acts[block] <= 0, 0)
            of_weight.addmm_(of_acts.T, x[block])
            of_bias += of_acts.sum(dim=0)
            if of_x is not None:
                torch.mm(of_acts, weight.T, out=of_x[block])
        return of_x, of_weight.T, of_bias, acts.T @ gradient, None
