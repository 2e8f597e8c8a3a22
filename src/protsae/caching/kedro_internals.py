"""All uses of Kedro's private attributes, where nodes, datasets and runners have no public call.

`tests/caching/test_kedro_internals.py` says for which version of Kedro this holds.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from kedro.io import AbstractVersionedDataset, CachedDataset, CatalogProtocol
from kedro.io.core import VersionNotFoundError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import AbstractRunner

Catalog = CatalogProtocol[Any, Any]
_LOCAL = {"file", "local", ""}


def declared(node: Node) -> dict[str, Any]:
    """Return a node's inputs and outputs as declared: a name, a list, or names by argument or key."""
    return {"inputs": node._inputs, "outputs": node._outputs}


def release_datasets(node: Node, catalog: Catalog, uses: Counter[str], pipeline: Pipeline) -> None:
    """Release from memory the datasets that no later node needs.

    Args:
        node: the node that has run or is skipped.
        catalog: its datasets.
        uses: how many nodes still load each dataset; those of this node are counted down.
        pipeline: all nodes of the run.
    """
    AbstractRunner._release_datasets(node, catalog, uses, pipeline)


def with_missing_outputs(runner: AbstractRunner, pipeline: Pipeline, catalog: Catalog) -> Pipeline:
    """Return the part of a pipeline that `--only-missing-outputs` runs."""
    return runner._filter_pipeline_for_missing_outputs(pipeline, catalog)


def settings(dataset: Any) -> dict[str, Any]:
    """Return the catalog entry of a dataset, its type included."""
    entry = inner(dataset)._init_config()
    # of a class without an `__init__` of its own Kedro gives `args` and `kwargs`
    named = {key: value for key, value in entry.items() if key not in {"args", "kwargs"}}
    return {**named, **entry.get("kwargs", {})}


def classes(dataset: Any) -> set[type]:
    """Return the class of a dataset, and of a partitioned one that of its partitions too."""
    dataset = inner(dataset)
    partition = getattr(dataset, "_dataset_type", None)
    return {type(dataset)} if partition is None else {type(dataset), partition}


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
    """Return the local file or folder of a dataset; None if it has none (memory, remote, SQL, API)."""
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


def companion(dataset: Any) -> Path | None:
    """Return the folder that belongs to a dataset's file, if it has one."""
    return getattr(inner(dataset), "companion", None)


def base_path(dataset: Any) -> Path | None:
    """Return the path as the catalog gives it: for a versioned dataset the folder of its versions."""
    path = local_path(dataset)
    return Path(inner(dataset)._filepath) if path and is_versioned(dataset) else path
