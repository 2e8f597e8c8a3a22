"""Annotation loss, the ontology's order among logits, and the thresholds of the gate."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.codes import SparseCodes
from protsae.sae.kernels.functions import is_compiled_for
from protsae.sae.losses import BatchMean, own_mean


class Supervision(NamedTuple):
    """The labels of one batch."""

    segment: Tensor
    """Int64 [n_residues]: row of `labels` of each residue."""
    labels: Tensor
    """Float [n_proteins, n_defined], 0 or 1."""
    labelled: Tensor
    """Bool [n_proteins, n_defined]: pairs that are False do not count."""
    residue_labels: Tensor | None
    """Float [n_residues, n_defined], 0 or 1: read in the columns of residue-level concepts."""
    protein_means: Tensor | None = None
    """Raw activations [n_proteins, d_model], over all residues of the proteins; None: not needed."""
    evidence: Tensor | None = None
    """Float [n_residues, n_defined] from 0 to 1: see `TrainingBatch.evidence`."""
    mean: BatchMean = own_mean
    """See `TrainingBatch.mean`."""

    def by_residue(self) -> "Supervision":
        """Return the same with a row of labels for every residue: its protein's."""
        segment = torch.arange(len(self.segment), device=self.segment.device)
        labels, labelled = self.labels[self.segment], self.labelled[self.segment]
        return Supervision(segment, labels, labelled, self.residue_labels, mean=self.mean)

    def of_residues(self, is_residue_level: Tensor) -> Tensor:
        """Return the labels that residues carry [n_residues, n_defined]: their protein's, and their own."""
        inherited = self.labels[self.segment]
        if self.residue_labels is None:
            return inherited
        return torch.where(is_residue_level, self.residue_labels, inherited)


class Weighting(NamedTuple):
    """How much labelled pairs count in the annotation loss."""

    rates: Tensor
    """[n_defined]: share of positives."""
    balance: float = 0.0
    """See `GuidanceConfig.class_balance`."""
    focal_gamma: float = 0.0
    """See `GuidanceConfig.focal_gamma`."""

    def of(self, logits: Tensor, labels: Tensor) -> Tensor | None:
        """Return the weights of pairs [n, n_defined]; None where all weigh 1."""
        weights = None
        if self.balance:
            positive = ((1 - self.rates) / self.rates) ** self.balance
            mean = self.rates * positive + 1 - self.rates
            weights = torch.where(labels > 0, positive / mean, 1 / mean)
        if self.focal_gamma:
            wrong = torch.sigmoid(torch.where(labels > 0, -logits, logits)) ** self.focal_gamma
            weights = wrong if weights is None else wrong * weights
        return weights


def masked_bce(
    logits: Tensor,
    labels: Tensor,
    labelled: Tensor,
    weighting: Weighting | None = None,
    mean: BatchMean = own_mean,
) -> Tensor:
    """Return the mean binary cross-entropy over the labelled pairs; zero if there are none."""
    known = labelled.to(logits.dtype)
    weights = None if weighting is None else weighting.of(logits, labels)
    # The weights of a focal loss have a gradient, which torch's `weight` would not pass on.
    losses = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    total = (losses * known if weights is None else losses * known * weights).sum()
    return mean(total / known.sum().clamp_min(1), known.sum())


def guided_loss(
    pooled: Tensor,
    carried: Tensor | None,
    batch: Supervision,
    is_residue_level: Tensor,
    weighting: Weighting | None = None,
) -> Tensor:
    """Return the annotation loss of protein-level and residue-level concepts together.

    Each level is a mean over its labelled pairs. The levels are weighted by their numbers of concepts: every
    concept counts the same.

    Args:
        pooled: logits of the proteins [n_proteins, n_defined].
        carried: logits of the residues [n_residues, n_residue_level], of residue-level concepts alone; not
            read where the batch has no labels of residues.
        batch: labels of the proteins and, where there are residue-level concepts, of the residues.
        is_residue_level: bool [n_defined].
        weighting: of the pairs; None: all weigh the same.
    """
    known = batch.labelled & ~is_residue_level
    of_proteins = masked_bce(pooled, batch.labels, known, weighting, batch.mean)
    if batch.residue_labels is None or carried is None:
        return of_proteins
    if weighting is not None:
        weighting = weighting._replace(rates=weighting.rates[is_residue_level])
    labelled = batch.labelled[:, is_residue_level][batch.segment]
    of_levels = batch.residue_labels[:, is_residue_level]
    of_residues = masked_bce(carried, of_levels, labelled, weighting, batch.mean)
    share = is_residue_level.to(pooled.dtype).mean()
    return torch.lerp(of_proteins, of_residues.to(of_proteins.dtype), share)


def hierarchy_loss(pooled: Tensor, pairs: Tensor) -> Tensor:
    """Return mean [ l_c - l_d ]+ over proteins and pairs C ⊑ D: no concept above one that subsumes it.

    Args:
        pooled: logits of the proteins [n_proteins, n_defined].
        pairs: int64 [n, 2]: C, D; without any the loss is zero.
    """
    if not len(pairs):
        return pooled.new_zeros(())
    below, above = pairs.unbind(dim=1)
    return functional.relu(pooled[:, below] - pooled[:, above]).mean()


def decorrelation_loss(defined: Tensor, free: SparseCodes, n_free: int) -> Tensor:
    """Return the mean squared correlation of defined with free codes over the batch.

    The term by which AlignSAE (arXiv 2512.02004) keeps concepts out of its other latents. Only free codes
    get a gradient. A latent that is constant in the batch correlates with nothing.

    Args:
        defined: codes [n, n_defined].
        free: the free codes.
        n_free: number of free latents.
    """
    n, tiny = len(defined), torch.finfo(defined.dtype).tiny
    centred = defined.detach() - defined.detach().mean(dim=0)
    columns, values = free.columns.reshape(-1), free.values.reshape(-1)
    rows = torch.arange(n, device=columns.device).repeat_interleave(free.columns.shape[1])
    products = centred.new_zeros(n_free, defined.shape[1])
    products = products.index_add(0, columns, values.unsqueeze(1) * centred[rows])
    total = values.new_zeros(n_free).index_add(0, columns, values)
    squares = values.new_zeros(n_free).index_add(0, columns, values.square())
    spread = (squares - total.square() / n).clamp_min(0).unsqueeze(1) * centred.square().sum(dim=0)
    return (products.square() / spread.clamp_min(tiny)).where(spread > tiny, 0.0).mean()


def firing_thresholds(
    logits: Tensor, rates: Tensor, labelled: Tensor, segment: Tensor | None = None
) -> Tensor:
    """Return, per concept, the logit that a share `rate` of the labelled residues exceeds.

    Args:
        logits: [n_residues, n_defined].
        rates: wanted firing rates [n_defined].
        labelled: bool [n_residues or n_proteins, n_defined].
        segment: int64 [n_residues]: row of `labelled` of each residue; None: each has its own.

    Returns:
        [n_defined]; NaN where no residue is labelled. Between two residues the threshold is midway.
    """
    if segment is None:
        segment = torch.arange(len(logits), device=logits.device)
    residues = torch.bincount(segment, minlength=len(labelled))
    n_labelled = (labelled * residues.unsqueeze(1)).sum(dim=0)
    n_fire = (rates * n_labelled).round().long()
    if is_compiled_for(logits):
        from protsae.sae.kernels import cpu

        return cpu.between(logits, labelled, segment, n_fire)
    ranked = logits.masked_fill(~labelled[segment], -torch.inf).sort(dim=0, descending=True).values
    return torch.where(n_labelled > 0, _between(ranked, n_fire, n_labelled), torch.nan)


def best_f1_thresholds(logits: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
    """Return, per concept, the logit above which calling residues positive has the highest F1.

    Args:
        logits: [n_residues, n_defined].
        labels: float [n_residues, n_defined], 0 or 1.
        labelled: bool [n_residues, n_defined].

    Returns:
        [n_defined]; NaN where no labelled residue is positive. Of equal scores the fewest calls win; where
        all labelled residues are called, the threshold is one below the lowest of them.
    """
    ranked, order = logits.masked_fill(~labelled, -torch.inf).sort(dim=0, descending=True)
    hits = (labels * labelled).gather(0, order).cumsum(dim=0)
    called = torch.arange(1, len(logits) + 1, device=logits.device, dtype=hits.dtype).unsqueeze(1)
    n_positive, n_labelled = hits[-1], labelled.sum(dim=0)
    f1 = (2 * hits / (called + n_positive)).masked_fill(called > n_labelled, -1.0)
    n_called = f1.argmax(dim=0) + 1
    lowest = ranked.gather(0, (n_called - 1).unsqueeze(0)).squeeze(0)
    threshold = torch.where(n_called < n_labelled, _between(ranked, n_called, n_labelled), lowest - 1)
    return torch.where(n_positive > 0, threshold, torch.nan)


def average_precision(scores: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
    """Return the average precision of each column [m]: the mean precision at its positives.

    Ties are in any order.

    Args:
        scores: [n, m].
        labels: [n, m], 0 or 1.
        labelled: bool [n, m]; others do not count. A column without positives has 0.
    """
    order = scores.masked_fill(~labelled, -torch.inf).sort(dim=0, descending=True).indices
    hits = (labels * labelled).gather(0, order)
    precision = hits.cumsum(dim=0) / torch.arange(1, len(scores) + 1, device=scores.device).unsqueeze(1)
    return (precision * hits).sum(dim=0) / hits.sum(dim=0).clamp_min(1)


def _between(ranked: Tensor, n_fire: Tensor, n_labelled: Tensor) -> Tensor:
    """Return the value midway between the last of n_fire [m] values, ranked downwards, and the next one."""
    last_in = ranked.gather(0, (n_fire - 1).clamp_min(0).unsqueeze(0)).squeeze(0)
    first_out = ranked.gather(0, n_fire.minimum(n_labelled - 1).clamp_min(0).unsqueeze(0)).squeeze(0)
    return torch.where(n_fire < 1, first_out, (last_in + first_out) / 2)
