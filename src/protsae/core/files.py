"""Files that are either whole or absent, their content hashes, and seals that make damage visible.

A sealed file holds the SHA-256 of its own bytes, taken with the text `UNSEALED` in its place, in whatever
part of its format takes a text: a header, a footer, a key. So the checksum covers every byte, travels with
the file, and other programs read the file as before.
"""

import errno
import hashlib
import json
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError

_FULL = 1 << 20
"""Bytes: a disk with less free space is full."""
_MARK = b"protsae:sha256:"
UNSEALED = f"{_MARK.decode()}{'0' * 64}"
"""What whoever writes a sealed file puts into it once."""


Stamp = tuple[int, int, int, int]
_compared: set[tuple[str, str, Stamp]] = set()
"""Path, hash and stamp of files that this process has read and compared."""


def stamp(path: Path) -> Stamp:
    """Return size, mtime_ns, ctime_ns and inode of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, sealed: bool = False) -> Iterator[Path]:
    """Give a temporary path in the folder of `path`; rename it onto `path` when the block ends well.

    Readers see the old file or the new one, never half of one. On any exception the temporary file is
    removed. The data are flushed to disk before the rename.

    Args:
        path: the file.
        sealed: what the block writes holds `UNSEALED`, before any text that begins like it; the checksum
            takes its place.

    Raises:
        InputError: another text that begins like a seal stands before it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        if sealed:
            _seal(temporary)
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    except Exception as error:
        # libraries report a full disk in words of their own, or not at all
        if not isinstance(error, OSError) and shutil.disk_usage(target.parent).free < _FULL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, written_last: str) -> Iterator[Path]:
    """Give an empty folder next to `path`; move it there when the block ends well.

    The folder that was there is replaced; on any exception it is not touched.

    Args:
        path: the folder.
        written_last: the file without which it is not complete; of the old folder it is deleted first.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        fresh = Path(temporary) / target.name
        fresh.mkdir()
        yield fresh
        if target.exists():
            (target / written_last).unlink(missing_ok=True)
            shutil.rmtree(target)
        fresh.replace(target)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text_atomic(path: str | os.PathLike[str], text: str, *, sealed: bool = False) -> None:
    """Write UTF-8 `text` with Unix line ends, atomically; `sealed`: see `atomic_path`."""
    with atomic_path(path, sealed=sealed) as temporary:
        temporary.write_bytes(text.encode())


def is_intact(path: str | os.PathLike[str]) -> bool | None:
    """Return whether a sealed file's bytes are those that were sealed; None if it has no seal.

    Raises:
        OSError: it cannot be read.
    """
    with Path(path).open("rb") as handle:
        if not os.fstat(handle.fileno()).st_size:
            return None
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as content:
            place = content.find(_MARK)
            if place < 0:
                return None
            found = content[place : place + len(UNSEALED)]
            return found == _MARK + _unsealed_sha256(content, place).encode()


def read_sealed_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object whose seal holds; None if it is missing, damaged or without a seal."""
    if not path.is_file() or not is_intact(path):
        return None
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _seal(path: Path) -> None:
    with path.open("r+b") as handle, mmap.mmap(handle.fileno(), 0) as content:
        place = content.find(UNSEALED.encode())
        assert place >= 0, path
        if place != content.find(_MARK):  # `is_intact` takes the first for the seal
            raise InputError(f"{path.name}: a text before the seal holds '{_MARK.decode()}': take it out")
        content[place : place + len(UNSEALED)] = _MARK + _unsealed_sha256(content, place).encode()


def _unsealed_sha256(content: mmap.mmap, place: int) -> str:
    """Return the SHA-256 of a file in which the text at `place` is `UNSEALED`."""
    digest = hashlib.sha256()
    with memoryview(content) as view, view[:place] as before, view[place + len(UNSEALED) :] as after:
        digest.update(before)
        digest.update(UNSEALED.encode())
        digest.update(after)
    return digest.hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes, in hex.

    Raises:
        OSError: it cannot be read; the error names the file also where the system's does not.
    """
    try:
        with Path(path).open("rb") as handle:
            return hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def has_sha256(path: Path, expected: str) -> bool:
    """Return whether a file's bytes have a hash; read once per process while size, times and inode stay."""
    key = (str(path.absolute()), expected, stamp(path))
    if key not in _compared and sha256_file(path) == expected:
        _compared.add(key)
    return key in _compared


def sha256_text(*parts: str) -> str:
    """Return the SHA-256 of `parts`, each length-prefixed so that no two lists collide by concatenation."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(8, "little"))
        digest.update(raw)
    return digest.hexdigest()
