"""Text files as users have them: plain or gzip by content, any line ends, byte order mark or not."""

import gzip
import io
import zlib
from pathlib import Path

from protsae.core.errors import InputError

_GZIP_MAGIC = b"\x1f\x8b"
_PAGE_STARTS = (b"<!doctype", b"<html", b"<?xml")


def read_lines(path: Path, content: str) -> list[str]:
    """Return the lines of a UTF-8 text file without their ends, so that line `i` is `lines[i - 1]`.

    Gzip is told by its magic bytes, not by the suffix. CRLF, CR and a leading byte order mark are accepted.

    Args:
        path: the file.
        content: what it should hold ("ontology", "annotations"), for messages.

    Raises:
        InputError: missing, empty, a half compressed file, an HTML page, or not UTF-8.
    """
    raw = _read_bytes(path, content)
    if raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:16].lower().startswith(_PAGE_STARTS):
        raise InputError(
            f"{path}: this is an HTML or XML page, not {content}: the download went wrong, repeat it"
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8 text; save the file as UTF-8"
        ) from error
    if not text.strip():
        raise InputError(f"{path}: the file is empty, no {content} in it")
    return io.StringIO(text, newline=None).read().split("\n")


def _read_bytes(path: Path, content: str) -> bytes:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; give the path of the {content} file") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read as {content}: {error.strerror}") from error
    if not raw.startswith(_GZIP_MAGIC):
        return raw
    try:
        return gzip.decompress(raw)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"{path}: the compressed file is broken or ends early ({error}); get it again"
        ) from error
