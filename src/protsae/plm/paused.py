"""A forward pass that is paused at a hook point and can be continued from there any number of times."""

from dataclasses import dataclass

from torch import Tensor

from protsae.plm.hook_points import HookPoint
from protsae.plm.tokens import PackedTokens


@dataclass(frozen=True)
class State:
    """Packed sequences between two layers."""

    x: Tensor
    """Residual stream [n_tokens, d_model]."""
    layer: int
    """The layer that it enters next."""
    packed: PackedTokens
    rotary: tuple[Tensor, Tensor]
    """Cosines and sines, as the attention in use takes them."""


@dataclass(frozen=True)
class PausedPass:
    """A batch that was run to a hook point."""

    values: Tensor
    """What arrives there: residues only, float32 [sum of lengths, d_model], on the model's device."""
    point: HookPoint
    """The hook point, or another one of the same values with fewer layers left to run."""
    state: State
    """Where the pass continues: before the layer of `point`."""


def restart_point(point: HookPoint, n_layers: int) -> HookPoint:
    """Return the point of the same values with the fewest layers left to run."""
    if point.kind == "resid_post" and point.layer is not None and point.layer + 1 < n_layers:
        return HookPoint("resid_pre", point.layer + 1)
    return point
