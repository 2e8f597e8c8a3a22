"""The notebooks run from a bare clone, use nothing but the interface, and show what they show."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHECKS = {
    "first_look": """
assert codes.shape == (404, 1024) and 0.98 < 1 - residual / (x - x.mean(dim=0)).square().sum() < 1
assert "plasma membrane" in named.nlargest(5)
assert changes["nothing edited"] < 1e-6 < changes["without this latent"] < changes["without any latent"]
""",
    "reading_cards": """
assert card.card["kind"] == "defined" and card.examples["has_concept"].mean() > 0.5
assert latents.loc[best, "kind"] == "free" and (named["above"] > 0.2).any()
""",
    "my_own_proteins": """
best = ranked.groupby("protein_id")["name"].apply(lambda names: set(names.head(8)))
assert "integral component of membrane" in best["P51810"] and "translation" in best["Q2YAZ3"]
assert found.table("proteins")["is_far"].all() and active["strength"].between(0, 1.5).all()
""",
    "comparing_dictionaries": """
assert (found.summary.loc["FVE"] > 0.98).all() and found.summary.loc["defined latents", "topk"] == 0
assert both["f1_test"].mean() > both["f1_test_plain"].mean()
assert 0.3 < same_number < 0.7
""",
}
ALLOWED = {"protsae", "pandas", "torch", "pathlib", "tempfile"}


def code_of(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def test_there_is_a_check_for_every_notebook():
    assert {path.stem for path in NOTEBOOKS} == CHECKS.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_uses_the_interface_alone_and_keeps_its_outputs(path):
    for node in ast.walk(ast.parse(code_of(path))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module] if isinstance(node, ast.ImportFrom) else []
        assert set(names) <= ALLOWED, names
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert sum(bool(cell.get("outputs")) for cell in cells) >= 2
    assert path.stat().st_size < 100_000


@pytest.mark.end_to_end
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_a_bare_clone(path, tmp_path):
    """In an empty folder: what it needs is in the package."""
    runner = (
        "import json, sys; from notebooks import run; "
        "exec(sys.argv[2], run(json.load(open(sys.argv[1])))['names'])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", runner, str(path), CHECKS[path.stem]],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'benchmarks'}", "PATH": ""},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
