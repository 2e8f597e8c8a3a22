"""TopK codes and the loss terms that every architecture shares."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.codes import SparseCodes
from protsae.sae.kernels import sparse_decode

BatchMean = Callable[[Tensor, Tensor | int], Tensor]
"""From a mean over this worker's part of a batch, or a quotient, and its count or denominator, which takes no
gradient, to what averaging over the workers makes the whole batch's."""


def own_mean(mean: Tensor, count: Tensor | int) -> Tensor:
    """Return the mean as it is: one worker has the whole batch."""
    return mean


def top_k_codes(pre_acts: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the k largest pre-activations per token, ReLU applied, and their columns: [n, k] each."""
    values, columns = pre_acts.topk(k, dim=1, sorted=False)
    return functional.relu(values), columns


def scatter_codes(values: Tensor, columns: Tensor, d_sae: int) -> Tensor:
    """Return dense codes [n, d_sae] with `values` at `columns`, zero elsewhere."""
    return values.new_zeros(values.shape[0], d_sae).scatter(1, columns, values)


def reconstruction_loss(x_hat: Tensor, x: Tensor, mean: BatchMean = own_mean) -> Tensor:
    """Return mean ||x̂ - x||² / d_model over scaled activations: the unexplained share of variance."""
    return mean(functional.mse_loss(x_hat, x), len(x))


def auxk_loss(
    residual: Tensor, pre_acts: Tensor, directions: Tensor, dead: Tensor, mean: BatchMean = own_mean
) -> Tensor:
    """Return how badly dead latents alone explain what is left unexplained.

    `||e - ê||² / ||e||²` over the batch, where ê decodes the top `d_model / 2` dead latents (Gao et al. 2024,
    arXiv 2406.04093, appendix A.2). Zero without dead latents.

    Args:
        residual: e = x - x̂ [n, d_model]; no gradient flows into it.
        pre_acts: pre-activations [n, n_latents] of the latents that compete.
        directions: their decoder rows [n_latents, d_model].
        dead: bool [n_latents].
        mean: over the batch.
    """
    columns = dead.nonzero().squeeze(1)
    if len(columns) == 0:
        return residual.new_zeros(())
    error = residual.detach()
    k = min(len(columns), k_dead(error.shape[1]))
    values, chosen = top_k_codes(pre_acts[:, columns], k)
    explained = scatter_codes(values, chosen, len(columns)) @ directions[columns]
    tiny = torch.finfo(error.dtype).tiny
    unexplained = error.square().sum().clamp_min(tiny)
    return mean((error - explained).square().sum() / unexplained, unexplained)


def auxk_of_codes(
    residual: Tensor, codes: SparseCodes | None, rows: Tensor, mean: BatchMean = own_mean
) -> Tensor:
    """Return `auxk_loss` where the dead latents have been encoded already (`kernels.encode_top_k`).

    Args:
        residual: e = x - x̂ [n, d_model]; no gradient flows into it.
        codes: codes of dead latents, of `k_dead(d_model)` each residue; None: there are none.
        rows: decoder rows [n_latents, d_model] that the columns of `codes` name.
        mean: over the batch.
    """
    if codes is None:
        return residual.new_zeros(())
    error = residual.detach()
    tiny = torch.finfo(error.dtype).tiny
    unexplained = error.square().sum().clamp_min(tiny)
    explained = sparse_decode(codes, rows)
    return mean((error - explained).square().sum() / unexplained, unexplained)


def k_dead(d_model: int) -> int:
    """Return how many dead latents of each residue AuxK decodes."""
    return max(1, d_model // 2)
