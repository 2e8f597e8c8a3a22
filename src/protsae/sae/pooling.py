"""Multiple-instance pooling: from the logits of residues to those of their protein.

Every pooling is a mean of some kind: a sample of a protein's residues has the same scale as all of them.
Shapes: n residues, p proteins, m concepts.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from protsae.core.pooling import Pooling as ProteinPooling
from protsae.core.pooling import n_top
from protsae.sae.guidance_config import Pooling


def segment_mean(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return the mean over the rows of each segment.

    Args:
        values: [n, columns].
        segment: int64 [n], in 0..n_segments-1; a segment without rows gets zeros.
        n_segments: rows of the result.
    """
    totals = values.new_zeros(n_segments, values.shape[1]).index_add(0, segment, values)
    counts = torch.bincount(segment, minlength=n_segments).clamp_min(1)
    return totals / counts.unsqueeze(1)


def segment_max(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return the largest value [n_segments, columns] of each segment, without gradient; -inf without rows."""
    lowest = values.new_full((n_segments, values.shape[1]), -torch.inf)
    rows = segment.unsqueeze(1).expand_as(values)
    return lowest.scatter_reduce(0, rows, values.detach(), "amax")


def segment_top(values: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return the mean of the highest tenth of the values [n_segments, columns] of each segment, see
    `core.pooling.n_top`; each segment has a row."""
    lengths = torch.bincount(segment, minlength=n_segments).tolist()
    rows = torch.split(values[segment.argsort(stable=True)], lengths)
    return torch.stack([of.topk(n_top(len(of)), dim=0, sorted=False).values.mean(dim=0) for of in rows])


SEGMENT_POOLINGS: dict[ProteinPooling, Callable[[Tensor, Tensor, int], Tensor]] = {
    "mean": segment_mean,
    "top": segment_top,
    "max": segment_max,
}


def pool_logits(
    logits: Tensor, segment: Tensor, n_segments: int, pooling: Pooling, weights: Tensor | None = None
) -> Tensor:
    """Return the logits of proteins [p, m] from those of their residues.

    Args:
        logits: [n, m].
        segment: int64 [n], the protein of each residue.
        n_segments: number of proteins p.
        pooling: see `GuidanceConfig.annotation_pooling`; `residue` pools as `mean`.
        weights: for `attention` the logarithms [n, m] of unnormalised weights; for `log_sum_exp` the inverse
            temperatures [m] > 0; for the others not read.

    Raises:
        ValueError: `attention` or `log_sum_exp` without `weights`.
    """
    if pooling in ("mean", "residue"):
        return segment_mean(logits, segment, n_segments)
    if pooling == "noisy_or":
        return noisy_or(logits, segment, n_segments)
    if weights is None:
        raise ValueError(f"pooling by {pooling} needs weights")
    if pooling == "attention":
        return attention_mean(logits, weights, segment, n_segments)
    return log_mean_exp(logits, weights, segment, n_segments)


def attention_mean(logits: Tensor, scores: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return means of logits [n, m] over each protein, weighed by the softmax of scores [n, m] over it."""
    highest = segment_max(scores, segment, n_segments)
    weight = (scores - highest[segment]).exp()
    total = segment_mean(weight, segment, n_segments)
    return segment_mean(weight * logits, segment, n_segments) / total.clamp_min(_tiny(logits))


def log_mean_exp(logits: Tensor, sharpness: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return log(mean exp(s l)) / s over each protein: the mean for small s [m], the maximum for large s."""
    sharp = logits * sharpness
    highest = segment_max(sharp, segment, n_segments)
    mean = segment_mean((sharp - highest[segment]).exp(), segment, n_segments)
    found = (mean.clamp_min(_tiny(logits)).log() + highest) / sharpness
    return torch.where(highest.isfinite(), found, 0.0)


def noisy_or(logits: Tensor, segment: Tensor, n_segments: int) -> Tensor:
    """Return the logit of `1 - exp(mean log(1 - σ(l)))` over each protein.

    With a sum in place of the mean this is the probability that any residue carries the concept if each does
    so on its own; the mean takes the number of residues out of it.
    """
    absent = segment_mean(functional.softplus(logits), segment, n_segments).clamp_min(_tiny(logits))
    return absent + (-torch.expm1(-absent)).log()


def _tiny(values: Tensor) -> float:
    return torch.finfo(values.dtype).tiny
