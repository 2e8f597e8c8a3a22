"""How, and where, the forward pass computes: what may be asked for, and whether this machine can."""

from typing import TYPE_CHECKING, Literal

from protsae.core.errors import InputError

if TYPE_CHECKING:
    import torch

Arithmetic = Literal["fair_esm", "bfloat16"]
"""`fair_esm`: float32, fair-esm's operations in its order. `bfloat16`: linear layers multiply bfloat16
numbers; sums, norms and the residual stream stay float32, on a CPU attention scores too."""
Device = Literal["auto", "cpu", "cuda"]
"""`auto`: a GPU if torch sees one, else the CPU."""


def choose_device(asked: Device, arithmetic: Arithmetic) -> "torch.device":
    """Return where to run.

    Raises:
        InputError: no GPU where one is asked for, or hardware that cannot multiply bfloat16.
    """
    from protsae.core.devices import has_bfloat16, pick_device

    device = pick_device(asked, "extraction.device")
    if arithmetic == "bfloat16" and not has_bfloat16(device):
        raise InputError(
            f"extraction.arithmetic is bfloat16, which this machine's {device.type} has no instructions for: "
            "it would be slower than float32 and less exact; set it to fair_esm"
        )
    return device
