"""Errors that are meant for the person at the keyboard."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class InputError(ValueError):
    """Something the user gave is wrong: a file, a record, a parameter.

    The message names the file, the line or id, the offending value and the way out. The command line shows it
    without a traceback.
    """


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Put the file's name in front of an `InputError` raised in the block that does not name it yet."""
    try:
        yield
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error
