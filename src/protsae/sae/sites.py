"""Where in its proteins a concept of whole proteins lies: its sites, learnt from local evidence.

A residue of a language model knows what protein it belongs to, wherever it is: the direction that tells
which proteins carry a concept says little of where. The sites are a second linear map of the same input.
Shapes: n residues, m defined latents.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.guidance import Supervision, average_precision, firing_thresholds, masked_bce
from protsae.sae.pooling import segment_mean

_MOST_COST, _EVERYWHERE = 0.05, 0.7


class Sites(nn.Module):
    """One vector and one threshold per concept.

    Args:
        is_residue_level: bool [m]: concepts of residues, which have no sites.
        d_model: width of the input.
    """

    threshold: Tensor
    """[m]: residues whose logit is above it are sites; set by `follow`."""
    rate: Tensor
    """[m]: mean local evidence of the residues of training proteins that carry the concept."""
    is_used: Tensor
    """Bool [m]: concepts that fire at their sites alone; the others fire everywhere. Set by `choose`."""
    is_residue_level: Tensor

    def __init__(self, is_residue_level: Tensor, d_model: int) -> None:
        super().__init__()
        m = len(is_residue_level)
        self.weight = nn.Parameter(torch.zeros(m, d_model))
        self.bias = nn.Parameter(torch.zeros(m))
        self.register_buffer("threshold", torch.zeros(m))
        self.register_buffer("rate", torch.full((m,), 0.5))
        self.register_buffer("is_used", ~is_residue_level)
        self.register_buffer("is_residue_level", is_residue_level, persistent=False)

    @torch.no_grad()
    def set_rates(self, rates: Tensor) -> None:
        """Start at the mean evidence of residues [m], each strictly between 0 and 1."""
        self.rate.copy_(rates)
        self.bias.copy_(torch.logit(rates))
        self.threshold.copy_(self.bias)

    def logits(self, seen: Tensor) -> Tensor:
        """Return how much residues look like sites [n, m], of the predictor's input [n, d_model]."""
        return functional.linear(seen, self.weight, self.bias)

    @torch.no_grad()
    def forward(self, seen: Tensor) -> Tensor:
        """Return how far residues are sites [n, m], from 0 to 1: 1 everywhere for concepts without sites."""
        return torch.where(self.is_used, self._share(seen), 1.0)

    def loss(self, seen: Tensor, batch: Supervision) -> Tensor:
        """Return the mean cross-entropy of logits and local evidence, in proteins with the concept."""
        assert batch.evidence is not None
        here = self._carried(batch)[batch.segment]
        return masked_bce(self.logits(seen), batch.evidence, here, mean=batch.mean)

    @torch.no_grad()
    def follow(self, seen: Tensor, batch: Supervision, openness: float, momentum: float) -> None:
        """Move the thresholds to where, in proteins with the concept, `openness` times the rate is above."""
        rates = opened(self.rate, openness)
        wanted = firing_thresholds(self.logits(seen), rates, self._carried(batch), batch.segment)
        approach(self.threshold, wanted, momentum)

    @torch.no_grad()
    def sensitive(self, seen: Tensor, logits: Tensor, batch: Supervision, sensitivity: float) -> Tensor:
        """Return the logits [m] that a share of the sites in proteins with the concept exceeds; NaN: no site.

        Args:
            seen: input of the predictor [n, d_model].
            logits: of its predictions [n, m].
            batch: labels.
            sensitivity: that share.
        """
        here = self._carried(batch)[batch.segment] & (self._share(seen) > 0)
        return firing_thresholds(logits, torch.full_like(self.rate, sensitivity), here)

    @torch.no_grad()
    def choose(self, parts: Iterable[tuple[Tensor, Tensor, Supervision]]) -> None:
        """Give up the sites of concepts that lie elsewhere than in peptides, such as a length, or everywhere.

        The former are those where the mean logit of the sites ranks proteins worse than that of all residues,
        by more than .05 of average precision; the latter have evidence of more than .7 on average.

        Args:
            parts: input of the predictor, its logits [n, m], and labels.
        """
        rows: list[tuple[Tensor, ...]] = []
        for seen, logits, batch in parts:
            share, n = self._share(seen), len(batch.labels)
            means = (segment_mean(v, batch.segment, n) for v in (logits, share * logits, share))
            rows.append((*means, batch.labels, batch.labelled))
        everywhere, here, share, labels, labelled = (torch.cat(part) for part in zip(*rows, strict=True))
        here = torch.where(share > 0, here / share, here.min() - 1)  # a protein without sites comes last
        cost = average_precision(everywhere, labels, labelled) - average_precision(here, labels, labelled)
        useful = (cost <= _MOST_COST) & (self.rate <= _EVERYWHERE)
        self.is_used.copy_(useful & ~self.is_residue_level)

    def _share(self, seen: Tensor) -> Tensor:
        return torch.tanh((self.logits(seen) - self.threshold).clamp_min(0) / 2)

    def _carried(self, batch: Supervision) -> Tensor:
        """Return which proteins carry which concepts that may have sites, bool [n_proteins, m]."""
        return (batch.labels > 0) & batch.labelled & ~self.is_residue_level


def opened(rates: Tensor, openness: float) -> Tensor:
    """Return a multiple of rates, at most 95 % or the rate itself: below 1 it closes common concepts too."""
    return (openness * rates).minimum(rates.clamp_min(0.95))


def approach(thresholds: Tensor, wanted: Tensor, momentum: float) -> None:
    """Move thresholds [m] towards wanted ones, in place; those that are NaN are unknown and stay."""
    moved = torch.lerp(wanted, thresholds, momentum)
    thresholds.copy_(torch.where(wanted.isnan(), thresholds, moved))
