"""What a reader of files is to the fuzzer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple


class Reader(NamedTuple):
    """How a format is read."""

    make: Callable[[Path], list[Path]]
    """Writes sound files into a folder and returns those that are spoilt."""
    read: Callable[[Path], Any]
    """Reads them, given the folder."""
    sealed: bool = False
    """Whether what is read of a spoilt file has to equal what is read of the sound one."""


def text_reader(content: bytes | str, read: Callable[[Path], Any]) -> Reader:
    """Return the reader of one text file."""

    def make(folder: Path) -> list[Path]:
        (folder / "x").write_bytes(content if isinstance(content, bytes) else content.encode())
        return [folder / "x"]

    return Reader(make, lambda folder: read(folder / "x"))
