"""Structures: residues are those of the protein, by an alignment that is checked by hand."""

import numpy as np
import pytest
from Bio.Data.PDBData import protein_letters_1to3

from protsae.core.errors import InputError
from protsae.explorer.structures import read_structures
from protsae.sequences.structures import fit, read_structure

from .conftest import HOSTILE, TEXTS, Site

THREE = {letter: name.upper() for letter, name in protein_letters_1to3.items()}
SEQUENCE = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKV"


def pdb(letters, numbers, chain="A", title="A MADE-UP STRUCTURE"):
    lines = [f"HEADER    TEST                                    01-JAN-26   1ABC\nTITLE     {title}"]
    for serial, (letter, number) in enumerate(zip(letters, numbers, strict=True), start=1):
        digits, code = (number, " ") if isinstance(number, int) else (int(number[:-1]), number[-1])
        lines.append(
            f"ATOM  {serial:5d}  CA  {THREE[letter]} {chain}{digits:4d}{code}   "
            f"{serial * 1.0:8.3f}{0:8.3f}{0:8.3f}  1.00{serial + 30:6.2f}           C"
        )
    return "\n".join([*lines, "TER", "END", ""])


def cif(letters, numbers, chain="A"):
    fields = (
        *("group_PDB", "id", "type_symbol", "label_atom_id", "label_alt_id", "label_comp_id"),
        *("label_asym_id", "label_entity_id", "label_seq_id", "pdbx_PDB_ins_code", "Cartn_x", "Cartn_y"),
        *("Cartn_z", "occupancy", "B_iso_or_equiv", "auth_seq_id", "auth_asym_id", "pdbx_PDB_model_num"),
    )
    rows = [
        f"ATOM {i} C CA . {THREE[letter]} X 1 {i} ? {i}.0 0.0 0.0 1.0 50.0 {number} {chain} 1"
        for i, (letter, number) in enumerate(zip(letters, numbers, strict=True), start=1)
    ]
    return "\n".join(["data_TEST", "loop_", *(f"_atom_site.{name}" for name in fields), *rows, "#", ""])


def test_missing_residues_and_a_tag_are_mapped_by_hand(tmp_path):
    # A tag of four residues, residues 4 to 20 and 31 to 59 of the protein, one exchanged.
    letters = "GSHM" + SEQUENCE[3:20] + SEQUENCE[30:40] + "W" + SEQUENCE[41:]
    numbers = [*range(-3, 1), *range(104, 121), *range(131, 160)]
    (tmp_path / "P1.pdb").write_text(pdb(letters, numbers))
    found = read_structures(tmp_path, ["P0", "P1"], ["AAAA", SEQUENCE], 0.9)
    (about,) = found.of_protein[1]
    assert about["refused"] is None
    expected = [None] * 3 + list(range(104, 121)) + [None] * 10 + list(range(131, 160))
    assert about["map"] == expected
    assert about["identity"] == pytest.approx(45 / 46, abs=1e-4)
    assert (about["kind"], about["chain"], about["title"]) == ("pdb", "A", "a made-up structure")
    assert about["plddt"] is None


def test_a_relative_is_not_taken_for_its_best_part():
    """One half identical, of the other every second residue: 75 % in all."""
    half = len(SEQUENCE) // 2
    relative = SEQUENCE[:half] + "".join("W" if i % 2 else a for i, a in enumerate(SEQUENCE[half:]))
    assert fit(relative, SEQUENCE).identity < 0.8


@pytest.mark.parametrize("name", ["AF-P1-F1-model_v4", "1abc_P1", "P1"])
def test_mmcif_by_author_numbers_and_names_that_hold_the_accession(tmp_path, name):
    (tmp_path / f"{name}.cif").write_text(cif(SEQUENCE, range(11, 11 + len(SEQUENCE)), chain="Q"))
    (about,) = read_structures(tmp_path, ["P1"], [SEQUENCE], 0.9).of_protein[0]
    assert about["map"] == list(range(11, 11 + len(SEQUENCE)))
    assert about["chain"] == "Q"
    assert (about["plddt"] is not None) == name.startswith("AF-")


def test_insertion_codes_are_part_of_the_number(tmp_path):
    (tmp_path / "P1.pdb").write_text(pdb(SEQUENCE[:30], [*range(1, 10), "9A", *range(10, 30)]))
    (about,) = read_structures(tmp_path, ["P1"], [SEQUENCE], 0.9).of_protein[0]
    assert about["map"][8:11] == [9, "9A", 10]


def test_the_chain_that_fits_is_taken(tmp_path):
    other = "".join(np.random.default_rng(0).choice(list(THREE), 80))
    two = (
        pdb(other, range(1, 81), "A").replace("END\n", "")
        + pdb(SEQUENCE, range(1, 60), "B").split("\n", 2)[2]
    )
    (tmp_path / "P1.pdb").write_text(two)
    (about,) = read_structures(tmp_path, ["P1"], [SEQUENCE], 0.9).of_protein[0]
    assert (about["chain"], about["identity"]) == ("B", 1)


def test_another_protein_is_refused_aloud(tmp_path, caplog):
    rng = np.random.default_rng(1)
    for number in range(20):
        other = "".join(rng.choice(list(THREE), 100))
        (tmp_path / f"P1_{number}.pdb").write_text(pdb(other, range(1, 101)))
    found = read_structures(tmp_path, ["P1"], [SEQUENCE * 4], 0.9)
    assert all(
        "looks like a structure of another protein" in about["refused"] for about in found.of_protein[0]
    )
    assert all(about["map"] is None for about in found.of_protein[0])
    assert caplog.text.count("explorer.min_identity") == 20


def test_bound_is_that_of_the_settings(tmp_path):
    changed = "".join("W" if place % 5 == 2 else letter for place, letter in enumerate(SEQUENCE))
    (tmp_path / "P1.pdb").write_text(pdb(changed, range(1, 60)))
    for bound, refused in ((0.7, False), (0.9, True)):
        (about,) = read_structures(tmp_path, ["P1"], [SEQUENCE], bound).of_protein[0]
        assert bool(about["refused"]) is refused


def test_files_of_no_protein_are_counted(tmp_path, caplog):
    (tmp_path / "1abc.pdb").write_text(pdb(SEQUENCE, range(1, 60)))
    (tmp_path / "P1.txt").write_text("a note")
    found = read_structures(tmp_path, ["P1"], [SEQUENCE], 0.9)
    assert found.unmatched == ("1abc.pdb", "P1.txt")
    assert "2 files" in caplog.text


@pytest.mark.parametrize("text", ["", "no structure", "data_x\nloop_\n_atom_site.id\n1\n", "ATOM  broken\n"])
@pytest.mark.parametrize("ending", ["pdb", "cif"])
def test_damaged_files_are_named(tmp_path, text, ending):
    (tmp_path / f"P1.{ending}").write_text(text)
    with pytest.raises(InputError, match=rf"P1\.{ending}"):
        read_structure(tmp_path / f"P1.{ending}")


def test_structures_go_into_data_files(tables, tmp_path):
    from protsae.explorer.config import ExplorerConfig
    from protsae.explorer.content import Given, plan_site

    (tmp_path / "in").mkdir()
    row = 7
    name, sequence = tables.proteins.loc[row, ["protein_id", "sequence"]]
    text = pdb(sequence, range(1, len(sequence) + 1), title=HOSTILE[:30].upper())
    (tmp_path / "in" / f"{name}.pdb").write_text(text)
    plan_site(tables, TEXTS, ExplorerConfig(), Given(tmp_path / "in")).run(tmp_path / "site")
    site = Site(tmp_path / "site")
    assert site["structure-0"] == {"text": text, "kind": "pdb"}
    (about,) = site["protein-1"][row - 4]["structures"]
    assert about["file"] == 0
    assert about["map"] == list(range(1, len(sequence) + 1))
    assert site["index"]["has"]["structures"] is True
