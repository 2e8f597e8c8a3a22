"""docs/your_data.md: every configuration of the page, word by word, on small files of its formats."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.annotations.files import gaf_line
from tests.conftest import DEMO, ROOT, Miniature, write_miniature

PAGE = (ROOT / "docs/your_data.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in PAGE.split("\n## ")[1:])
SMALL = ",".join(
    (
        "shared.n_resamples=20,training.d_sae=64,training.k=4,training.trainer.epochs=2",
        "disentanglement.monosemanticity.min_groups=3,disentanglement.monosemanticity.min_effective=2.0",
        "disentanglement.absorption.min_carriers=3",
    )
)
pytestmark = pytest.mark.end_to_end


def fasta(folder: Path) -> list[tuple[str, str]]:
    """Return id and sequence of every protein of the miniature."""
    records = (folder / "proteins.fasta").read_text().split(">")[1:]
    return [(r.split()[0], "".join(r.split("\n")[1:])) for r in records]


def write_gaf(folder: Path) -> None:
    rows = pd.read_csv(folder / "annotations.tsv", sep="\t", dtype="str")
    lines = [gaf_line(c2=a, c5=t) for a, t in zip(rows["accession"], rows["go_id"], strict=True)]
    (folder / "annotations.gaf").write_text(
        "\n".join(["!gaf-version: 2.2", *lines, gaf_line(c1="MGI")]) + "\n"
    )
    (folder / "go_slice.obo").rename(folder / "go-basic.obo")


def write_features(folder: Path) -> None:
    lines = ["Entry\tSequence\tDomain [FT]\tRepeat"]
    for i, (name, sequence) in enumerate(fasta(folder)):
        domain = f'DOMAIN {i % 9 + 1}..20; /note="SH3 {i % 3 + 1}; degenerate"' if i % 2 else ""
        lines.append(f'{name}\t{sequence}\t{domain}\tREPEAT 21..30; /note="{i}"')
    (folder / "uniprot.tsv").write_text("\n".join(lines) + "\n")


def write_tables(folder: Path) -> None:
    ids = [name for name, _ in fasta(folder)]
    ec = "".join(f"{name}\tEC:{1 + i % 2}.1\n" for i, name in enumerate(ids))
    pfam = "".join(f"{name}\tPfam:PF{i % 2}\t{i % 5 + 1}\t25\n" for i, name in enumerate(ids))
    (folder / "ec.tsv").write_text("accession\tconcept_id\n" + ec)
    (folder / "ec_parents.tsv").write_text("concept_id\tparent_id\nEC:1.1\tEC:1\nEC:2.1\tEC:2\n")
    (folder / "pfam.tsv").write_text("accession\tconcept_id\tstart\tend\n" + pfam)


def write_activations(folder: Path) -> None:
    ids = np.repeat([f"Q{i:02d}" for i in range(30)], 12)
    vectors = np.random.default_rng(0).normal(size=(len(ids), 8))
    (folder / "activations").mkdir()
    pd.DataFrame({"protein_id": ids, "act": list(vectors)}).to_parquet(folder / "activations/0.parquet")


def nothing(folder: Path) -> None:
    """A FASTA file alone needs no other."""


KINDS: dict[str, Callable[[Path], None]] = {
    "A FASTA file alone": nothing,
    "With annotations as GAF": write_gaf,
    "With sequence features": write_features,
    "With tables of your own": write_tables,
    "With your own activations": write_activations,
}


@pytest.fixture
def configured(tmp_path: Path, make_miniature) -> Callable[[str], tuple[Miniature, Callable[..., str]]]:
    """Return a function that makes a project with the configuration of a section, and a way to run it."""

    def make(title: str) -> tuple[Miniature, Callable[..., str]]:
        project = make_miniature(tmp_path / "project")
        mine = tmp_path / "home/mine"
        write_miniature(mine)
        KINDS[title](mine)
        (project.root / "data/01_raw/demo").mkdir()
        shutil.copy(DEMO / "esm2_mini.safetensors", project.root / "data/01_raw/demo")
        for path, text in re.findall(r"```yaml\n# (conf/\S+)\n(.*?)```", SECTIONS[title], re.DOTALL):
            (project.root / path).parent.mkdir(exist_ok=True)
            (project.root / path).write_text(text)

        def run(*arguments: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "kedro", "run", *arguments],
                cwd=project.root,
                env={**os.environ, "KEDRO_ENV": "", "HOME": str(tmp_path / "home"), "NO_COLOR": "1"},
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
            return done.stdout + done.stderr

        return project, run

    return make


def test_the_page_has_all_kinds():
    assert list(SECTIONS) == list(KINDS)


def test_a_fasta_file_alone_runs_to_the_end(configured):
    """Motifs are too few here: the dictionary is trained and reported without concepts."""
    project, run = configured("A FASTA file alone")
    said = run("--params", SMALL)
    assert "The run goes on without concepts" in said
    made = project.root / "data/mine"
    assert pd.read_parquet(made / "03_primary/concepts.parquet").empty
    metrics = pd.read_csv(made / "08_reporting/metrics.csv")
    assert {"fve", "l0"} <= set(metrics.loc[metrics["method"] == "topk", "metric"])
    page = (made / "08_reporting/report/index.html").read_text()
    assert "sequences: proteins.fasta" in page and "Swiss-Prot, January" not in page


@pytest.mark.parametrize(
    ("title", "concepts"),
    [
        ("With annotations as GAF", {"GO:"}),
        ("With sequence features", {"feature:DOMAIN:SH3", "feature:DOMAIN", "feature:REPEAT"}),
        ("With tables of your own", {"EC:1.1", "EC:2.1", "Pfam:PF0", "Pfam:PF1"}),
    ],
)
def test_concepts_come_from_the_users_files_alone(configured, title: str, concepts: set[str]):
    project, run = configured(title)
    run("--pipelines", "labelling")
    found = pd.read_parquet(project.root / "data/mine/03_primary/concepts.parquet")["concept_id"]
    assert len(found)
    if concepts == {"GO:"}:
        assert found.str.startswith("GO:").all()
    else:
        assert set(found) <= concepts


@pytest.mark.slow
@pytest.mark.parametrize("title", list(KINDS)[1:4])
def test_they_run_to_the_end(configured, title: str):
    project, run = configured(title)
    run("--params", SMALL)
    page = (project.root / "data/mine/08_reporting/report/index.html").read_text()
    assert "Files of this run" in page and "January 2014" not in page


def test_activations_of_your_own_are_trained_on(configured):
    project, run = configured("With your own activations")
    run("--env", "parquet", "--pipelines", "training")
    assert (project.root / "data/mine/06_models/topk/sae.safetensors").is_file()
