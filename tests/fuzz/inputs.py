"""Feeds spoilt files to readers: the outcome is what the file says, or an `InputError` that names it."""

import time
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutations import mutated
from tests.fuzz.readers import READERS

from protsae.core.errors import InputError

MAX_SECONDS = 5.0
_MERGED = ("parameters: ", "globals.yml: ", "catalog: ")
"""How messages name what Kedro merges of several files."""


class Spoiler:
    """Spoils the files of one format, one at a time, and reads them."""

    def __init__(self, name: str, folder: Path) -> None:
        self._reader, self._folder = READERS[name], folder / "files"
        self._folder.mkdir()
        self._sound = {path: path.read_bytes() for path in self._reader.make(self._folder)}
        self._expected = self._reader.read(self._folder)

    def try_one(self, random: Random) -> str:
        """Return `read` or `refused`; the sound file is put back.

        Raises:
            Exception: the reader's, of whatever class but `InputError`.
        """
        path = random.choice(list(self._sound))
        content = mutated(self._sound[path], random)
        path.write_bytes(content)
        started = time.process_time()
        try:
            found: Any = self._reader.read(self._folder)
        except InputError as error:
            assert any(name in str(error) for name in (str(self._folder), *_MERGED)), error
            return "refused"
        finally:
            seconds = time.process_time() - started  # other processes may keep the machine busy
            path.write_bytes(self._sound[path])
            assert seconds < MAX_SECONDS, seconds
        if self._reader.sealed:
            is_made_again = found is None  # a state that is not resumed
            assert is_made_again or found == self._expected, "damage is vouched for"
        return "read"
