"""The loss terms that architectures share."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.codes import SparseCodes
from protsae.sae.kernels import sparse_decode

BatchMean = Callable[[Tensor, Tensor | int], Tensor]
"""Maps a mean over this worker's part of a batch, or a quotient, and its count or denominator (without
gradient) to a number whose average over the workers is that of the whole batch."""


def own_mean(mean: Tensor, count: Tensor | int) -> Tensor:
    """Return the mean as it is: one worker has the whole batch."""
    return mean


def reconstruction_loss(x_hat: Tensor, x: Tensor, mean: BatchMean = own_mean) -> Tensor:
    """Return mean ||x̂ - x||² / d_model over scaled activations: the unexplained share of variance."""
    return mean(functional.mse_loss(x_hat, x), len(x))


def auxk_loss(
    residual: Tensor, pre_acts: Tensor, directions: Tensor, dead: Tensor, mean: BatchMean = own_mean
) -> Tensor:
    """Return the share of the residual that dead latents do not explain.

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
    k = min(len(columns), k_dead(residual.shape[1]))
    values, chosen = pre_acts[:, columns].topk(k, dim=1, sorted=False)
    codes = SparseCodes(functional.relu(values), chosen)
    return _unexplained(residual.detach(), codes.dense(len(columns)) @ directions[columns], mean)


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
    return _unexplained(residual.detach(), sparse_decode(codes, rows), mean)


def _unexplained(error: Tensor, explained: Tensor, mean: BatchMean) -> Tensor:
    total = error.square().sum().clamp_min(torch.finfo(error.dtype).tiny)
    return mean((error - explained).square().sum() / total, total)


def k_dead(d_model: int) -> int:
    """Return how many dead latents of each residue AuxK decodes."""
    return max(1, d_model // 2)
