"""Small parts of the cache: canonical values, content hashes, measuring, records."""

import os
import time
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from protsae.caching.canonical import NotCanonicalError, canonical, flatten, to_text
from protsae.caching.content import ContentHasher
from protsae.caching.measure import Measure
from protsae.caching.records import Record, read_record, record_path, write_record
from protsae.caching.report import disk, duration
from protsae.core.errors import InputError


class Colour(Enum):
    RED = "red"


class Inner(BaseModel):
    k: int = 3


class Outer(BaseModel):
    inner: Inner = Inner()
    path: Path = Path("a/b")


@dataclass
class Point:
    x: float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Outer(), '{"inner": {"k": 3}, "path": "a/b"}'),
        ({"b": 1, "a": (1, 2.0, True, None)}, '{"a": [1, 2.0, true, null], "b": 1}'),
        ({1: "x", "1": "y"}, '[["1", "y"], [1, "x"]]'),
        ({3, 1, 2}, "[1, 2, 3]"),
        (Colour.RED, '"red"'),
        (Point(0.5), '{"x": 0.5}'),
        (date(2026, 1, 2), '"2026-01-02"'),
        (np.float64(0.5), "0.5"),
        (np.int32(2), "2"),
    ],
)
def test_canonical_values(value, text):
    assert to_text(canonical(value)) == text


@pytest.mark.parametrize(
    "value", [pd.DataFrame({"a": [1]}), np.zeros(2000), object(), len, {"deep": [object()]}]
)
def test_values_without_a_canonical_form_are_refused(value):
    with pytest.raises(NotCanonicalError):
        canonical(value)


def test_flatten_names_leaves_by_path_and_keeps_empty_blocks():
    data = {"k": 1, "sae": {"d": [1, 2], "none": {}}}
    assert flatten("training", data) == {"training.k": 1, "training.sae.d": [1, 2], "training.sae.none": {}}


def test_folder_hash_depends_on_names_and_bytes_only(tmp_path):
    def build(name: str, files: dict[str, str]) -> str | None:
        for file, text in files.items():
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name / file).write_text(text)
        return ContentHasher().digest(tmp_path / name)

    one = build("one", {"b/x": "1", "a": "2"})
    assert one == build("two", {"a": "2", "b/x": "1", ".hidden": "no", ".cache/x": "no"})
    assert one != build("three", {"a": "1", "b/x": "2"})
    assert one != build("four", {"a": "2", "bx": "1"})
    (tmp_path / "empty").mkdir()
    assert ContentHasher().digest(tmp_path / "empty") is None
    assert ContentHasher().digest(tmp_path / "absent") is None


def test_a_named_pipe_in_a_folder_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "P1.pdb")
    with pytest.raises(InputError, match=r"P1\.pdb is a named pipe or a device"):
        ContentHasher().digest(tmp_path)


def test_linked_folder_counts_and_a_loop_ends(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_text("1")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/link").symlink_to(tmp_path / "outside")
    (tmp_path / "folder/loop").symlink_to(tmp_path / "folder")
    before = ContentHasher().digest(tmp_path / "folder")
    (tmp_path / "outside/x").write_text("2")
    assert before is not None and ContentHasher().digest(tmp_path / "folder") != before


def test_hash_is_remembered_only_once_the_file_has_settled(tmp_path):
    path = tmp_path / "file"
    path.write_text("1")
    hasher = ContentHasher()
    digest = hasher.digest(path)
    assert hasher.remembered() == {}
    time.sleep(0.06)
    assert hasher.digest(path) == digest
    memory = hasher.remembered()
    memory[str(path)][4] = "remembered"
    assert ContentHasher(memory).digest(path) == "remembered"
    assert ContentHasher(memory, verify=True).digest(path) == digest
    path.write_text("2")
    assert ContentHasher(memory).digest(path) not in {digest, "remembered"}


def test_peak_memory_is_that_of_the_block_and_not_of_the_process():
    with Measure() as large:
        block = np.ones(25_000_000)  # 200 MB
        time.sleep(0.05)
        del block
    with Measure() as small:
        time.sleep(0.03)
    assert large.peak_memory_mb - small.peak_memory_mb > 150
    assert 0.03 <= small.seconds < 5


def test_record_survives_writing_and_an_unreadable_one_is_none(tmp_path):
    record = Record(
        "n", {"parameters": {"k": 1}}, {"o": "hash"}, 1.5, 20.0, 3, "2026-01-01T00:00:00+00:00", "id"
    )
    path = tmp_path / "node.json"
    write_record(path, record)
    assert read_record(path) == record
    path.write_text(path.read_text()[:-20])
    assert read_record(path) is None
    path.write_text('{"format": 0}')
    assert read_record(path) is None


def test_record_name_depends_on_places_below_the_data_root():
    def name(root: str, *outputs: str) -> str:
        return record_path(Path(root) / ".cache", {out: Path(root) / out for out in outputs}).name

    assert name("/x/data", "02_a/b.json", "03_c/d.json") == name("/y", "03_c/d.json", "02_a/b.json")
    assert name("/x/data", "02_a/b.json") != name("/x/data", "02_a.b.json")


def test_amounts_for_people():
    assert [duration(value) for value in (0.04, 99, 150, 7200)] == ["0.0 s", "99.0 s", "2.5 min", "2.0 h"]
    assert [disk(value) for value in (12, 1500, 2_500_000, 3e12)] == ["12 B", "1.5 kB", "2.5 MB", "3.0 TB"]
