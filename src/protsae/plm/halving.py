"""Batches that run out of memory are run in halves."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from protsae.core.errors import InputError

_LOGGER = logging.getLogger(__name__)
_Result = TypeVar("_Result")
_CPU_MESSAGES = ("can't allocate memory", "not enough memory")  # what torch says of the CPU's memory


def run_or_halve(
    run: Callable[[Sequence[str]], _Result], sequences: Sequence[str]
) -> Iterator[tuple[range, _Result, int]]:
    """Run a batch, or where memory is short its halves, and their halves.

    Args:
        run: runs sequences.
        sequences: the batch.

    Yields:
        Positions in `sequences`, their result, and how many batches were halved since the last one.

    Raises:
        InputError: a sequence alone is too much.
    """
    waiting, halvings = [range(len(sequences))], 0
    while waiting:
        part = waiting.pop()
        result = _try(run, [sequences[i] for i in part])
        if result is None:
            if len(part) == 1:
                raise InputError(
                    f"a sequence of {len(sequences[part[0]])} residues alone needs more memory than there "
                    "is: set extraction.long_sequences to window, or lower extraction.max_residues"
                )
            halvings += 1
            _LOGGER.warning("out of memory on a batch of %d sequences: running its halves", len(part))
            middle = len(part) // 2
            waiting += [part[middle:], part[:middle]]
            continue
        yield part, result[0], halvings
        halvings = 0


def _try(run: Callable[[Sequence[str]], _Result], sequences: Sequence[str]) -> tuple[_Result] | None:
    """Return what `run` gives, or None where memory is short; the failed attempt holds none of it after."""
    try:
        return (run(sequences),)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return None


def _is_out_of_memory(error: Exception) -> bool:
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return any(message in str(error) for message in _CPU_MESSAGES)
