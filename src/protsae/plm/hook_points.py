"""Names of the points of a model where activations are read: `layers.{i}.{kind}` and `final_norm`.

Against fair-esm: `repr_layers=i` is `layers.{i-1}.resid_post` below the last layer, `repr_layers=n_layers` is
`final_norm`; `attn_out` is the output of `self_attn`, `resid_mid` the input of `final_layer_norm`, `mlp_out`
the output of `fc2`.
"""

import re
from dataclasses import dataclass

from protsae.core.errors import InputError

LAYER_KINDS = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
FINAL_NORM = "final_norm"
_LAYER_POINT = re.compile(rf"layers\.(0|[1-9][0-9]{{0,4}})\.({'|'.join(LAYER_KINDS)})")


@dataclass(frozen=True)
class HookPoint:
    """One point of the forward pass. `str()` gives its name."""

    kind: str
    """One of `LAYER_KINDS`, or `final_norm`."""
    layer: int | None = None
    """0-based layer; None for `final_norm`."""

    def __str__(self) -> str:
        return self.kind if self.layer is None else f"layers.{self.layer}.{self.kind}"


def parse_hook_point(name: str, n_layers: int | None = None) -> HookPoint:
    """Read the name of a hook point.

    Args:
        name: such as `layers.2.resid_post` or `final_norm`.
        n_layers: layers of the model; the range is not checked where None.

    Raises:
        InputError: not such a name, or a layer that the model does not have.
    """
    if name == FINAL_NORM:
        return HookPoint(FINAL_NORM)
    match = _LAYER_POINT.fullmatch(name)
    if match is None:
        raise InputError(
            f"hook point '{name}' is unknown: write layers.<i>.<kind> with kind one of "
            f"{', '.join(LAYER_KINDS)}, or {FINAL_NORM}"
        )
    layer = int(match[1])
    if n_layers is not None and layer >= n_layers:
        raise InputError(
            f"hook point '{name}' is out of range: the model has {n_layers} layers, "
            f"layers.0 to layers.{n_layers - 1}"
        )
    return HookPoint(match[2], layer)
