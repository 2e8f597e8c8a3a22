"""Devices and arithmetic of torch."""

from contextlib import AbstractContextManager, nullcontext

import torch

from protsae.core.errors import InputError
from protsae.core.experimental import warn_experimental


def pick_device(name: str, key: str) -> torch.device:
    """Return the device that `auto`, `cpu` or `cuda` stands for here; warn of a GPU (`core.experimental`).

    Args:
        name: the setting.
        key: its dotted name, for the message.

    Raises:
        InputError: cuda where there is none.
    """
    has_gpu = torch.cuda.is_available()
    if name == "cuda" and not has_gpu:
        raise InputError(
            f"{key} is cuda, but torch finds no GPU: set it to auto or cpu, or install a torch with CUDA and "
            "the GPU's driver"
        )
    if name == "cpu" or not has_gpu:
        return torch.device("cpu")
    warn_experimental(f"Computing on a GPU ({key})")
    return torch.device("cuda")


def autocast(dtype: str, device: torch.device, key: str) -> AbstractContextManager[object]:
    """Return a context in which matrix products are of `dtype`; of float32 it changes nothing.

    Args:
        dtype: float32 or bfloat16.
        device: where.
        key: dotted name of the setting, for the message.

    Raises:
        InputError: bfloat16 on hardware that has no instructions for it.
    """
    if dtype == "float32":
        return nullcontext()
    if not has_bfloat16(device):
        raise InputError(
            f"{key} is {dtype}, but this {'GPU' if device.type == 'cuda' else 'processor'} has no "
            "instructions for it, and would only emulate it: set it to float32"
        )
    return torch.autocast(device.type, dtype=getattr(torch, dtype))


def has_bfloat16(device: torch.device) -> bool:
    """Say whether the hardware has instructions that multiply bfloat16 numbers."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if torch.backends.cpu.get_cpu_capability().startswith("AVX"):
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
