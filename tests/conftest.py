"""A miniature of the project: the real configuration, a few short proteins cut from the demo."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from helpers.writing import write_fasta
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.sequences.split import SplitConfig, split_of_cluster

ROOT = Path(__file__).parents[1]
DEMO = ROOT / "data/01_raw/demo"
PROTEINS_PER_SPLIT = {"train": 54, "validation": 18, "test": 18}


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests of pipelines; put end-to-end files first, so that no worker begins one at the end."""
    for item in items:
        if ROOT / "tests/pipelines" in item.path.parents:
            item.add_marker("end_to_end")
    long = {item.path for item in items if item.get_closest_marker("end_to_end")}
    items.sort(key=lambda item: item.path not in long)


def write_miniature(folder: Path) -> None:
    """Write the shortest demo proteins of every split, and what belongs to them, as raw files."""
    records = sorted(
        read_fasta(DEMO / "proteins.fasta", FastaConfig()), key=lambda r: (len(r.sequence), r.protein_id)
    )
    clusters = pd.read_csv(DEMO / "clusters.tsv", sep="\t", dtype="str").set_index("accession")["cluster_id"]
    split = SplitConfig()
    taken: Counter[str] = Counter()
    kept = []
    for record in records:
        name = split_of_cluster(clusters[record.protein_id], split.salt, split.fractions)
        if taken[name] < PROTEINS_PER_SPLIT[name]:
            taken[name] += 1
            kept.append(record)
    ids = {record.protein_id for record in kept}
    folder.mkdir(parents=True)
    write_fasta(folder / "proteins.fasta", sorted(kept, key=lambda r: r.protein_id))
    annotations = pd.read_csv(DEMO / "annotations.tsv", sep="\t", dtype="str")
    annotations[annotations["accession"].isin(ids)].to_csv(folder / "annotations.tsv", sep="\t", index=False)
    clusters[clusters.index.isin(ids)].to_csv(folder / "clusters.tsv", sep="\t")
    for name in ("go_slice.obo", "esm2_mini.safetensors"):
        shutil.copyfile(DEMO / name, folder / name)


class Miniature:
    """A copy of the project whose data are the miniature's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "conf", root / "conf")
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copyfile(ROOT / name, root / name)
        # with __pycache__: what numba has compiled serves the copies too
        shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("*.egg-info"))
        write_miniature(self.raw)
        (root / "data/01_raw").mkdir()
        shutil.copyfile(ROOT / "data/01_raw/motifs.tsv", root / "data/01_raw/motifs.tsv")

    @property
    def raw(self) -> Path:
        return self.root / "data/test/01_raw"

    @property
    def data(self) -> Path:
        return self.root / "data/test"

    def kedro(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `kedro` in a fresh process, in environment `test`."""
        done = subprocess.run(
            **self._process(arguments), capture_output=True, text=True, timeout=600, check=False
        )
        self._keep_compiled()
        if check:
            assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start `kedro` in the same way and do not wait; `options`: those of `subprocess.Popen`."""
        return subprocess.Popen(**self._process(arguments), **options)

    def _process(self, arguments: tuple[str, ...]) -> dict[str, Any]:
        return {
            "args": [sys.executable, "-m", "kedro", *arguments],
            "cwd": self.root,
            "env": {**os.environ, "KEDRO_ENV": "test", "COLUMNS": "200", "NO_COLOR": "1"},
        }

    def _keep_compiled(self) -> None:
        """Give what numba has compiled to the project, for the next copy: compiling takes long."""
        for made in (self.root / "src").rglob("*.nb[ci]"):
            kept = ROOT / made.relative_to(self.root)
            if kept.parent.is_dir() and not kept.exists():
                shutil.copy2(made, kept)


@pytest.fixture(scope="session")
def make_miniature() -> Callable[[Path], Miniature]:
    """Return a function that makes a fresh miniature project in a folder."""
    return Miniature
