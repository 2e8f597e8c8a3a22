"""The folder: whole or as it was, without anything of an earlier build, and the same for the same data."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from protsae.core.errors import InputError
from protsae.explorer.folder import SitePlan

from .conftest import Site, parse


def one(value):
    return lambda: [("index", value), ("part-1", [value])]


def content(path: Path) -> dict[str, bytes]:
    return {str(f.relative_to(path)): f.read_bytes() for f in path.rglob("*") if f.is_file()}


def test_every_file_is_one_call_with_the_run_of_the_page(site):
    assert len(site.files()) > 20
    for path in site.files():
        run, name, _ = parse(path)
        assert run == site.data.name
        assert name == path.stem
    assert f'data-run="{site.data.name}"' in site.index


def test_same_data_give_the_same_folder_and_other_data_another_run(tmp_path):
    for name, value in {"a": 1, "b": 1, "c": 2}.items():
        SitePlan("t", one(value)).run(tmp_path / name)
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert Site(tmp_path / "a").data.name != Site(tmp_path / "c").data.name
    before = content(tmp_path / "a")
    (next((tmp_path / "a" / "data").iterdir()) / "part-1.js").write_text("damaged")
    (next((tmp_path / "a" / "data").iterdir()) / "stale.js").write_text("stale")
    SitePlan("t", one(1)).run(tmp_path / "a")
    assert content(tmp_path / "a") == before


def test_rebuild_leaves_nothing_of_the_earlier_build(tmp_path):
    SitePlan("t", lambda: [("index", 1), *((f"part-{i}", i) for i in range(9))]).run(tmp_path)
    SitePlan("t", one(2)).run(tmp_path)
    assert sorted(path.name for path in Site(tmp_path).data.iterdir()) == ["index.js", "part-1.js", "vendor"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "index.html"]


def test_failing_build_leaves_the_old_explorer(tmp_path):
    SitePlan("t", one(1)).run(tmp_path)
    before = content(tmp_path)

    def files():
        yield "index", 2
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        SitePlan("t", files).run(tmp_path)
    assert content(tmp_path) == before


KILLED = """
import os, signal, sys
from pathlib import Path
from protsae.explorer import folder
place = sys.argv[2]
def files():
    yield "index", 2
    if place == "data": os.kill(os.getpid(), signal.SIGKILL)
    yield "part-1", [2]
if place == "index":
    folder.write_text_atomic = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
folder.SitePlan("t", files).run(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("place", ["data", "index"])
def test_killed_build_leaves_the_old_explorer_and_the_next_one_tidies_up(tmp_path, place):
    SitePlan("t", one(1)).run(tmp_path)
    before = content(tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-c", KILLED, tmp_path, place], check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    assert content(tmp_path).items() >= before.items()
    SitePlan("t", one(3)).run(tmp_path)
    assert Site(tmp_path)["index"] == 3
    assert len(content(tmp_path)) == 5  # with what is vendored


def test_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(InputError, match=r"thesis\.tex.*no part of an explorer"):
        SitePlan("t", one(1)).run(tmp_path)


def test_vendored_scripts_are_copied_and_count_for_the_run(tmp_path):
    from shutil import copytree

    from protsae.explorer.site import FOLDER

    runs = []
    for text in ("one", "two"):
        page = tmp_path / text
        copytree(FOLDER, page)
        (page / "vendor").mkdir(exist_ok=True)
        (page / "vendor" / "other.js").write_text(text)
        SitePlan("t", one(1), page).run(tmp_path / f"site-{text}")
        found = Site(tmp_path / f"site-{text}")
        assert (found.data / "vendor" / "other.js").read_text() == text
        runs.append(found.data.name)
    assert runs[0] != runs[1]
