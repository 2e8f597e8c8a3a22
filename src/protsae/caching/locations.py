"""Data roots: the folders that hold the numbered layer folders, found from where datasets lie."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protsae.caching.kedro_internals import base_path

_LAYER = re.compile(r"\d\d_\w+")
CACHE_FOLDER = ".cache"


def data_root(path: Path) -> Path:
    """Return the folder that holds the numbered layer folders (01_raw to 08_reporting) above a file.

    It is found by that convention, so that neither a runner, which sees only a pipeline and a catalog, nor an
    environment that moves its data needs a setting. Without a numbered folder, it is the file's own folder.
    """
    for folder in path.absolute().parents:
        if _LAYER.fullmatch(folder.name):
            return folder.parent
    return path.absolute().parent


def data_roots(datasets: Iterable[Any]) -> list[Path]:
    """Return the data roots of some datasets, the one with most datasets first."""
    roots = [data_root(path) for dataset in datasets if (path := base_path(dataset))]
    return sorted(set(roots), key=lambda root: (-roots.count(root), str(root)))


def layer_folders(root: Path) -> list[Path]:
    """Return the numbered layer folders below a data root."""
    return sorted(item for item in root.iterdir() if item.is_dir() and _LAYER.fullmatch(item.name))


def cache_folders(datasets: Iterable[Any]) -> list[Path]:
    """Return the cache folders of some datasets: one in each data root, the most used first."""
    return [root / CACHE_FOLDER for root in data_roots(datasets)]
