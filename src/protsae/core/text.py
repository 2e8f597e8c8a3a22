"""Lines of text files, plain or compressed, with any line ends; faulty files are refused."""

import bz2
import gzip
import lzma
import re
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from protsae.core.errors import InputError

MAX_LINE_BYTES = 1 << 24
"""Longer lines are refused: no record needs them, and a bomb of one endless line must not fill the memory."""
MAX_EXPANSION = 200
"""Maximum decompression ratio; gzip of text reaches some 10, a bomb 1,000."""
UNCHECKED_BYTES = 1 << 26
"""Below this many decompressed bytes no expansion is refused: small files may repeat themselves."""
_BLOCK_BYTES = 1 << 18
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UNREAD = (
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x1f\x9d", "compress"),
    (b"7z\xbc\xaf", "7z"),
)
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_SHEETS = ("xl/", "content.xml")
"""What is in the zip archive that an Excel or OpenDocument table is."""
_PICKLE = b"\x80"
"""How pickles begin and UTF-8 cannot."""
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))
_LINE_END = re.compile(r"\r\n|\n|\r")
_DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)


class CutOffError(InputError):
    """A compressed file that ends early or is damaged."""


def whole_number(text: str) -> int | None:
    """Return the value of 1 to 9 ASCII digits; None for other texts: no position or count is larger."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def numbered_lines(path: Path, content: str = "data") -> Iterator[tuple[int, str]]:
    """Yield (1-based line number, line without its end) of a UTF-8 file, one at a time.

    Compression (gzip, bzip2, xz) is recognised by the first bytes, not by the name. Line ends may be LF,
    CRLF or CR; a byte order mark is skipped.

    Args:
        path: the file.
        content: what it should hold ("sequences", "ontology"), for messages.

    Raises:
        InputError: the file is missing, empty, a folder, a web page, not UTF-8, with a NUL, cut off within
            its compression (`CutOffError`), expands more than `MAX_EXPANSION` times, or has a line of over
            `MAX_LINE_BYTES`.
    """
    has_text = False
    number = 0
    for lines in _blocks_of_lines(path):
        for line in lines:
            number += 1
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


def first_lines(path: Path, n: int, content: str = "data") -> list[str]:
    """Return the first `n` lines that are not blank; fewer where the file has fewer."""
    return list(islice((line for _, line in numbered_lines(path, content) if line.strip()), n))


def _blocks_of_lines(path: Path) -> Iterator[list[str]]:
    """Yield lists of whole lines, each list some hundred KB of text."""
    number = 0
    try:
        blocks = _blocks(path)
        for block in blocks:
            try:
                lines = _decoded_lines(block, path, number)
            except InputError:
                with suppress(InputError):  # a damaged archive is the better reason
                    deque(blocks, maxlen=0)
                raise
            yield lines
            number += len(lines)
    except _DAMAGED as error:
        if getattr(error, "errno", None) is not None:
            place = f"{path}:{number + 1}".removesuffix(":1")
            raise InputError(f"{place}: cannot be read ({error})") from None
        raise CutOffError(
            f"{path}:{number + 1}: the compressed file ends early or is damaged after {number} lines "
            f"({error}). Download it again"
        ) from None


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the decompressed content in pieces that end where a line ends."""
    carry = b""
    n_lines = 0
    with ExitStack() as stack:
        compressed, stream = _open(path, stack)
        for block in _reads(path, compressed, stream):
            carry += block
            # A CR at the very end may be half of a CRLF: it waits for the next block.
            cut = max(carry.rfind(b"\n"), carry.rfind(b"\r", 0, len(carry) - 1)) + 1
            if cut:
                whole, carry = carry[:cut], carry[cut:]
                n_lines += whole.count(b"\n")
                yield whole
            if len(carry) > MAX_LINE_BYTES:
                raise InputError(
                    f"{path}:{n_lines + 1}: a line of over {MAX_LINE_BYTES} bytes: no text file of records"
                )
    if carry:
        yield carry


def _reads(path: Path, compressed: BinaryIO | None, stream: gzip.GzipFile) -> Iterator[bytes]:
    """Yield the content as it comes, without a byte order mark, up to the maximum decompression ratio."""
    n_bytes = 0
    while block := stream.read1(_BLOCK_BYTES):
        yield block.removeprefix(_BOM) if n_bytes == 0 else block
        n_bytes += len(block)
        if compressed is not None and n_bytes > UNCHECKED_BYTES:
            _check_expansion(path, n_bytes, compressed.tell())


def _check_expansion(path: Path, n_bytes: int, n_compressed: int) -> None:
    if n_bytes > MAX_EXPANSION * n_compressed:
        raise InputError(
            f"{path}: {n_compressed} compressed bytes became {n_bytes}, over {MAX_EXPANSION} times as many: "
            "this looks like a decompression bomb. If it is sound, decompress it and give the plain file"
        )


def _open(path: Path, stack: ExitStack) -> tuple[BinaryIO | None, gzip.GzipFile]:
    """Open a file; return the compressed stream below, if it is compressed, and the stream to read.

    The stream is one of several classes with `read` and `read1`; the annotation names the one for all.
    """
    try:
        raw = stack.enter_context(path.open("rb"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file. Put it there, or give its path in the catalog") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder. Give the path of one file in the catalog") from None
    head = raw.read(6)
    raw.seek(0)
    if head.startswith(_UTF16):
        raise InputError(f"{path}:1: the text is UTF-16. Save it as UTF-8")
    if head.startswith(_PICKLE):
        raise InputError(
            f"{path}: this is a pickle, which can hold code and is never opened. Save it as text, as "
            "docs/inputs.md shows"
        )
    if head.startswith(_OLD_EXCEL) or (head.startswith(_UNREAD[0][0]) and _is_spreadsheet(raw)):
        raise InputError(
            f"{path}: this is an Excel file or another spreadsheet. Save it as text, tab-separated, or "
            "download it as TSV"
        )
    if archive := next((name for magic, name in _UNREAD if head.startswith(magic)), ""):
        raise InputError(
            f"{path}: this is a {archive} archive. Unpack it and give the file inside, plain or gzip"
        )
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), "plain")
    if kind == "gzip":
        return raw, stack.enter_context(gzip.GzipFile(fileobj=raw))
    if kind == "bzip2":
        return raw, cast(gzip.GzipFile, stack.enter_context(bz2.BZ2File(raw)))
    if kind == "xz":
        return raw, cast(gzip.GzipFile, stack.enter_context(lzma.LZMAFile(raw)))
    return None, cast(gzip.GzipFile, raw)


def _is_spreadsheet(raw: BinaryIO) -> bool:
    try:
        with zipfile.ZipFile(raw) as archive:
            return any(name.startswith(_SHEETS) for name in archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):  # cut off: its list is at the end
        raw.seek(0)
        head = raw.read(_BLOCK_BYTES)
        return any(name.encode() in head for name in _SHEETS)


def _decoded_lines(block: bytes, path: Path, n_before: int) -> list[str]:
    """Return the lines of a block; LF, CRLF and CR end them and nothing else does."""
    try:
        text = block.decode("utf-8")
    except UnicodeDecodeError as error:
        number = n_before + len(block[: error.start].splitlines()) + (block[: error.start][-1:] in b"\r\n")
        raise InputError(
            f"{path}:{number}: byte {block[error.start]:#04x} is not UTF-8 text. Save the file as UTF-8"
        ) from None
    if "\0" in text:
        number = n_before + len(_LINE_END.findall(text, 0, text.index("\0"))) + 1
        raise InputError(f"{path}:{number}: byte 0x00 is no text. Save the file as UTF-8, or fetch it again")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")
