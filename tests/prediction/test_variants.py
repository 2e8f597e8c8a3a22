"""Tables of variants: what is read, and what is refused with its row."""

import pytest

from protsae.core.errors import InputError
from protsae.prediction.proteins import Proteins
from protsae.prediction.variants import Substitution, read_variants

ONE = Proteins(("P1",), ("",), ("MKTAYIAK",), {})
NOBODY = Proteins((), (), (), {})
TWO = Proteins(("P1", "P2"), ("", ""), ("MKTAYIAK", "GAVLI"), {})


def read(tmp_path, text, proteins=ONE, name="table.csv"):
    path = tmp_path / name
    path.write_text(text)
    return read_variants(path, proteins, "DMS_score")


def test_proteingym_columns_are_read(tmp_path):
    text = (
        "mutant,mutated_sequence,DMS_score,DMS_score_bin\n"
        "K2A,MATAYIAK,0.5,1\n"
        "I6V:T3S,MKSAYVAK,-1e-1,0\n"
        "A4G,MKTGYIAK,,0\n"
    )
    variants, proteins = read(tmp_path, text)
    assert [v.name for v in variants] == ["K2A", "T3S:I6V", "A4G"]
    assert [v.score for v in variants] == [0.5, -0.1, None]
    assert [v.line for v in variants] == [2, 3, 4]
    assert variants[1].substitutions == (Substitution("T", 3, "S"), Substitution("I", 6, "V"))
    assert variants[1].sequence("MKTAYIAK") == "MKSAYVAK"
    assert proteins is ONE


def test_a_wild_type_is_found_in_the_mutated_sequence(tmp_path):
    text = "mutant,mutated_sequence\nK2A,MATAYIAK\nA4G:K8R,MKTGYIAR\n"
    variants, proteins = read(tmp_path, text, NOBODY, "BLAT_ECOLX.csv")
    assert proteins.by_id == {"BLAT_ECOLX": "MKTAYIAK"}
    assert {v.protein_id for v in variants} == {"BLAT_ECOLX"}


def test_a_name_of_a_file_that_no_id_can_be_becomes_one(tmp_path):
    text = "mutant,mutated_sequence\nK2A,MATAYIAK\n"
    for name, expected in ((";a b.csv", "_a_b"), (".csv", "protein")):
        assert read(tmp_path, text, NOBODY, name)[1].ids == (expected,)


def test_tabs_and_a_column_of_proteins(tmp_path):
    variants, _ = read(tmp_path, "Protein_ID\tvariant\nP2\tg1a\nP1\tM1V\n", TWO)
    assert [(v.protein_id, v.name) for v in variants] == [("P2", "G1A"), ("P1", "M1V")]


@pytest.mark.parametrize(
    ("text", "proteins", "message"),
    [
        ("mutant\nK2A\nV5A\n", ONE, r"table\.csv:3: V5A: P1 has Y at position 5, the variant says V"),
        ("mutant\nK9A\n", ONE, r":2: K9A: P1 has 8 residues"),
        ("mutant\nK0A\n", ONE, r":2: K0A: P1 has 8 residues. Positions are 1-based"),
        ("mutant\nK" + "9" * 5000 + "A\n", ONE, r":2: 'K9+' is no substitution"),
        ("mutant\nK٢A\n", ONE, r":2: 'K٢A' is no substitution"),
        ("mutant\nK2*\n", ONE, r":2: 'K2\*' is no substitution such as A123G"),
        ("mutant\nK2del\n", ONE, r":2: 'K2del' is no substitution"),
        ("mutant\nB2A\n", ONE, r":2: 'B2A' is no substitution"),
        ("mutant\nK2A:K2G\n", ONE, r":2: 'K2A:K2G' replaces one position twice"),
        ('mutant,x\nK2A,"y\n', ONE, r":2: .*Is a quote missing"),
        ('mutant,x\nK2A,"' + "y" * 200_000 + '"\n', ONE, r":2: field larger than field limit"),
        ("mutant,Mutant\nK2A,K2G\n", ONE, r":1: the header names mutant twice"),
        ("mutant,mutated_sequence\nK2A,MA1AYIAK\n", NOBODY, r":2: record 'table' has '1' at position 3"),
        ("mutant,mutated_sequence\nK2A,M" + "A" * 150_000 + "\n", NOBODY, r":2: .* over 100000 residues"),
        ("mutant\nK2A\nK2A\n", ONE, r":3: K2A of P1 is already in line 2"),
        ("mutant\nM1V\n", TWO, r":2: variants of which of the 2 proteins\? Add a column protein_id"),
        ("protein,mutant\nQ,M1V\n", TWO, r":2: protein 'Q' is not among the 2 given \(P1, P2\)"),
        ("mutant\nM1V\n", NOBODY, r":2: variants of which protein\? Give it as prediction"),
        ("hgvs\nM1V\n", ONE, r":1: the header has no column mutant or variant .* found 'hgvs'"),
        ("mutant,DMS_score\nK2A\n", ONE, r":2: 1 fields where the header has 2"),
        ("mutant,DMS_score\nK2A,-1e308\n", ONE, r":2: DMS_score is '-1e308', which is no number of at most"),
        ("mutant,DMS_score\nK2A,high\n", ONE, r":2: DMS_score is 'high', which is no number"),
        ("mutant,DMS_score\nK2A,inf\n", ONE, r":2: DMS_score is 'inf'"),
        ("mutant,mutated_sequence\nK2A,MATAYIAR\n", ONE, r":2: mutated_sequence is not P1 with K2A"),
        ("mutant\n", ONE, "a header and no variants below it"),
    ],
)
def test_what_is_no_variant_is_named_with_its_row(tmp_path, text, proteins, message):
    with pytest.raises(InputError, match=message):
        read(tmp_path, text, proteins)
