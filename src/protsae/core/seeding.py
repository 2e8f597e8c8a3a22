"""Random generators from a seed and a purpose. Nothing in the library touches global random state."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from protsae.core.files import sha256_text

if TYPE_CHECKING:
    import torch


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed for one purpose, so that two uses of one seed never share a stream."""
    return int(sha256_text(str(seed), *map(str, purpose))[:16], 16) >> 1


def lowest_hashes(names: Iterable[str], n: int, purpose: str) -> set[str]:
    """Return `n` names at random, the same ones every time: those whose ids have the lowest hashes.

    A larger sample of the same names holds the smaller one.
    """
    return set(sorted(names, key=lambda name: (sha256_text(purpose, name), name))[:n])


def numpy_generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return a NumPy generator for one purpose."""
    return np.random.default_rng(derive_seed(seed, *purpose))


def torch_generator(seed: int, *purpose: str | int) -> "torch.Generator":
    """Return a CPU torch generator for one purpose."""
    import torch

    return torch.Generator().manual_seed(derive_seed(seed, *purpose))
