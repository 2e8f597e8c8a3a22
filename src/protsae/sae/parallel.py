"""Means over a batch that several workers share: what makes them equal to one worker's.

Outside of `shared_batches`, which training on several workers opens, nothing here does anything.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

_shared = False


@contextmanager
def shared_batches() -> Iterator[None]:
    """Within the block, every worker of the default process group holds a part of each batch."""
    global _shared  # noqa: PLW0603 - a state of the process, like the process group itself
    before, _shared = _shared, True
    try:
        yield
    finally:
        _shared = before


def shared_mean(mean: Tensor, count: Tensor | int) -> Tensor:
    """Return a mean over this worker's part of a batch, such that the workers' average is the whole batch's.

    Args:
        mean: over `count` items, or a quotient whose denominator is `count`.
        count: of this worker; it takes no gradient.
    """
    if not _shared:
        return mean
    import torch.distributed as dist

    own = torch.as_tensor(count, device=mean.device).detach().double()
    total = own.clone()
    dist.all_reduce(total)
    share = own * dist.get_world_size() / total.clamp_min(torch.finfo(torch.float64).tiny)
    return mean * share.to(mean.dtype)
