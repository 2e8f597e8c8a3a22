"""The pages: tests that they name exist, and their examples in Python run."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.activations.test_parquet import write
from tests.sae.interchange import foreign

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import read_annotations
from protsae.plm.forward import LOGITS
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sequences.records import RecordsConfig, read_sequences

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
PROMISING = ("caching", "training", "extraction", "inputs", "interchange")


def named_in(text: str) -> list[tuple[str, str]]:
    """Return the paths below `tests` and the functions (empty where none is given) that a text names."""
    return re.findall(r"(?<![\w/])(tests/[\w/.*-]*[\w*])(?:::(\w+))?", text)


def missing(path: str, function: str) -> bool:
    """Return whether a path (perhaps with `*`), or the function in it, does not exist."""
    found = list(ROOT.glob(path))
    return not found or bool(function and not any(f"def {function}(" in file.read_text() for file in found))


def test_every_test_that_a_page_names_exists():
    named = {page: named_in(page.read_text(encoding="utf-8")) for page in PAGES}
    assert {page.stem for page, tests in named.items() if len(tests) > 3} >= set(PROMISING)
    assert [(page.name, one) for page, tests in named.items() for one in tests if missing(*one)] == []


def test_a_test_is_named_with_its_folder():
    for page in PAGES:
        assert not re.findall(r"`(?:[^`]* )?test_\w+\.py", page.read_text(encoding="utf-8")), page.name


@pytest.mark.parametrize(
    ("text", "is_missing"),
    [
        ("(`tests/project/test_docs.py`)", False),
        ("(`tests/project/test_doc.py`)", True),
        ("`tests/*/test_docs.py`, all", False),
        ("`tests/project`.", False),
        ("`tests/project/test_docs.py::test_a_test_is_named_with_its_folder`", False),
        ("`tests/project/test_docs.py::test_a_test`", True),
    ],
)
def test_names_that_do_not_exist_would_be_found(text: str, is_missing: bool):
    ((path, function),) = named_in(text)
    assert missing(path, function) is is_missing


def run_example(page: str, *changes: tuple[str, str], **names: object) -> dict[str, object]:
    """Run the first example in Python of a page, changed word by word, and return what it defines."""
    code = (ROOT / "docs" / page).read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    for old, new in changes:
        assert old in code
        code = code.replace(old, new)
    exec(code, names)
    return names


def test_the_example_of_extraction_patches_a_residue(monkeypatch):
    monkeypatch.chdir(ROOT)
    made = run_example("extraction.md")
    captured, silenced = made["captured"], made["silenced"]
    assert len(captured["final_norm"]) == 15 and silenced[LOGITS].shape == (15, 33)
    changed = (captured["layers.1.resid_post"] != silenced["layers.1.resid_post"]).any(dim=1)
    assert changed.nonzero().flatten().tolist() == [3]


def test_the_example_of_training_reads_parquet_of_your_own(tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path / "x.parquet", {f"P{i}": rng.normal(size=(9, 6)).astype(np.float32) for i in range(40)})
    small = ("d_sae=10240, k=32", "d_sae=12, k=2")
    run_example("training.md", ("/data/esm2_650m_layer24", str(tmp_path)), ("out/", f"{tmp_path}/"), small)
    assert SaeCheckpoint(tmp_path / "sae.safetensors").config["architecture"] == "topk"


def test_the_example_of_interchange_loads_a_foreign_dictionary(tmp_path):
    path, codes, reconstruction = foreign.write_relu(tmp_path)
    x = torch.from_numpy(foreign.INPUT).float()
    made = run_example("interchange.md", ("InterPLM-esm2-8m/layer_4/ae_unnormalized.pt", str(path)), x=x)
    np.testing.assert_allclose(made["codes"].detach(), codes, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(made["sae"].sae(x).detach(), reconstruction, rtol=2e-5, atol=2e-5)


def test_the_example_of_inputs_makes_text_files_of_a_pickle(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = {
        "accessions": ["P1; P9;", "P2;"],
        "proteins": ["A_HUMAN", "B_HUMAN"],
        "sequences": ["MKV", "MKL"],
        "annotations": [["GO:1|IDA", "GO:2|IEA"], []],
    }
    pd.DataFrame(table).to_pickle("train_data.pkl")
    run_example("inputs.md", pd=pd, Path=Path)
    records = read_sequences(Path("train.fasta"), RecordsConfig())
    assert [(r.protein_id, r.description, r.sequence) for r in records] == [
        ("P1", "A_HUMAN", "MKV"),
        ("P2", "B_HUMAN", "MKL"),
    ]
    rows = read_annotations(Path("train.tsv"), AnnotationsConfig())
    assert rows[["accession", "term_id", "evidence"]].to_numpy().tolist() == [
        ["P1", "GO:1", "IDA"],
        ["P1", "GO:2", "IEA"],
    ]
