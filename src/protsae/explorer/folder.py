"""The explorer's folder: written next to the old one, which `index.html` then lets go in one step."""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text, write_text_atomic
from protsae.core.plan import Plan
from protsae.explorer.bundle import VENDOR, render_index
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import CALL, data_file, literal
from protsae.explorer.site import FOLDER

INDEX = "index.html"
DATA = "data"
_UNKNOWN_RUN = "0" * 16
"""In data files until all of them are written: the run's id is the hash of all."""
_BUILDING = ".building-"


@dataclass(frozen=True)
class SitePlan(Plan):
    """What the explorer is to hold. The same data give the same folder.

    Args:
        title: of the page.
        files: yields name and value of every data file, once.
        page: folder of the page's source.
    """

    title: str
    files: Callable[[], Iterable[DataFile]]
    page: Path = FOLDER

    def run(self, path: Path, how: Any = None) -> None:
        """Write the folder at `path`.

        All data of a build are in one folder of their own, `data/<run>`. `index.html` names it and is
        replaced when it is complete, so that an interrupted build leaves the explorer as it was; then
        everything else goes.

        Raises:
            InputError: the folder holds files that are none of an explorer's.
        """
        _refuse_strangers(path)
        data = path / DATA
        data.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=_BUILDING, dir=data) as temporary:
            fresh = Path(temporary) / DATA
            run = _write(fresh, self.files(), self.page / VENDOR)
            index = render_index(run, self.title, self.page)
            _put(fresh, data / run)
        write_text_atomic(path / INDEX, index)
        for other in data.iterdir():
            if other.name != run:
                shutil.rmtree(other)


def _write(folder: Path, files: Iterable[DataFile], vendored: Path) -> str:
    """Write data files and scripts of others; return the run's id, the hash of all of them."""
    folder.mkdir()
    digest = hashlib.sha256()
    written = []
    for name, value in files:
        assert re.fullmatch(r"[a-z0-9-]+", name), name
        text = data_file(_UNKNOWN_RUN, name, literal(value))
        digest.update(text.encode())
        written.append(folder / f"{name}.js")
        written[-1].write_bytes(text.encode())
    assert len(set(written)) == len(written)
    if vendored.is_dir():
        shutil.copytree(vendored, folder / VENDOR)
        for path in sorted((folder / VENDOR).iterdir()):
            digest.update(sha256_text(path.name, sha256_file(path)).encode())
    run = digest.hexdigest()[: len(_UNKNOWN_RUN)]
    for path in written:
        with path.open("r+b") as file:
            file.seek(len(f'{CALL}("'))
            file.write(run.encode())
    return run


def _put(fresh: Path, target: Path) -> None:
    """Move a folder to its place; where the same build lies there already, file by file."""
    if not target.exists():
        fresh.replace(target)
        return
    wanted = {path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()}
    for name in sorted(wanted):
        (target / name).parent.mkdir(exist_ok=True)
        (fresh / name).replace(target / name)
    for path in target.rglob("*"):
        if path.is_file() and path.relative_to(target) not in wanted:
            path.unlink()


def _refuse_strangers(path: Path) -> None:
    """Refuse a folder with other content: what is stale in it is removed.

    Raises:
        InputError: naming the first.
    """
    found = sorted(item.name for item in path.iterdir()) if path.is_dir() else []
    if strangers := [
        name for name in found if name not in {INDEX, DATA} and not name.startswith(f".{INDEX}.")
    ]:
        raise InputError(
            f"{path} holds {strangers[0]}, which is no part of an explorer: move it elsewhere, or give the "
            "dataset explorer another folder"
        )
