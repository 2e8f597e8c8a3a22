"""Cases that need pipelines of their own: memory datasets, odd callables, edits while running."""

import importlib
import sys
from functools import partial, update_wrapper
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from kedro.io import AbstractDataset, CachedDataset, DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from kedro_datasets.partitions import PartitionedDataset
from kedro_datasets.text import TextDataset

from protsae.caching import CachingRunner
from protsae.caching.locations import data_root
from protsae.core import code
from protsae.datasets import SourceFileDataset

MODULE = """
calls = []

def make(value):
    calls.append("make")
    return value + 1

def double(value):
    calls.append("double")
    return 2 * value

def show(value):
    calls.append("show")
    return {"shown": value}

def ask(path):
    calls.append("ask")
    return {"given": path is not None}

def add(value, more):
    calls.append("add")
    return value + more

def split(value):
    calls.append("split")
    return value, value + 10

def parts(value):
    calls.append("parts")
    return {str(number): {"number": number} for number in range(value)}
"""


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A module of node functions that notes which of them were called."""
    (tmp_path / "lone_nodes.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(code, "PROCESS_START", float("inf"))
    yield importlib.import_module("lone_nodes")
    del sys.modules["lone_nodes"]


def json_at(tmp_path: Path, name: str) -> JSONDataset:
    return JSONDataset(filepath=str(tmp_path / "data" / "02_intermediate" / name))


def calls(nodes: Any, pipeline: Pipeline, datasets: dict[str, Any], **options: bool) -> list[str]:
    """Run the pipeline anew and return the functions that were called."""
    nodes.calls.clear()
    CachingRunner(**options).run(pipeline, DataCatalog(datasets=dict(datasets)))
    return list(nodes.calls)


def test_nodes_between_memory_datasets_run_only_if_needed(nodes, tmp_path):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    pipeline = Pipeline(
        [
            Node(nodes.make, "raw", "made"),
            Node(nodes.double, "made", "doubled"),
            Node(nodes.show, "doubled", "shown"),
        ]
    )
    datasets = {"raw": raw, "shown": shown}
    assert calls(nodes, pipeline, datasets) == ["make", "double", "show"]
    assert calls(nodes, pipeline, datasets) == []
    (tmp_path / "data/02_intermediate/shown.json").unlink()
    assert calls(nodes, pipeline, datasets) == ["make", "double", "show"]
    raw.save(2)
    assert calls(nodes, pipeline, datasets) == ["make", "double", "show"]
    assert shown.load() == {"shown": 6}


def test_memory_dataset_of_two_users_is_made_once_for_the_stale_one(nodes, tmp_path):
    raw, one, two = (json_at(tmp_path, f"{name}.json") for name in ("raw", "one", "two"))
    raw.save(1)
    pipeline = Pipeline(
        [Node(nodes.make, "raw", "made"), Node(nodes.show, "made", "one"), Node(nodes.double, "made", "two")]
    )
    datasets = {"raw": raw, "one": one, "two": two}
    assert sorted(calls(nodes, pipeline, datasets)) == ["double", "make", "show"]
    (tmp_path / "data/02_intermediate/two.json").unlink()
    assert calls(nodes, pipeline, datasets) == ["make", "double"]


def test_node_with_one_output_in_memory_keeps_the_other(nodes, tmp_path):
    raw, kept, shown = (json_at(tmp_path, f"{name}.json") for name in ("raw", "kept", "shown"))
    raw.save(1)
    pipeline = Pipeline([Node(nodes.split, "raw", ["kept", "passing"]), Node(nodes.show, "passing", "shown")])
    datasets = {"raw": raw, "kept": kept, "shown": shown}
    assert calls(nodes, pipeline, datasets) == ["split", "show"]
    assert calls(nodes, pipeline, datasets) == []
    (tmp_path / "data/02_intermediate/kept.json").unlink()
    assert calls(nodes, pipeline, datasets) == ["split"]


def test_final_memory_output_and_memory_input_always_run(nodes, tmp_path, capsys):
    shown = json_at(tmp_path, "shown.json")
    final = Pipeline([Node(nodes.make, "raw", "made", name="make")])
    for _ in range(2):
        assert calls(nodes, final, {"raw": MemoryDataset(1)}) == ["make"]
    given = Pipeline([Node(nodes.show, "raw", "shown", name="show")])
    for _ in range(2):
        assert calls(nodes, given, {"raw": MemoryDataset(1), "shown": shown}) == ["show"]
    assert "always: its input raw is kept in memory only" in capsys.readouterr().out


def test_an_input_that_is_left_out_is_content_like_any_other(nodes, tmp_path):
    answer = json_at(tmp_path, "answer.json")
    pipeline = Pipeline([Node(nodes.ask, "raw", "answer", name="ask")])
    left_out = {"raw": SourceFileDataset(filepath=None), "answer": answer}
    assert calls(nodes, pipeline, left_out) == ["ask"]
    assert calls(nodes, pipeline, left_out) == []
    (tmp_path / "x").write_text("given now")
    given = {"raw": SourceFileDataset(filepath=str(tmp_path / "x")), "answer": answer}
    assert calls(nodes, pipeline, given) == ["ask"]
    assert answer.load() == {"given": True}


def test_partial_is_compared_by_its_arguments(nodes, tmp_path):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    datasets = {"raw": raw, "shown": shown}

    def pipeline(more: int) -> Pipeline:
        return Pipeline(
            [Node(update_wrapper(partial(nodes.add, more=more), nodes.add), "raw", "shown", name="add")]
        )

    assert calls(nodes, pipeline(3), datasets) == ["add"]
    assert calls(nodes, pipeline(3), datasets) == []
    assert calls(nodes, pipeline(4), datasets) == ["add"]
    assert shown.load() == 5


@pytest.mark.parametrize("kind", ["lambda", "closure", "unknown argument"])
def test_callables_that_cannot_be_compared_always_run(nodes, tmp_path, capsys, kind):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    functions = {
        "lambda": lambda value: nodes.make(value) + 1,
        "closure": _adder(nodes, 1),
        "unknown argument": update_wrapper(partial(nodes.add, more=_Plus()), nodes.add),
    }
    pipeline = Pipeline([Node(functions[kind], "raw", "shown", name="node")])
    for _ in range(2):
        assert len(calls(nodes, pipeline, {"raw": raw, "shown": shown})) == 1
        assert "always: " in capsys.readouterr().out


def _adder(nodes: Any, step: int) -> Any:
    def add_step(value: int) -> Any:
        return nodes.add(value, step)

    return add_step


class _Plus:
    """Adds one."""

    def __radd__(self, value: int) -> int:
        return value + 1


class Elsewhere(AbstractDataset[Any, Any]):
    """Has no path."""

    content: Any = 1

    def load(self) -> Any:
        return self.content

    def save(self, data: Any) -> None:
        type(self).content = data

    def _describe(self) -> dict[str, Any]:
        return {}


class Vouched(Elsewhere):
    """Has no path, but a fingerprint."""

    def fingerprint(self) -> str:
        return str(self.content)


def test_dataset_without_path_or_fingerprint_always_runs(nodes, tmp_path, capsys):
    shown = json_at(tmp_path, "shown.json")
    pipeline = Pipeline([Node(nodes.show, "raw", "shown", name="show")])
    for _ in range(2):
        assert calls(nodes, pipeline, {"raw": Elsewhere(), "shown": shown}) == ["show"]
    assert "always: raw has no local path and no fingerprint()" in capsys.readouterr().out
    assert calls(nodes, pipeline, {"raw": Vouched(), "shown": shown}) == ["show"]
    assert calls(nodes, pipeline, {"raw": Vouched(), "shown": shown}) == []
    Vouched.content = 2
    assert calls(nodes, pipeline, {"raw": Vouched(), "shown": shown}) == ["show"]


def test_partitions_and_cached_datasets_are_hashed_by_their_files(nodes, tmp_path):
    raw = json_at(tmp_path, "raw.json")
    raw.save(3)
    folder = tmp_path / "data" / "04_feature" / "parts"
    partitions = PartitionedDataset(path=str(folder), dataset="json.JSONDataset", filename_suffix=".json")
    pipeline = Pipeline([Node(nodes.parts, "raw", "parts")])
    datasets = {"raw": CachedDataset(raw), "parts": partitions}
    assert calls(nodes, pipeline, datasets) == ["parts"]
    assert calls(nodes, pipeline, datasets) == []
    (folder / "1.json").unlink()
    assert calls(nodes, pipeline, datasets) == ["parts"]
    (folder / "stray.json").write_text("{}")
    assert calls(nodes, pipeline, datasets) == ["parts"]
    (folder / "stray.json").unlink()
    (folder / ".hidden").write_text("not data")
    calls(nodes, pipeline, datasets)
    assert calls(nodes, pipeline, datasets) == []


@pytest.mark.parametrize("what", ["code", "input"])
def test_run_is_not_recorded_if_code_or_input_changes_meanwhile(nodes, tmp_path, what, monkeypatch, capsys):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    source = tmp_path / "lone_nodes.py"

    class Editor(list[str]):
        def append(self, name: str) -> None:
            super().append(name)
            if what == "input":
                raw.save(5)
            else:
                source.write_text(MODULE.replace("2 * value", "3 * value"))
                source.write_text(MODULE)

    monkeypatch.setattr(nodes, "calls", Editor())
    pipeline = Pipeline([Node(nodes.show, "raw", "shown", name="show")])
    assert calls(nodes, pipeline, {"raw": raw, "shown": shown}) == ["show"]
    monkeypatch.setattr(nodes, "calls", [])
    capsys.readouterr()
    assert calls(nodes, pipeline, {"raw": raw, "shown": shown}) == ["show"]
    assert "its last run does not count" in capsys.readouterr().out
    assert calls(nodes, pipeline, {"raw": raw, "shown": shown}) == []


def test_module_edited_after_its_import_is_not_vouched_for(nodes, tmp_path, monkeypatch, capsys):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    monkeypatch.setattr(code, "PROCESS_START", 0.0)
    pipeline = Pipeline([Node(nodes.show, "raw", "shown", name="show")])
    for _ in range(2):
        assert calls(nodes, pipeline, {"raw": raw, "shown": shown}) == ["show"]
    assert "always: lone_nodes was edited after this process imported it" in capsys.readouterr().out


def test_failed_node_has_no_record_and_earlier_nodes_do(nodes, tmp_path, monkeypatch):
    raw, made, shown = (json_at(tmp_path, f"{name}.json") for name in ("raw", "made", "shown"))
    raw.save(1)
    pipeline = Pipeline([Node(nodes.make, "raw", "made"), Node(nodes.show, "made", "shown")])
    datasets = {"raw": raw, "made": made, "shown": shown}
    assert calls(nodes, pipeline, datasets) == ["make", "show"]
    records = sorted(path.name for path in (tmp_path / "data/.cache").glob("node-*"))
    raw.save("not a number")
    with pytest.raises(TypeError):
        calls(nodes, pipeline, datasets)
    left = sorted(path.name for path in (tmp_path / "data/.cache").glob("node-*"))
    assert len(records) == 2 and left == [name for name in records if "shown" in name]
    raw.save(1)
    assert calls(nodes, pipeline, datasets) == ["make"]  # to the same bytes: the shown ones still hold


def test_run_names_the_pages_that_it_made_or_kept(nodes, tmp_path, capsys):
    page = tmp_path / "a folder" / "report" / "index.html"
    catalog = DataCatalog(
        {"report": TextDataset(filepath=str(page)), "other": TextDataset(filepath=str(tmp_path / "other"))}
    )
    pipeline = Pipeline(
        [Node(lambda: "page", None, "report", name="a"), Node(lambda: "x", None, "other", name="b")]
    )
    for _ in range(2):
        CachingRunner().run(pipeline, catalog)
        last = capsys.readouterr().out.strip().splitlines()[-1]
        assert last.startswith(f"report: {page}; to open it: python -m webbrowser file:///")
        assert unquote(last.rpartition("file://")[2]) == str(page)
    CachingRunner(plan=True).run(pipeline, catalog)
    assert "to open it" not in capsys.readouterr().out


def test_async_loading_and_saving(nodes, tmp_path):
    raw, shown = json_at(tmp_path, "raw.json"), json_at(tmp_path, "shown.json")
    raw.save(1)
    pipeline = Pipeline([Node(nodes.show, "raw", "shown")])
    assert calls(nodes, pipeline, {"raw": raw, "shown": shown}, is_async=True) == ["show"]
    assert calls(nodes, pipeline, {"raw": raw, "shown": shown}) == []


def test_data_root_is_above_the_nearest_numbered_layer():
    assert data_root(Path("/x/data/06_models/protsae/sae.safetensors")) == Path("/x/data")
    assert data_root(Path("/01_disk/data/02_intermediate/a.json")) == Path("/01_disk/data")
    assert data_root(Path("/x/y/a.json")) == Path("/x/y")
