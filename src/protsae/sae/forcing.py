"""Forced activation, and which latents compete for the k active ones.

Shapes: n residues, m defined latents, k free codes per residue.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from protsae.sae.codes import SparseCodes
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sae.kernels import compress
from protsae.sae.kernels.functions import Lift, is_compiled_for


class ForcedCodes(NamedTuple):
    """Codes after forced activation and TopK."""

    defined: Tensor
    """[n, m]."""
    drive: Tensor
    """[n, m]: what the chosen defined latents were before they were lifted."""
    free: Tensor
    """[n, k]: free codes, zero where another latent took their place."""


def choose(
    drive: Tensor, evidence: Tensor, free: Tensor, *, n_free: int, k: int, guidance: GuidanceConfig
) -> ForcedCodes:
    """Lift the defined latents whose gate is open, and keep the latents that TopK selects.

    Args:
        drive: defined latents before forced activation [n, m].
        evidence: logit less threshold [n, m]; the gate is open where it is positive.
        free: the k largest free codes of each residue [n, k], not negative.
        n_free: number of free latents.
        k: latents that may be active.
        guidance: `topk_scope` and the switches of forced activation.
    """
    if guidance.topk_scope == "before":
        drive, free = _largest(drive, free, k)
    defined = drive
    if guidance.forced_activation:
        gate = evidence.detach() > 0
        level = lift_level(free, gate.sum(dim=1, keepdim=True), n_free, guidance)
        defined = torch.where(_lifted(gate, evidence, guidance.forced_limit), drive.maximum(level), drive)
    if guidance.topk_scope == "after":
        kept, free = _largest(defined, free, k)
        return ForcedCodes(kept, drive.where(kept > 0, 0.0), free)
    return ForcedCodes(defined, drive, free)


def is_plain(guidance: GuidanceConfig) -> bool:
    """Return whether `choose_open` covers the settings."""
    tied, alone = guidance.defined_bias == "tied", guidance.topk_scope == "free"
    return tied and alone and not guidance.forced_limit


def choose_open(
    scale: Tensor, logits: Tensor, gate_logit: Tensor, free: Tensor, *, n_free: int, guidance: GuidanceConfig
) -> tuple[SparseCodes, Tensor]:
    """Do as `choose` with `drive = ReLU(scale x evidence)`, computed at open gates alone, which are few.

    Args:
        scale: [m] > 0.
        logits: [n, m].
        gate_logit: [m]: thresholds, less which logits are the evidence.
        free: see `choose`.
        n_free: see `choose`.
        guidance: of settings that are plain.

    Returns:
        Codes of the defined latents, and what they were before they were lifted, [n, most open gates of a
        residue] each.
    """
    if not logits.requires_grad and is_compiled_for(logits, scale, free):
        return _choose_compiled(scale, logits, gate_logit, free, n_free, guidance)
    evidence = logits - gate_logit
    columns = compress(evidence).columns
    found = evidence.gather(1, columns)
    is_open = found.detach() > 0
    driven = (scale.index_select(0, columns.flatten()).view_as(found) * found).where(is_open, 0.0)
    lifted = driven
    if guidance.forced_activation:
        level = lift_level(free, is_open.sum(dim=1, keepdim=True), n_free, guidance)
        lifted = driven.maximum(level).where(is_open, 0.0)
    return SparseCodes(lifted, columns), driven.detach()


def _choose_compiled(
    scale: Tensor, logits: Tensor, gate_logit: Tensor, free: Tensor, n_free: int, guidance: GuidanceConfig
) -> tuple[SparseCodes, Tensor]:
    levels = free.new_zeros(len(free))
    if guidance.forced_activation:
        n_open = free.new_ones(len(free), 1)
        if guidance.forced_share == "root":
            n_open = (logits > gate_logit).sum(dim=1, keepdim=True)
        levels = lift_level(free, n_open, n_free, guidance).squeeze(1)
    values, driven, columns = Lift.apply(scale, levels, logits, gate_logit)  # type: ignore[no-untyped-call]
    return SparseCodes(values, columns), driven


def lift_level(free: Tensor, n_open: Tensor, n_free: int, guidance: GuidanceConfig) -> Tensor:
    """Return the level [n, 1] that open latents are lifted to: the residue's mean free code, scaled.

    Args:
        free: free codes [n, k], not negative.
        n_open: open gates of each residue [n, 1].
        n_free: number of free latents.
        guidance: `forced_mean`, `forced_scale`, `forced_share`.
    """
    total = free.sum(dim=1, keepdim=True)
    if guidance.forced_mean == "all":
        mean = total / n_free
    else:
        mean = total / (free > 0).sum(dim=1, keepdim=True).clamp_min(1)
    level = guidance.forced_scale * mean
    if guidance.forced_share == "root":
        level = level / n_open.clamp_min(1).to(level.dtype).sqrt()
    return level


def _lifted(gate: Tensor, evidence: Tensor, limit: int) -> Tensor:
    """Return the open gates, at most `limit` of each residue (0: all): those of most evidence."""
    if not 0 < limit < gate.shape[1]:
        return gate
    strongest = evidence.detach().topk(limit, dim=1).indices
    return gate & torch.zeros_like(gate).scatter(1, strongest, True)


def _largest(defined: Tensor, free: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Keep the k largest of a residue's defined and free codes; the others become zero."""
    codes = torch.cat([defined, free], dim=1)
    kept = torch.zeros_like(codes, dtype=torch.bool).scatter(1, codes.detach().topk(k, dim=1).indices, True)
    chosen = codes.where(kept, 0.0)
    return chosen[:, : defined.shape[1]], chosen[:, defined.shape[1] :]
