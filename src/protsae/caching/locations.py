"""Where the bytes of a dataset lie. Kedro has no public call for that."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, CachedDataset, CatalogProtocol
from kedro.io.core import VersionNotFoundError

_LAYER = re.compile(r"\d\d_\w+")
_LOCAL = {"file", "local", ""}
CACHE_FOLDER = ".cache"
Catalog = CatalogProtocol[Any, Any]


def inner(dataset: Any) -> Any:
    """Return the dataset below `CachedDataset`, which calls itself ephemeral though it persists."""
    return dataset._dataset if isinstance(dataset, CachedDataset) else dataset


def in_memory(dataset: Any) -> bool:
    """Return whether a dataset lives only as long as the process."""
    return bool(getattr(inner(dataset), "_EPHEMERAL", False))


def is_absent(dataset: Any) -> bool:
    """Return whether the catalog says that an input is not given: that is all there is to compare."""
    return bool(getattr(inner(dataset), "is_absent", False))


def is_versioned(dataset: Any) -> bool:
    """Return whether each save makes one more version."""
    return bool(getattr(inner(dataset), "_version", None))


def local_path(dataset: Any) -> Path | None:
    """Return the local file or folder behind a dataset; None if it has none (memory, remote, SQL, API)."""
    dataset = inner(dataset)
    if in_memory(dataset) or getattr(dataset, "_protocol", "file") not in _LOCAL:
        return None
    if isinstance(dataset, AbstractVersionedDataset) and is_versioned(dataset):
        try:
            return Path(dataset._get_load_path())
        except VersionNotFoundError:
            return Path(dataset._filepath)
    path = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
    return Path(str(path).removeprefix("file://")) if path else None


def base_path(dataset: Any) -> Path | None:
    """Return the path as the catalog gives it: for a versioned dataset the folder of its versions."""
    path = local_path(dataset)
    return Path(inner(dataset)._filepath) if path and is_versioned(dataset) else path


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
