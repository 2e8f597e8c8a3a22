"""What is executed is counted: the whole miniature under a profiler, against what fingerprints say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SHELL = ("protsae.caching", "protsae.hooks")
OWN_ARCHITECTURE = {"protsae.sae.topk:TopKSae", "protsae.sae.dense:LinearEncoderSae"}
"""What judging leaves to the training of the member, whose fingerprint is part of the judgement's."""


@pytest.mark.slow
def test_fingerprints_count_all_code_that_nodes_and_plans_execute(tmp_path, make_miniature):
    project = make_miniature(tmp_path / "project")
    script = Path(__file__).with_name("traced_run.py")
    subprocess.run(
        [sys.executable, str(script), "__default__", "sweeps", "pretraining"],
        cwd=project.root,
        env={**os.environ, "KEDRO_ENV": "test", "PYTHONPATH": str(project.root / "src")},
        check=True,
    )
    missed = json.loads((project.root / "traced.json").read_text())
    assert {"shards", "trainings", "judging", "pretraining", "probing.evaluate_references"} <= missed.keys()
    missed["judging"] = set(missed["judging"]) - OWN_ARCHITECTURE
    found = {name: [item for item in items if not item.startswith(SHELL)] for name, items in missed.items()}
    assert {name: items for name, items in found.items() if items} == {}
