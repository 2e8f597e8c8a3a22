"""Annotation loss, pooling of residue evidence, and the thresholds of the gate."""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class Supervision(NamedTuple):
    """What is known of one batch."""

    segment: Tensor
    """Int64 [n_residues]: row of `labels` of each residue."""
    labels: Tensor
    """Float [n_proteins, n_defined], 0 or 1."""
    labelled: Tensor
    """Bool [n_proteins, n_defined]; other pairs do not count."""
    residue_labels: Tensor | None
    """Float [n_residues, n_defined], 0 or 1: read in the columns of residue-level concepts."""


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


def masked_bce(logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
    """Return the mean binary cross-entropy over the labelled pairs; zero if there are none."""
    weight = labelled.to(logits.dtype)
    losses = functional.binary_cross_entropy_with_logits(logits, labels, weight=weight, reduction="sum")
    return losses / weight.sum().clamp_min(1)


def annotation_loss(
    logits: Tensor, segment: Tensor, labels: Tensor, labelled: Tensor, pooling: Literal["mean", "residue"]
) -> Tensor:
    """Return how badly residue logits agree with the labels of their proteins.

    Args:
        logits: [n_residues, n_defined].
        segment: int64 [n_residues], row of `labels` of each residue.
        labels: [n_proteins, n_defined], 0 or 1.
        labelled: bool [n_proteins, n_defined]; other pairs do not count.
        pooling: `mean` compares each protein's mean logit, `residue` every residue's.
    """
    if pooling == "mean":
        return masked_bce(segment_mean(logits, segment, len(labels)), labels, labelled)
    return masked_bce(logits, labels[segment], labelled[segment])


def guided_loss(
    logits: Tensor,
    batch: Supervision,
    is_residue_level: Tensor,
    pooling: Literal["mean", "residue"],
) -> Tensor:
    """Return the annotation loss of protein-level and residue-level concepts together.

    Each level is a mean over its labelled pairs; the two are weighted by their numbers of concepts, so that
    every concept counts the same.

    Args:
        logits: [n_residues, n_defined].
        batch: labels of the proteins and, where there are residue-level concepts, of the residues.
        is_residue_level: bool [n_defined].
        pooling: how residues meet the labels of their protein, see `annotation_loss`.
    """
    of_proteins = annotation_loss(
        logits, batch.segment, batch.labels, batch.labelled & ~is_residue_level, pooling
    )
    if batch.residue_labels is None:
        return of_proteins
    known = (batch.labelled & is_residue_level)[batch.segment]
    of_residues = masked_bce(logits, batch.residue_labels, known)
    share = is_residue_level.to(logits.dtype).mean()
    return torch.lerp(of_proteins, of_residues, share)


def firing_thresholds(logits: Tensor, rates: Tensor, labelled: Tensor) -> Tensor:
    """Return, per concept, the logit that a share `rate` of the labelled residues exceeds.

    Args:
        logits: [n_residues, n_defined].
        rates: wanted firing rates [n_defined].
        labelled: bool [n_residues, n_defined].

    Returns:
        [n_defined]; NaN where no residue is labelled. Between two residues the threshold is midway.
    """
    ranked = logits.masked_fill(~labelled, -torch.inf).sort(dim=0, descending=True).values
    n_labelled = labelled.sum(dim=0)
    n_fire = (rates * n_labelled).round().long()
    last_in = ranked.gather(0, (n_fire - 1).clamp_min(0).unsqueeze(0)).squeeze(0)
    first_out = ranked.gather(0, n_fire.minimum(n_labelled - 1).clamp_min(0).unsqueeze(0)).squeeze(0)
    threshold = torch.where(n_fire < 1, first_out, (last_in + first_out) / 2)
    return torch.where(n_labelled > 0, threshold, torch.nan)
