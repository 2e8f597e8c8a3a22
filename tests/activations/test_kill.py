"""kill -9 at random moments, the same command again and again: the same bytes as without."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.plm.tiny_esm2 import tiny_esm2, write_safetensors

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(__file__).with_name("extract_process.py"))
N_ROUNDS, N_KILLS = 3, 3


def start(model, folder):
    """Start an extraction and return when it begins to write."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, str(model), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begins\n"
    return process


def finish(process):
    with process:
        assert process.wait(timeout=120) == 0


def snapshot(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_a_run_killed_anywhere_and_repeated_ends_in_the_same_bytes(tmp_path):
    model = write_safetensors(tmp_path / "tiny.safetensors", tiny_esm2())
    finish(start(model, tmp_path / "reference"))
    reference = snapshot(tmp_path / "reference")
    assert len(reference) == 60 + 2
    moments = random.Random(7)
    n_shards = []
    for i in range(N_ROUNDS):
        folder = tmp_path / f"killed_{i}"
        for n_wanted in sorted(moments.randrange(50) for _ in range(N_KILLS)):
            process = start(model, folder)
            while process.poll() is None and len(list(folder.glob("shard-*.parquet"))) < n_wanted:
                time.sleep(0.001)
            time.sleep(moments.uniform(0, 0.01))
            with process:
                process.kill()
            left = snapshot(folder) if folder.exists() else {}
            n_shards.append(sum(name.startswith("shard-") for name in left))
            assert "manifest.json" not in left or len(left) == len(reference)
        finish(start(model, folder))
        assert snapshot(folder) == reference
    print(f"killed after {n_shards} of 60 shards")
    assert len({n for n in n_shards if 0 < n < 60}) >= 3
