"""What typical edits rerun. Each test starts from a project that is up to date."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from protsae.caching import fingerprint
from protsae.caching.content import _SETTLED_NS
from protsae.core.errors import InputError

RAW = "data/01_raw/numbers.txt"
ALL = ["a.read_numbers", "a.count_rows", "b.shift_numbers", "b.total", "c.render"]


@pytest.fixture
def built(toy):
    toy.run()
    assert toy.page() == "total 21.0, rows 3\n"
    return toy


def test_first_run_runs_everything_the_second_nothing(toy):
    assert toy.run() == dict.fromkeys(ALL, "never run")
    assert toy.run() == {}
    assert set(toy.last_lines[:5]) == {f"skip  {name:<15}  up to date" for name in ALL}


def test_parameter_reruns_its_node_and_what_follows(built):
    built.parameters["b"]["exponent"] = 2
    reasons = built.run()
    assert reasons == {"b.total": "parameter b.exponent 1 -> 2", "c.render": "input total changed"}
    assert built.page() == "total 441.0, rows 3\n"


def test_parameter_that_differs_only_in_type_counts(built):
    built.parameters["b"]["exponent"] = 1.0
    assert built.run() == {"b.total": "parameter b.exponent 1 -> 1.0"}


def test_code_of_a_helper_reruns_the_nodes_that_reach_it(built):
    built.edit("src/toy/helpers.py", "* FACTOR", "* FACTOR * 2")
    reasons = built.run()
    assert reasons == {
        "a.read_numbers": "code changed: toy.helpers:scale",
        "a.count_rows": "input numbers changed",
        "b.shift_numbers": "input numbers changed",
        "b.total": "input shifted changed",
        "c.render": "input total changed",
    }
    assert built.page() == "total 39.0, rows 3\n"


def test_code_two_imports_away_counts_and_equal_bytes_stop_the_rerun(built):
    built.edit("src/toy/constants.py", "FACTOR = 3", "FACTOR = 2 + 1")
    assert built.run() == {"a.read_numbers": "code changed: toy.constants:FACTOR"}


def test_code_imported_inside_a_function_counts(built):
    built.edit("src/toy/lazy.py", "value**exponent", "value**exponent + 1")
    assert set(built.run()) == {"b.total", "c.render"}
    assert built.page() == "total 22.0, rows 3\n"


def test_another_function_of_the_nodes_module_reruns_one_node(built):
    built.edit("src/toy/pipelines/b/nodes.py", "+ shift)", "+ shift + 0)")
    assert built.run() == {"b.shift_numbers": "code changed: toy.pipelines.b.nodes:shift_numbers"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Scale."""', '"""Another docstring."""'),
        ("# threefold", "# by the factor"),
        ('"""Helpers."""\n', "\n\n"),
    ],
)
def test_docstrings_comments_and_blank_lines_rerun_nothing(built, old, new):
    built.edit("src/toy/helpers.py", old, new)
    assert built.run() == {}


def test_code_that_no_node_reaches_reruns_nothing(built):
    built.edit("src/toy/unrelated.py", "42", "43")
    assert built.run() == {}


def test_declaration_of_one_node_reruns_that_node_alone(built):
    built.edit(
        "src/toy/pipelines/b/pipeline.py", '["shifted", "params:b.exponent"]', '["shifted", "params:b.shift"]'
    )
    assert list(built.run()) == ["b.total"]


def test_touched_input_with_equal_bytes_reruns_nothing(built):
    os.utime(built.root / RAW, (1, 1))
    assert built.run() == {}


def test_changed_input_reruns_what_follows(built):
    built.write(RAW, "1\n2\n4\n")
    reasons = built.run()
    assert reasons["a.read_numbers"] == "input raw_numbers changed"
    assert set(reasons) == set(ALL)
    assert built.page() == "total 24.0, rows 3\n"


def test_deleted_output_is_rebuilt_and_equal_bytes_stop_there(built):
    (built.root / "data/03_primary/shifted.parquet").unlink()
    assert built.run() == {"b.shift_numbers": "output shifted deleted"}
    assert built.run() == {}


@contextmanager
def nothing_writable(folder: Path) -> Iterator[None]:
    """Take away write permission below a folder, and root's right to write all the same."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    above = [path for path in folder.parents if not path.stat().st_mode & 0o001]
    modes = {path: path.stat().st_mode for path in [*folders, *above]}
    for path in above:
        path.chmod(modes[path] | 0o055)
    for path in folders:
        path.chmod(0o555)
    uid = os.geteuid()
    try:
        if uid == 0:
            os.seteuid(65534)
        yield
    finally:
        os.seteuid(uid)
        for path, mode in modes.items():
            path.chmod(mode)


def test_read_only_data_are_up_to_date_or_the_run_says_so(built):
    """Nothing is run, so nothing is written; else the run is refused before the first node."""
    assert built.run() == {}
    with nothing_writable(built.root / "data"):
        assert built.run() == {}
        built.parameters["b"]["shift"] = 5
        with pytest.raises(InputError, match=r"b\.shift_numbers has to run, but .* cannot be written: "):
            built.run()
    assert "b.shift_numbers" in built.run()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "swapped keeping size and times"])
def test_corrupted_output_is_rebuilt(built, damage):
    path: Path = built.root / "data/03_primary/shifted.parquet"
    good, times = path.read_bytes(), path.stat()
    bad = good[:-10] if damage == "truncated" else good[:20] + bytes([good[20] ^ 1]) + good[21:]
    path.write_bytes(bad)
    if "times" in damage:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert built.run() == {"b.shift_numbers": "output shifted changed on disk"}
    assert path.read_bytes() == good


def test_template_next_to_the_code_counts(built):
    built.edit("src/toy/report/templates/page.txt", "total {", "sum {")
    assert built.run() == {"c.render": "package file changed: toy/report/templates/page.txt"}
    assert built.page() == "sum 21.0, rows 3\n"


def test_save_args_count_for_the_maker_and_load_args_for_the_user(built):
    built.catalog["total"]["save_args"] = {"indent": 4}
    assert built.run() == {
        "b.total": "catalog entry total.save_args.indent absent -> 4",
        "c.render": "input total changed",
    }
    built.catalog["numbers"]["load_args"] = {"columns": ["number"]}
    assert set(built.run()) == {"a.count_rows", "b.shift_numbers"}


def test_metadata_of_the_catalog_reruns_nothing(built):
    built.catalog["total"]["metadata"] = {"kedro-viz": {"layer": "primary"}}
    assert built.run() == {}


def test_moved_data_root_has_records_of_its_own(built):
    home = dict(built.catalog)
    built.catalog = {
        name: {
            **entry,
            "filepath": entry["filepath"].replace("data/", "elsewhere/") if name != "raw_numbers" else RAW,
        }
        for name, entry in home.items()
    }
    assert set(built.run()) == set(ALL)
    assert built.run() == {}
    built.catalog = home
    assert built.run() == {}


def test_version_of_a_library_reruns_what_uses_it(built, monkeypatch):
    real = fingerprint._version
    monkeypatch.setattr(fingerprint, "_version", lambda name: "99" if name == "torch" else real(name))
    reasons = built.run()
    assert set(reasons) == set(ALL)
    assert reasons["b.total"].startswith("torch ") and reasons["b.total"].endswith(" -> 99")


def test_version_of_an_unused_library_reruns_nothing(built, monkeypatch):
    real = fingerprint._version
    monkeypatch.setattr(fingerprint, "_version", lambda name: "99" if name == "scikit-learn" else real(name))
    assert built.run() == {}


def test_no_cache_runs_all_and_still_records(built):
    assert built.run(no_cache=True) == dict.fromkeys(ALL, "--no-cache")
    assert built.run() == {}


def test_verify_finds_what_a_forged_memory_hides(built):
    path = built.root / "data/03_primary/shifted.parquet"
    good = path.read_bytes()
    time.sleep(_SETTLED_NS / 1e9)
    built.run()  # files are old enough now for their hashes to be remembered
    memory = built.root / "data/.cache/memory.json"
    before = path.stat()
    path.write_bytes(good[:20] + bytes([good[20] ^ 1]) + good[21:])
    after = path.stat()
    text = memory.read_text()
    stamps = [f"{status.st_size}, {status.st_mtime_ns}, {status.st_ctime_ns}" for status in (before, after)]
    assert text.count(stamps[0]) == 1
    memory.write_text(text.replace(*stamps))
    assert built.run() == {}
    assert built.run(verify=True) == {"b.shift_numbers": "output shifted changed on disk"}
