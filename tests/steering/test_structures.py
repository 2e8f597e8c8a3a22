"""The judge of structures: TM-scores against hand-made cases and a slow search; a command that folds."""

import sys

import numpy as np
import pandas as pd
import pytest
from Bio.Data.PDBData import protein_letters_1to3
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from protsae.core.errors import InputError
from protsae.steering.config import StructuresConfig
from protsae.steering.structures import FOLDER_NAME, fold, judge_structures, tm_score

THREE = {letter: name.upper() for letter, name in protein_letters_1to3.items()}
BEFORE, AFTER = "MKTAYIAKQRQISFVKSHFSRQLEERLG", "MKTAYIAKQRWWSFVKSHFSRQLEERLG"
DESIGNS = pd.DataFrame(
    {
        "id": ["P1", "P2"],
        "go_id": ["GO:0003677", "GO:0003677"],
        "sample": [0, 0],
        "original_sequence": [BEFORE, BEFORE[::-1]],
        "generated_sequence": [AFTER, AFTER[::-1]],
    }
)
FOLD = """
import sys
from pathlib import Path
from Bio.Data.PDBData import protein_letters_1to3
for record in Path(sys.argv[1]).read_text().split(">")[1:]:
    name, sequence = record.split()
    lines = [
        f"ATOM  {i + 1:5d}  CA  {protein_letters_1to3[a].upper()} A{i + 1:4d}    "
        f"{3.8 * i:8.3f}{0:8.3f}{0:8.3f}  1.00{70:6.2f}           C"
        for i, a in enumerate(sequence)
    ]
    (Path(sys.argv[2]) / f"{name}.pdb").write_text("\\n".join([*lines, "END", ""]))
"""


def walk(n, seed=0):
    steps = np.random.default_rng(seed).normal(size=(n, 3))
    return (3.8 * steps / np.linalg.norm(steps, axis=1, keepdims=True)).cumsum(axis=0)


def pdb(sequence, places, confidence, method=""):
    lines = [f"EXPDTA    {method}"] if method else []
    lines += [
        f"ATOM  {i + 1:5d}  CA  {THREE[a]} A{i + 1:4d}    "
        f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00{confidence:6.2f}           C"
        for i, (a, (x, y, z)) in enumerate(zip(sequence, places, strict=True))
    ]
    return "\n".join([*lines, "END", ""])


def test_tm_score_is_one_after_any_motion_and_not_for_the_mirror_image():
    places = walk(60)
    moved = places @ Rotation.random(random_state=1).as_matrix().T + [5, -7, 30]
    assert tm_score(moved, places) == pytest.approx(1.0, abs=1e-9)
    assert tm_score(places * [1, 1, -1], places) < 0.5


def test_residues_that_the_structure_lacks_count_as_none():
    places = walk(60)
    assert tm_score(places[:45], places[:45], 60) == pytest.approx(0.75, abs=1e-9)


def test_a_domain_that_moved_far_away_counts_nothing():
    """Forty of 100 residues lie 500 angstrom off: sixty score 1, the others 1 / (1 + (500 / d0)^2)."""
    places = walk(100)
    moved = places.copy()
    moved[60:] += [500.0, 0, 0]
    d0 = 1.24 * 85 ** (1 / 3) - 1.8
    assert tm_score(moved, places) == pytest.approx(0.6 + 0.4 / (1 + (500 / d0) ** 2), abs=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_tm_score_equals_a_slow_search_over_rotations(seed):
    generator = np.random.default_rng(seed)
    reference = walk(40, seed)
    places = reference + generator.normal(scale=1.5, size=reference.shape)
    places[25:] = places[25:] @ Rotation.from_rotvec([0, 0.8, 0]).as_matrix().T
    d0 = 1.24 * 25 ** (1 / 3) - 1.8

    def loss(x):
        moved = places @ Rotation.from_rotvec(x[:3]).as_matrix().T + x[3:]
        return -np.mean(1 / (1 + ((moved - reference) ** 2).sum(axis=1) / d0**2))

    starts = [generator.normal(size=6) * [1, 1, 1, 10, 10, 10] for _ in range(60)]
    starts += [np.zeros(6)]
    slow = -min(minimize(loss, start).fun for start in starts)
    assert tm_score(places, reference) == pytest.approx(slow, abs=0.01)


def test_designs_are_judged_against_originals_and_experiments_have_no_confidence(tmp_path):
    places = walk(len(BEFORE))
    turned = places @ Rotation.random(random_state=2).as_matrix().T
    (tmp_path / "P1.pdb").write_text(pdb(BEFORE, places, 30, "X-RAY DIFFRACTION"))
    (tmp_path / "P1__GO_0003677__0.pdb").write_text(pdb(AFTER, turned, 0.8))
    found = judge_structures(DESIGNS, tmp_path)
    (row,) = found.to_dict("records")
    assert (row["id"], row["structure"], row["n_residues"]) == ("P1", "P1__GO_0003677__0", len(BEFORE))
    assert row["plddt"] == pytest.approx(80)  # written as a share
    assert np.isnan(row["original_plddt"])
    assert row["tm_score"] == pytest.approx(1, abs=1e-3)  # three decimals in the file


def test_a_structure_of_another_sequence_is_refused(tmp_path):
    (tmp_path / "P1__GO_0003677__0.pdb").write_text(pdb(BEFORE[::-1], walk(len(BEFORE)), 80))
    with pytest.raises(InputError, match=r"P1__GO_0003677__0\.pdb.*another sequence"):
        judge_structures(DESIGNS, tmp_path)


def test_two_proteins_of_one_file_name_are_refused():
    designs = DESIGNS.assign(id=["P|1", "P 1"])
    with pytest.raises(InputError, match="P_1"):
        judge_structures(designs, None)


def test_without_structures_the_table_is_empty():
    assert judge_structures(DESIGNS, None).empty


def test_the_command_folds_what_is_missing_alone(tmp_path):
    (tmp_path / "fold.py").write_text(FOLD)
    config = StructuresConfig(command=(sys.executable, str(tmp_path / "fold.py"), "{fasta}", "{folder}"))
    fold(DESIGNS, tmp_path, config)
    made = tmp_path / FOLDER_NAME
    assert sorted(path.name for path in made.iterdir()) == [
        *("P1.pdb", "P1__GO_0003677__0.pdb", "P2.pdb", "P2__GO_0003677__0.pdb"),
    ]
    found = judge_structures(DESIGNS, made, config)
    assert found["plddt"].tolist() == found["original_plddt"].tolist() == [70, 70]
    kept = (made / "P1.pdb").stat().st_mtime_ns
    (made / "P2.pdb").write_text("damaged")
    fold(DESIGNS, tmp_path, config)
    assert (made / "P1.pdb").stat().st_mtime_ns == kept
    assert judge_structures(DESIGNS, made, config)["tm_score"].tolist() == pytest.approx([1, 1])


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import sys; sys.exit('no GPU')", "ended with 1: no GPU"),
        ("pass", "made no structure of 4 of 4 sequences"),
    ],
)
def test_a_command_that_fails_says_so(tmp_path, program, words):
    (tmp_path / "fold.py").write_text(program)
    config = StructuresConfig(command=(sys.executable, str(tmp_path / "fold.py"), "{fasta}", "{folder}"))
    with pytest.raises(InputError, match=words):
        fold(DESIGNS, tmp_path, config)


def test_a_command_without_its_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="folder"):
        StructuresConfig(command=("fold", "{fasta}"))
    with pytest.raises(InputError, match="cannot be run"):
        fold(DESIGNS, tmp_path, StructuresConfig(command=("/no/such", "{fasta}{folder}")))
