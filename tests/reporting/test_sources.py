"""What the report says of the data: of known files by their content, nothing of the demo about others."""

import pytest
from tests.conftest import ROOT

from protsae.core.files import sha256_file
from protsae.reporting.config import ReportTexts
from protsae.reporting.sources import KNOWN, source_files, with_sources

TEXTS = ReportTexts(title="x")
DEMO = ROOT / "data/01_raw/demo"
FILES = (
    "proteins.fasta",
    "annotations.tsv",
    "go_slice.obo",
    "clusters.tsv",
    "esm2_mini.safetensors",
    "../motifs.tsv",
)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_the_demo_is_known_by_its_present_content(name: str):
    assert sha256_file(DEMO / name) in KNOWN


def test_the_demo_states_its_limits_and_sources():
    files = source_files(
        {"sequences": DEMO / "proteins.fasta", "ontology": DEMO / "go_slice.obo", "features": None}
    )
    model = {"model": "esm2_mini", "model_sha256": sha256_file(DEMO / "esm2_mini.safetensors")}
    texts = with_sources(TEXTS, files, model)
    assert [note.split(" ")[1] for note in texts.notes] == ["data", "language"]
    assert [line.split(":")[0] for line in texts.attribution] == ["Proteins", "Ontology", "Language model"]
    n_proteins = (DEMO / "proteins.fasta").read_text().count(">")
    assert f"{n_proteins} proteins of 50 to 512 residues" in texts.notes[0]


def test_nothing_of_the_demo_is_said_of_other_files(tmp_path):
    mine, table = tmp_path / "mine.fasta", tmp_path / "ec.tsv"
    mine.write_bytes((DEMO / "proteins.fasta").read_bytes() + b">own\nMKV\n")
    table.write_text("accession\tconcept_id\nown\tEC:1\n")
    files = source_files({"sequences": mine, "concept tables": {"EC": table}, "clusters": None})
    texts = with_sources(TEXTS, files, {"model": "own_model", "model_sha256": "ab" * 32})
    assert texts.notes == ()
    (line,) = texts.attribution
    assert line.startswith(f"Files of this run: sequences: mine.fasta (SHA-256 {sha256_file(mine)[:12]}); ")
    assert "concept tables EC: ec.tsv" in line and "language model: own_model (SHA-256 abababababab)" in line
    assert line.endswith("set reporting.texts.attribution.")


def test_what_the_user_states_comes_first_and_stands_alone(tmp_path):
    path = tmp_path / "x.fa"
    path.write_text(">a\nMKV\n")
    own = ReportTexts(title="x", notes=("Mine.",), attribution=("My lab, CC0.",))
    texts = with_sources(own, source_files({"sequences": path}), {})
    assert texts.notes == ("Mine.",)
    assert texts.attribution[0] == "My lab, CC0." and "set reporting" not in texts.attribution[1]
