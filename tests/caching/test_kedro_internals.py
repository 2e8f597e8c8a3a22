"""Kedro's private attributes still mean what the cache reads in them."""

from collections import Counter
from importlib.metadata import version
from pathlib import Path

import pytest
from kedro.io import CachedDataset, DataCatalog, MemoryDataset, Version
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from kedro_datasets.json import JSONDataset
from kedro_datasets.partitions import PartitionedDataset

from protsae.caching import kedro_internals
from protsae.caching.kedro_internals import (
    base_path,
    classes,
    declared,
    in_memory,
    inner,
    local_path,
    settings,
)


def add(left: int, right: int) -> dict[str, int]:
    return {"sum": left + right}


ADD = Node(add, inputs={"left": "a", "right": "b"}, outputs={"sum": "c"}, name="add")


class InheritingDataset(JSONDataset):
    """A dataset without an `__init__` of its own."""


def test_the_version_of_kedro_is_the_one_that_was_read():
    assert version("kedro").rpartition(".")[0] == "1.7", f"read {kedro_internals.__file__} against this Kedro"


def test_a_node_tells_which_argument_and_which_key_a_dataset_is():
    assert declared(ADD) == {"inputs": {"left": "a", "right": "b"}, "outputs": {"sum": "c"}}


@pytest.mark.parametrize("kind", [JSONDataset, InheritingDataset])
def test_settings_are_the_catalog_entry(kind):
    entry = settings(kind(filepath="a.json", save_args={"indent": 2}))
    assert entry["filepath"] == "a.json"
    assert entry["save_args"] == {"indent": 2}
    assert entry["type"].endswith(kind.__name__)


def test_a_cached_dataset_stands_for_the_one_in_it():
    below = JSONDataset(filepath="a.json")
    assert inner(CachedDataset(below)) is below
    assert settings(CachedDataset(below)) == settings(below)
    assert not in_memory(CachedDataset(below))
    assert in_memory(MemoryDataset())


def test_a_partitioned_dataset_has_the_class_of_its_partitions_too(tmp_path: Path):
    assert classes(PartitionedDataset(path=str(tmp_path), dataset=JSONDataset)) == {
        PartitionedDataset,
        JSONDataset,
    }


def test_paths_are_those_on_this_disk(tmp_path: Path):
    assert local_path(JSONDataset(filepath=str(tmp_path / "a.json"))) == tmp_path / "a.json"
    assert local_path(JSONDataset(filepath="memory://a.json")) is None
    assert local_path(MemoryDataset()) is None
    versioned = JSONDataset(filepath=str(tmp_path / "v.json"), version=Version(None, "1"))
    versioned.save({})
    assert local_path(versioned) == tmp_path / "v.json/1/v.json"
    assert base_path(versioned) == tmp_path / "v.json"


def test_datasets_are_released_once_nothing_needs_them():
    catalog = DataCatalog({"a": MemoryDataset(1), "b": MemoryDataset(2), "c": MemoryDataset()})
    again = Node(add, inputs=["a", "a"], outputs={"sum": "d"}, name="again")
    uses = Counter({"a": 3, "b": 1})
    kedro_internals.release_datasets(ADD, catalog, uses, Pipeline([ADD, again]))
    assert uses == {"a": 2, "b": 0}


def test_only_what_is_missing_runs(tmp_path: Path):
    made = JSONDataset(filepath=str(tmp_path / "c.json"))
    catalog = DataCatalog({"a": MemoryDataset(1), "b": MemoryDataset(2), "c": made})
    find = kedro_internals.with_missing_outputs
    assert find(SequentialRunner(), Pipeline([ADD]), catalog).nodes == [ADD]
    made.save(3)
    assert find(SequentialRunner(), Pipeline([ADD]), catalog).nodes == []
