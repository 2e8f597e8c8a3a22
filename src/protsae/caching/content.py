"""Content hashes of files and folders, remembered under the file's stamp."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from protsae.caching.canonical import to_text
from protsae.core.errors import InputError
from protsae.core.files import Stamp, sha256_file, sha256_text, stamp

_SETTLED_NS = 50_000_000
"""A file younger than this when hashed may change again within one tick of the clock and keep its stamp."""


class ContentHasher:
    """SHA-256 of files and folders.

    Args:
        memory: path to `[size, mtime_ns, ctime_ns, inode, sha256]`, as `remembered` gave it.
        verify: read every file once more instead of trusting `memory`.
    """

    def __init__(self, memory: dict[str, Any] | None = None, verify: bool = False) -> None:
        self._memory: dict[str, Any] = dict(memory or {})
        self._verify = verify
        self._verified: set[str] = set()

    def remembered(self) -> dict[str, Any]:
        """Return the hashes that are safe to trust in the next process; files that are gone are left out."""
        return {path: entry for path, entry in sorted(self._memory.items()) if Path(path).exists()}

    def digest(self, path: Path) -> str | None:
        """Return the hash of a file's bytes or of a folder's names and bytes; None if there is nothing."""
        try:
            if path.is_dir():
                parts = [(name.as_posix(), self._file(path / name)) for name in folder_files(path)]
                return sha256_text("folder", *(part for pair in parts for part in pair)) if parts else None
            return self._file(path)
        except FileNotFoundError:
            return None

    def _file(self, path: Path) -> str:
        key = str(path)
        before = stamp(path)
        known = self._memory.get(key)
        trusted = not self._verify or key in self._verified
        if trusted and isinstance(known, list) and to_text(known[:4]) == to_text(before) and len(known) == 5:
            return str(known[4])
        digest = sha256_file(path)
        self._verified.add(key)
        self._memory.pop(key, None)
        if stamp(path) == before and time.time_ns() - max(before[1], before[2]) >= _SETTLED_NS:
            self._memory[key] = [*before, digest]
        return digest


def folder_files(folder: Path) -> list[Path]:
    """Return the files below a folder, relative to it and sorted; dot files and folders do not count."""
    return sorted(path.relative_to(folder) for path in _walk(folder, set()))


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return  # a link back to a folder above
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as scanned:
        entries = list(scanned)
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _walk(Path(entry.path), seen)
        elif not entry.is_file() and Path(entry.path).exists():
            raise InputError(f"{entry.path} is a named pipe or a device, and would be waited for: remove it")
        else:
            yield Path(entry.path)


def stamps(path: Path) -> dict[str, Stamp] | None:
    """Return the stamps of a file, or of all files of a folder; None if there is nothing."""
    try:
        names = folder_files(path) if path.is_dir() else [Path()]
        return {name.as_posix(): stamp(path / name) for name in names}
    except FileNotFoundError:
        return None


def size(path: Path) -> int:
    """Return the bytes that a file, or the files of a folder, hold."""
    return sum(entry[0] for entry in (stamps(path) or {}).values())
