"""kill -9 at random moments, the same command again and again: the same bytes as without."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.prediction.small import small_release

ROOT = Path(__file__).parents[2]
PROGRAM = str(Path(__file__).with_name("predict_process.py"))


def start(release, folder):
    """Start a prediction and return when it begins to write."""
    process = subprocess.Popen(
        [sys.executable, PROGRAM, str(release.path), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"begins\n"
    return process


def finish(process):
    with process:
        assert process.wait(timeout=240) == 0


def snapshot(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_a_prediction_killed_anywhere_and_repeated_ends_in_the_same_bytes(tmp_path):
    release, out = small_release(tmp_path), tmp_path / "out"
    finish(start(release, tmp_path / "reference"))
    moments, left = random.Random(3), []
    for n_wanted in (4, 13, 22, 29):
        process = start(release, out)
        while process.poll() is None and len(list(out.glob("shards/*/shard.json"))) < n_wanted:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.02))
        with process:
            process.kill()
        left.append(len(list(out.glob("shards/*/shard.json"))))
        assert not (out / "prediction.json").exists() or not (out / "shards").exists()
    assert left[0] >= 4 and left == sorted(left), "whole shards are kept"
    finish(start(release, out))
    assert snapshot(out) == snapshot(tmp_path / "reference")
