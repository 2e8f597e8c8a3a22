"""Evidence: presets, lists, and errors that say what the file holds."""

from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError
from tests.annotations.files import write

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.evidence import CURATED, EXPERIMENTAL
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import InputError

CODES = ["EXP", "HEP", "IDA", "IEA", "IBA", "ISS", "TAS", "NAS", "IC", "ND", "QQQ", ""]
HEADER = "Protein\tTERM\tEvidence_Code"


def codes_kept(
    folder: Path, evidence: object, codes: list[str] = CODES
) -> tuple[list[str], dict[str, object]]:
    path = write(folder, HEADER, *[f"P{n}\tGO:1\t{code}" for n, code in enumerate(codes)])
    counts: Counter[str] = Counter()
    rows = read_annotations(path, AnnotationsConfig.model_validate({"evidence": evidence}), counts)
    report = nested_counts(counts)
    lost = report["n_rows_no_data"] + report["n_rows_of_other_evidence"]
    assert len(rows) + lost == report["n_rows_in_file"] == len(codes)
    return rows["evidence"].tolist(), report


@pytest.mark.parametrize(
    ("evidence", "kept"),
    [
        ("all", ["EXP", "HEP", "IDA", "IEA", "IBA", "ISS", "TAS", "NAS", "IC", "QQQ", ""]),
        ("curated", ["EXP", "HEP", "IDA", "IBA", "ISS", "TAS", "NAS", "IC"]),
        ("experimental", ["EXP", "HEP", "IDA"]),
        (["IEA", "TAS"], ["IEA", "TAS"]),
    ],
)
def test_a_filter_keeps_its_codes_and_counts_the_rest(tmp_path: Path, evidence: object, kept: list[str]):
    found, report = codes_kept(tmp_path, evidence)
    assert found == kept
    assert report["n_rows_per_evidence"] == {code or "(none)": 1 for code in sorted(CODES)}
    assert report["n_rows_of_unknown_evidence"] == 1
    assert report["n_rows_no_data"] == 1


def test_presets_hold_the_codes_that_the_page_lists():
    """The Gene Ontology's guide: http://geneontology.org/docs/guide-go-evidence-codes/."""
    experimental = "EXP IDA IPI IMP IGI IEP HTP HDA HMP HGI HEP"
    assert set(EXPERIMENTAL) == set(experimental.split())
    others = "IBA IBD IKR IRD ISS ISO ISA ISM IGC RCA TAS NAS IC"
    assert set(CURATED) == set(f"{experimental} {others}".split())


def test_not_rows_count_only_where_the_filter_keeps_them(tmp_path: Path):
    path = write(
        tmp_path, f"{HEADER}\tqualifier", "P1\tGO:1\tIEA\tNOT", "P1\tGO:2\tIDA\tNOT", "P1\tGO:1\tIDA\t"
    )
    rows = read_annotations(path, AnnotationsConfig(evidence="experimental"))
    assert rows[["term_id", "is_not"]].to_numpy().tolist() == [["GO:2", True], ["GO:1", False]]


def test_nothing_left_says_what_the_file_holds(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        codes_kept(tmp_path, "experimental", ["IEA"] * 1200 + ["ISS"] * 34)
    assert (
        "annotations: 0 of 1 234 annotations kept: evidence filter 'experimental' vs file codes "
        "{IEA: 1200, ISS: 34}" in str(caught.value)
    )


@pytest.mark.parametrize("evidence", ["experimental", "curated", ["IDA"]])
def test_filter_on_a_file_without_codes_names_other_formats(tmp_path: Path, evidence: object):
    path = write(tmp_path, "Entry\tGene Ontology IDs", "P1\tGO:1; GO:2")
    config = AnnotationsConfig.model_validate({"evidence": evidence})
    with pytest.raises(InputError, match=r"without evidence codes. Give a GAF or a \.dat file.*evidence=all"):
        read_annotations(path, config)


@pytest.mark.parametrize(
    ("evidence", "message"),
    [
        (["IDA", "IEPP"], "'IEPP' is no evidence code of GO, did you mean 'IEP'?"),
        ("experiment", "'experiment' is no preset of evidence codes, did you mean 'experimental'?"),
        (["1234567"], "'1234567' is no evidence code of GO; known: EXP"),
        (["ND"], "ND says that nothing is known"),
        ([], "an empty list keeps nothing"),
    ],
)
def test_a_list_may_name_only_codes_that_can_be_labels(evidence: object, message: str):
    with pytest.raises(ValidationError) as caught:
        AnnotationsConfig.model_validate({"evidence": evidence})
    assert message in str(caught.value)
