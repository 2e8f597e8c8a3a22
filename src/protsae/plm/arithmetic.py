"""How, and where, the forward pass computes: what may be asked for, and whether this machine can."""

from typing import TYPE_CHECKING, Literal

from protsae.core.errors import InputError

if TYPE_CHECKING:
    import torch

Arithmetic = Literal["fair_esm", "fast", "bfloat16"]
"""`fair_esm`: float32, fair-esm's operations in its order. `fast`: float32, the same formulas by faster
operations. `bfloat16`: as `fast`, linear layers multiplying bfloat16 numbers; sums, norms and the residual
stream stay float32, on a CPU attention scores too."""
Device = Literal["auto", "cpu", "cuda"]
"""`auto`: a GPU if torch sees one, else the CPU."""


def choose_device(asked: Device, arithmetic: Arithmetic) -> "torch.device":
    """Return where to run.

    Raises:
        InputError: no GPU where one is asked for, or hardware that cannot multiply bfloat16.
    """
    import torch

    has_gpu = torch.cuda.is_available()
    if asked == "cuda" and not has_gpu:
        raise InputError(
            "extraction.device is cuda, and torch sees no GPU: set it to cpu or auto, or install a torch "
            "with CUDA and the GPU's driver"
        )
    device = torch.device("cuda" if has_gpu and asked != "cpu" else "cpu")
    if arithmetic == "bfloat16" and not _multiplies_bfloat16(device):
        raise InputError(
            f"extraction.arithmetic is bfloat16, which this machine's {device.type} has no instructions for: "
            "it would be slower than float32 and less exact; set it to fast or fair_esm"
        )
    return device


def _multiplies_bfloat16(device: "torch.device") -> bool:
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
