"""The proteins to predict: odd and hostile files."""

import pytest

from protsae.core.errors import InputError
from protsae.prediction.proteins import read_proteins, require_given


def fasta(tmp_path, text):
    path = tmp_path / "my.fasta"
    path.write_text(text)
    return path


def test_proteins_keep_their_order_and_what_was_changed_is_counted(tmp_path):
    path = fasta(tmp_path, ">b <script>x</script>\nmktay*\n>a two\nMKUJ\n>b again\nMKTAY\n")
    found = read_proteins(path, None)
    assert found.by_id == {"b": "MKTAY", "a": "MKUX"}
    assert found.descriptions == ("<script>x</script>", "two")
    assert found.changed == {
        "n_lower_case": 5,
        "n_trailing_stops": 1,
        "n_residues_U": 1,
        "n_J_to_X": 1,
        "n_records_given_twice": 1,
    }


def test_a_sequence_as_text_may_have_blanks():
    assert read_proteins(None, " mkt AYI ").by_id == {"sequence": "MKTAYI"}
    assert read_proteins(None, None).ids == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"my\.fasta.*empty"),
        (">a\nMK*TAY\n", r"my\.fasta:2: record 'a' has '\*' at position 3, .*stop codon"),
        (">a\nMKTAY\n>a\nMKTAV\n", r"my\.fasta:3: id 'a' is already in line 1, with another sequence"),
        (">a\n", "record 'a' has no residues"),
        ("MKTAY\n", r"my\.fasta:1: expected a header line"),
    ],
)
def test_a_faulty_file_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_proteins(fasta(tmp_path, text), None)


def test_a_faulty_sequence_is_refused():
    with pytest.raises(InputError, match=r"prediction\.sequence: record 'sequence' has '1' at position 4"):
        read_proteins(None, "MKT1")
    with pytest.raises(InputError, match="no residues"):
        read_proteins(None, " ")


def test_file_and_text_together_are_refused(tmp_path):
    with pytest.raises(InputError, match="both given"):
        read_proteins(fasta(tmp_path, ">a\nMK\n"), "MK")


def test_a_file_named_in_the_configuration_is_not_overlooked(tmp_path):
    require_given("prediction.fasta", None, None)
    require_given("prediction.fasta", "x", tmp_path)
    with pytest.raises(InputError, match=r"--params prediction\.fasta=x.*entry prediction_proteins"):
        require_given("prediction.fasta", "x", None)
