"""The cache through `kedro`, each command in a process of its own."""

import json
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.end_to_end

ALL = ["a.read_numbers", "a.count_rows", "b.shift_numbers", "b.total", "c.render"]


def ran(process: subprocess.CompletedProcess[str]) -> list[str]:
    return [line.split()[1] for line in process.stdout.splitlines() if line.startswith("run   ")]


def snapshot(root) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*") if "__pycache__" not in path.parts}


def test_run_is_cached_and_named_pipelines_include_ancestors(toy):
    before = snapshot(toy.root)
    plan = toy.command("run", "--plan")
    assert "5 to run (0.0 s, 0 B, 5 unknown)" in plan.stdout
    assert snapshot(toy.root) == before
    assert ran(toy.command("run", "--pipelines", "b")) == ["a.read_numbers", "b.shift_numbers", "b.total"]
    older_spelling = toy.command("run", "--pipeline", "c")
    assert ran(older_spelling) == ["a.count_rows", "c.render"]
    assert "2 run, 3 skipped" in older_spelling.stdout
    record = json.loads((toy.root / "data/08_reporting/run.json").read_text())
    statuses = {name: node["status"] for name, node in record["nodes"].items()}
    assert statuses == dict.fromkeys(ALL, "skipped") | {"a.count_rows": "ran", "c.render": "ran"}
    stats = json.loads((toy.root / ".viz/stats.json").read_text())
    assert stats["shifted"]["rows"] == 3  # of a node that the last run skipped
    assert all(node["seconds"] >= 0 and node["peak_memory_mb"] > 1 for node in record["nodes"].values())

    before = snapshot(toy.root)
    plan = toy.command("run", "--plan", "--params", "b.exponent=2")
    assert snapshot(toy.root) == before
    told = {line.split()[1]: line for line in plan.stdout.splitlines() if line.startswith(("run", "skip"))}
    assert "parameter b.exponent 1 -> 2  [" in told["b.total"]
    assert told["c.render"].startswith("run?") and "if total changes" in told["c.render"]
    assert told["a.read_numbers"].startswith("skip")
    assert ran(toy.command("run", "--params", "b.exponent=2")) == ["b.total", "c.render"]


def test_help_shows_the_options_of_the_cache(toy):
    command = [sys.executable, "-m", "kedro", "run", "--help"]
    text = subprocess.check_output(command, cwd=toy.root, env=toy.environment(), text=True)
    assert all(option in text for option in ("--no-cache", "--plan", "--verify", "--pipelines", "--params"))


def test_input_error_ends_the_run_and_run_json_has_all_nodes(toy):
    toy.edit(
        "src/toy/pipelines/b/nodes.py", "def total", "from protsae.core.errors import InputError\n\ndef total"
    )
    toy.edit(
        "src/toy/pipelines/b/nodes.py",
        "    from toy.lazy",
        "    raise InputError('row 3: no')\n    from toy.lazy",
    )
    process = toy.command("run", check=False)
    assert process.returncode == 1
    assert process.stderr.strip() == "row 3: no"
    assert "row 3" not in process.stdout and "Traceback" not in process.stdout
    assert "b.total failed; the same command continues here" in process.stdout
    record = json.loads((toy.root / "data/08_reporting/run.json").read_text())
    assert (record["status"], record["error"], record["commit"]) == ("failed", "row 3: no", None)
    statuses = {name: node["status"] for name, node in record["nodes"].items()}
    assert statuses == dict.fromkeys(ALL, "ran") | {"b.total": "failed", "c.render": "not reached"}
    assert record["inputs"]["raw_numbers"] == {
        "path": "data/01_raw/numbers.txt",
        "bytes": 6,
        "sha256": "14c5e74c4b96ccef41cd94db73a9ec3348038ac094feca4fd897cecffa07cdae",
    }
    assert record["parameters"] == {"b.shift": 1, "b.exponent": 1}


def test_killed_between_output_and_record_the_same_command_continues(toy):
    toy.edit("src/toy/settings.py", "HOOKS = (", "HOOKS = (Killer(), ")
    toy.edit(
        "src/toy/settings.py",
        "from protsae.hooks",
        "import os, signal\n"
        "from kedro.framework.hooks import hook_impl\n\n"
        "class Killer:\n"
        "    @hook_impl\n"
        "    def after_dataset_saved(self, dataset_name):\n"
        "        if dataset_name == os.environ.get('KILL_AFTER'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n\n"
        "from protsae.hooks",
    )
    assert toy.command("run", check=False, KILL_AFTER="shifted").returncode == -signal.SIGKILL
    assert (toy.root / "data/03_primary/shifted.parquet").exists()
    assert ran(toy.command("run")) == ["b.shift_numbers", "b.total", "c.render"]
    assert toy.page() == "total 21.0, rows 3\n"


def test_killed_inside_a_write_the_half_file_is_replaced(toy):
    toy.run()
    toy.edit(
        "src/toy/pipelines/b/nodes.py",
        "    return numbers.assign",
        "    import os\n"
        "    if os.environ.get('KILL_INSIDE'):\n"
        "        open('data/03_primary/shifted.parquet', 'wb').write(b'PAR1 half')\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return numbers.assign",
    )
    assert toy.command("run", check=False, KILL_INSIDE="1").returncode == -signal.SIGKILL
    assert (toy.root / "data/03_primary/shifted.parquet").read_bytes() == b"PAR1 half"
    assert ran(toy.command("run")) == ["b.shift_numbers"]  # the bytes come out as before
    assert toy.page() == "total 21.0, rows 3\n"


def test_second_run_over_the_same_data_is_refused_until_a_kill(toy):
    folder = toy.root / "data/.cache"
    folder.mkdir(parents=True)
    holder = (
        "import time; from pathlib import Path; from protsae.caching.lock import exclusive\n"
        f"with exclusive(Path({str(folder)!r})): print('held', flush=True); time.sleep(60)"
    )
    first = subprocess.Popen(
        [sys.executable, "-c", holder], stdout=subprocess.PIPE, text=True, env=toy.environment()
    )
    try:
        assert first.stdout is not None and "held\n" in iter(first.stdout.readline, "")
        second = toy.command("run", check=False)
        assert second.returncode == 1
        assert f"process {first.pid}, since 20" in second.stderr and "command: -c" in second.stderr
        assert "Traceback" not in second.stdout + second.stderr
        assert not list(folder.glob("node-*")) and not (toy.root / "data/08_reporting").exists()
    finally:
        first.kill()
        first.wait()
        first.stdout.close()
    assert len(toy.run()) == len(ALL)


def test_clean_cache_removes_what_nothing_refers_to(toy):
    toy.run()
    data = toy.root / "data"
    outside = toy.write("outside/precious.txt", "not ours")
    (data / "07_model_output").symlink_to(outside.parent)
    (data / "03_primary/linked").symlink_to(outside.parent)
    stray = [
        toy.write("data/.cache/node-gone.json-0123456789ab.json", "{}"),
        toy.write("data/03_primary/.total.json.x7.tmp", "half"),
        toy.write("data/06_models/old/sae.bin", "old"),
    ]
    kept = [toy.write("data/01_raw/other.txt", "raw"), toy.write("data/06_models/.gitkeep", ""), outside]
    listed = toy.command("clean-cache", "--dry-run").stdout
    assert all(str(path) in listed and path.exists() for path in stray) and "3 files" in listed
    assert "Remove them?" in toy.command("clean-cache", check=False).stdout
    assert all(path.exists() for path in stray)
    toy.command("clean-cache", "--yes")
    assert not any(path.exists() for path in stray) and not (data / "06_models/old").exists()
    assert all(path.exists() for path in kept)
    assert toy.run() == {}
