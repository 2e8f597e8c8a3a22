"""Finds and removes unreferenced files below the data root."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kedro.pipeline import Pipeline

from protsae.caching.decisions import record_file
from protsae.caching.fingerprint import is_parameter
from protsae.caching.kedro_internals import Catalog, base_path, companion
from protsae.caching.locations import CACHE_FOLDER, cache_folders, data_roots, layer_folders
from protsae.caching.run_record import FILE_NAME

_RAW = "01_raw"
_TEMPORARY = re.compile(r"\..+\.tmp")
"""What `core.files.atomic_path` calls a file until it is whole."""


@dataclass(frozen=True)
class Leftover:
    """A file that nothing refers to."""

    path: Path
    reason: str
    root: Path
    """The data root it lies below."""

    @property
    def n_bytes(self) -> int:
        """Its size; of a link, its own."""
        return self.path.lstat().st_size


def find_leftovers(pipelines: Mapping[str, Pipeline], catalog: Catalog) -> list[Leftover]:
    """Return unreferenced files; raw data are left out, and links are not followed.

    Args:
        pipelines: all registered pipelines.
        catalog: the catalog of the environment that owns the data root.
    """
    everything = sum(pipelines.values(), Pipeline([]))
    used = {
        name: catalog.get(name, fallback_to_runtime_pattern=True)
        for name in sorted(everything.datasets())
        if not is_parameter(name)
    }
    outputs = [used[name] for name in sorted(everything.all_outputs())]
    folders = cache_folders(outputs)
    records = {record_file(node, catalog, folders) for node in everything.nodes}
    places = (place(dataset) for dataset in used.values() for place in (base_path, companion))
    referred = {path.absolute() for path in places if path}
    found: list[Leftover] = []
    for root in data_roots(outputs):
        found += _in_cache(root / CACHE_FOLDER, records)
        found += _in_layers(root, referred | {root / "08_reporting" / FILE_NAME})
    return found


def remove(leftovers: list[Leftover]) -> None:
    """Delete files, and the folders that are empty then."""
    for leftover in leftovers:
        leftover.path.unlink(missing_ok=True)
        folder = leftover.path.parent
        while not _is_layer(folder) and folder.name != CACHE_FOLDER and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _in_cache(folder: Path, records: set[Path | None]) -> Iterator[Leftover]:
    for path in sorted(folder.glob("*")) + sorted(folder.glob(".*")):
        if path.match("node-*.json") and path not in records:
            yield Leftover(path, "record of a node that no pipeline has", folder.parent)
        elif _TEMPORARY.fullmatch(path.name):
            yield Leftover(path, "unfinished file of an interrupted run", folder.parent)


def _in_layers(root: Path, referred: set[Path]) -> Iterator[Leftover]:
    for layer in layer_folders(root):
        if layer.name == _RAW or layer.is_symlink():
            continue
        for folder, folders, files in os.walk(layer):  # does not follow links
            here = Path(folder)
            folders.sort()
            for name in sorted(files):
                path = here / name
                if _TEMPORARY.fullmatch(name):
                    yield Leftover(path, "unfinished file of an interrupted run", root)
                elif not name.startswith(".") and not _is_referred(path, referred):
                    yield Leftover(path, "no dataset of any pipeline", root)


def _is_referred(path: Path, referred: set[Path]) -> bool:
    return path in referred or any(folder in referred for folder in path.parents)


def _is_layer(folder: Path) -> bool:
    return folder in layer_folders(folder.parent)
