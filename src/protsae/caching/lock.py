"""One run at a time over the same data."""

import errno
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from protsae.core.errors import MALFORMED, InputError


class DataLockedError(InputError):
    """Another run works on the same data."""


@contextmanager
def exclusive(cache_folder: Path) -> Iterator[str | None]:
    """Hold the lock of a data root. The operating system frees it when the process ends, however it ends.

    Yields:
        None; of a data root that cannot be written and thus needs no lock, the reason.

    Raises:
        DataLockedError: naming the process that holds it, since when, and its command.
    """
    try:
        cache_folder.mkdir(parents=True, exist_ok=True)
        lock = (cache_folder / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        if not is_read_only(error):
            raise
        yield f"{cache_folder.parent} cannot be written: {error.strerror}"
        return
    with lock as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            raise DataLockedError(_refusal(cache_folder, handle.read())) from None
        handle.truncate(0)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        since = datetime.now(UTC).isoformat(timespec="seconds")
        json.dump({"pid": os.getpid(), "since": since, "command": command}, handle)
        handle.flush()
        yield None


def is_read_only(error: OSError) -> bool:
    """Return whether something was not written because nobody, or not this user, may write there."""
    return error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}


def _refusal(cache_folder: Path, text: str) -> str:
    try:
        holder = json.loads(text)
        who = f"process {holder['pid']}, since {holder['since']}, command: {holder['command']}"
    except MALFORMED:
        who = "a process that has only just started"
    return f"another run works on {cache_folder.parent}: {who}. Wait for it to end, or stop it"
