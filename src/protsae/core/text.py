"""Lines of text files as users have them: plain or compressed, any line ends, and faults of all kinds."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from protsae.core.errors import InputError

MAX_LINE_BYTES = 1 << 24
"""Longer lines are refused: no record needs them, and a bomb of one endless line must not fill the memory."""
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))


def numbered_lines(path: Path, content: str = "data") -> Iterator[tuple[int, str]]:
    """Yield (1-based line number, line without its end) of a UTF-8 file, one at a time.

    Compression (gzip, bzip2, xz) is told by the first bytes, not by the name. Line ends may be LF, CRLF or
    CR; a byte order mark is skipped.

    Args:
        path: the file.
        content: what it should hold ("sequences", "ontology"), for messages.

    Raises:
        InputError: the file is missing, empty, a folder, a web page, not UTF-8, cut off within its
            compression, or has a line of over `MAX_LINE_BYTES`.
    """
    number = 0
    has_text = False
    for number, raw in enumerate(_raw_lines(path), start=1):
        line = _decode(raw, path, number)
        if not has_text and line.strip():
            has_text = True
            if line.lstrip().startswith("<"):
                raise InputError(
                    f"{path}:{number}: this is a web page or XML, not {content}: {line.strip()[:40]!r}. "
                    "Download the file itself again"
                )
        yield number, line
    if not has_text:
        raise InputError(
            f"{path}: the file is empty, no {content} in it. Check the download, or the path in the catalog"
        )


def _raw_lines(path: Path) -> Iterator[bytes]:
    number = 0
    try:
        with _open(path) as stream:
            while block := stream.readline(MAX_LINE_BYTES):
                if len(block) == MAX_LINE_BYTES and not block.endswith(b"\n"):
                    raise InputError(
                        f"{path}:{number + 1}: a line of over {MAX_LINE_BYTES} bytes: no text file of records"
                    )
                # CR alone ended lines on old Macs; bytes.splitlines knows LF, CRLF and CR and nothing else.
                lines = (block.removeprefix(_BOM) if number == 0 else block).splitlines() or [b""]
                number += len(lines)
                yield from lines
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Put it there, or give its path in the catalog") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder. Give the path of one file in the catalog") from None
    except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        if getattr(error, "errno", None) is not None:
            raise InputError(f"{path}: cannot be read ({error})") from None
        raise InputError(
            f"{path}:{number + 1}: the compressed file ends early or is damaged after {number} lines "
            f"({error}). Download it again"
        ) from None


def _open(path: Path) -> BinaryIO | gzip.GzipFile | bz2.BZ2File | lzma.LZMAFile:
    with path.open("rb") as handle:
        head = handle.read(6)
    if head.startswith(_UTF16):
        raise InputError(f"{path}:1: the text is UTF-16. Save it as UTF-8")
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), "plain")
    if kind == "gzip":
        return gzip.open(path, "rb")
    if kind == "bzip2":
        return bz2.open(path, "rb")
    if kind == "xz":
        return lzma.open(path, "rb")
    return path.open("rb")


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}:{number}: byte {raw[error.start]:#04x} is not UTF-8 text. Save the file as UTF-8"
        ) from None
