"""Errors that the user can correct."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What reading a file raises whose content has another form than its format says."""

_LONG = re.compile(r"(\S{100})\S{900,}")


class InputError(ValueError):
    """A file, a record or a parameter that the user gave is faulty.

    The message names the file, the line or id, the offending value and the fix. The command line shows it
    without a traceback. Of a value of a thousand letters or more it shows the first.
    """

    def __init__(self, message: str) -> None:
        super().__init__(shortened(message))


def shortened(message: str) -> str:
    """Return a message with the first letters of values that have a thousand or more."""
    return _LONG.sub(r"\1...", message)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name in front of an `InputError` raised in the block that does not name it yet."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
