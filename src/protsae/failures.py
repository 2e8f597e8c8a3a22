"""The one place that says in a line what a user can do about an error: ours, Kedro's, or the system's.

What it does not know is a bug, and keeps its traceback.
"""

import errno
import re
from collections.abc import Iterator

from kedro.config import MissingConfigException
from kedro.io import DatasetError
from pydantic import ValidationError
from yaml import YAMLError

from protsae.core.errors import InputError, shortened

_CONTINUES = "the same command continues then"
_ADVICE = {
    errno.ENOSPC: f"the disk is full. Make room, or move data_root; {_CONTINUES}",
    errno.EDQUOT: f"the disk quota is used up. Make room, or move data_root; {_CONTINUES}",
    errno.EROFS: "the file system is read-only. Move data_root to one that can be written",
    errno.EACCES: "no permission. Change its owner or mode, or move data_root",
    errno.EPERM: "no permission. Change its owner or mode, or move data_root",
    errno.EMFILE: "too many files are open. Raise the limit with `ulimit -n`",
    errno.ENFILE: "too many files are open on this machine",
}
_PLACE = re.compile(r"filepath=(?:\w+\()?'?([^,')]+)")
"""The file in Kedro's message of a dataset that failed."""
_NO_SPACE = ("No space left on device", "Disk quota exceeded")
_NO_MEMORY = (
    "not enough memory",
    "allocate memory",
    "out of memory",
    "Unable to allocate",
    "size calculation overflowed",
)


def explain(error: BaseException | None) -> str | None:
    """Return what a user can act on, in one line; an `InputError`'s own message, which may have several.

    Args:
        error: with the causes from which it was raised.

    Returns:
        None for an error of another kind.
    """
    causes = list(_causes(error))
    deepest_first = causes[::-1]
    for read, order in (
        (_of_input, causes),
        (_of_system, deepest_first),
        (_of_resources, deepest_first),
        (_of_configuration, causes),
    ):
        for cause in order:
            if message := read(cause):
                is_named = not isinstance(cause, OSError) or cause.filename is not None
                place = None if is_named else _PLACE.search(str(error))
                return shortened(f"{place[1]}: {message}" if place else message)
    return None


def one_line(text: str) -> str:
    """Return the lines of a message as one, without hints that are the same for every error."""
    lines = (line.strip() for line in text.splitlines())
    return " ".join(line for line in lines if line and not line.startswith(("Hint:", "For further", "http")))


def _of_input(error: BaseException) -> str | None:
    return str(error) if isinstance(error, InputError) else None


def _of_system(error: BaseException) -> str | None:
    if not isinstance(error, OSError):
        return None
    what = " -> ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    why = _ADVICE.get(error.errno or 0) or error.strerror or one_line(str(error)) or type(error).__name__
    return f"{what}: {why}" if what else why


def _of_resources(error: BaseException) -> str | None:
    text = one_line(str(error).partition("\n")[0])
    if isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY):
        return (
            f"too little memory ({text or type(error).__name__}). Close other programs, or lower what is "
            "held at once: training.trainer.max_memory_gb, shared.residues_per_batch, "
            "extraction.max_tokens_per_batch"
        )
    return f"{text}: {_ADVICE[errno.ENOSPC]}" if any(sign in text for sign in _NO_SPACE) else None


def _of_configuration(error: BaseException) -> str | None:
    if "embedded null" in str(error):
        return "a path in the configuration holds a NUL character: remove it"
    is_known = isinstance(error, DatasetError | MissingConfigException | YAMLError | ValidationError)
    return one_line(str(error)) if is_known else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__
