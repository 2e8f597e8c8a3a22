"""Motifs: PROSITE's syntax against a slow search for every end, and cases read by eye."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from protsae.annotations.motifs import Motif, find_motifs, read_motifs
from protsae.core.errors import InputError


def found(pattern: str, **sequences: str) -> list[tuple[str, int, int, int]]:
    table = find_motifs(sequences, [Motif(id="m", name="m", pattern=pattern)])
    return [tuple(row) for row in table[["protein_id", "instance", "start", "end"]].to_numpy().tolist()]


@pytest.mark.parametrize(
    ("pattern", "sequence", "spans"),
    [
        ("R-G-D", "ARGDRGD", [(1, 4), (4, 7)]),
        ("N-{P}-[ST]-{P}", "NASANPSANATP", [(0, 4)]),
        ("[AG]-x(4)-G-K-[ST]", "MGAAAAGKTM", [(1, 9)]),
        ("C-x(2,4)-C", "CAACAC", [(0, 6)]),  # the longest at each start; CAAC and CAC-less ends lie inside
        ("[KH]-D-E-L>", "KDELKDEL", [(4, 8)]),
        ("<M-x-G", "MAGMAG", [(0, 3)]),
        ("A-[GS>]", "AGAA", [(0, 2), (3, 4)]),
        ("<A-x>", "AC", [(0, 2)]),
        ("S-S", "SSS", [(0, 2), (1, 3)]),
        ("A-x-A.", "AXA", [(0, 3)]),
        ("A-{P}-A", "AXA", []),  # X is unknown
        ("L(3)", "LLLL", [(0, 3), (1, 4)]),
        ("A-x(0,1)-C", "ACAGC", [(0, 2), (2, 5)]),
    ],
)
def test_patterns_match_where_they_should(pattern: str, sequence: str, spans: list[tuple[int, int]]):
    assert [(start, end) for *_, start, end in found(pattern, P1=sequence)] == spans


def test_a_match_never_runs_into_the_next_protein():
    assert found("A-x-C", P1="GA", P2="GC", P3="AGC") == [("P3", 0, 0, 3)]
    assert found("x(3)", P1="AA", P2="A") == []


ALLOWED = {"A": "A", "C": "C", "x": "ACDX", "[AC]": "AC", "{C}": "AD", "[CD>]": "CD>"}
PARTS = st.tuples(
    st.sampled_from(["A", "C", "x", "[AC]", "{C}"]),
    st.sampled_from([(1, 1), (1, 1), (2, 2), (0, 1), (0, 3), (1, 3)]),
)


def ends(parts, text: str, position: int) -> set[int]:
    """Return where matches of all parts can end, tried one by one; `>` stands after the text."""
    if not parts:
        return {position}
    (allowed, (least, most)), *others = parts
    found = ends(others, text, position) if least == 0 else set()
    if most and position < len(text) and text[position] in ALLOWED[allowed]:
        found |= ends([(allowed, (max(least - 1, 0), most - 1)), *others], text, position + 1)
    return found


@settings(max_examples=500, deadline=None)
@given(
    parts=st.lists(PARTS, min_size=1, max_size=4),
    last=st.sampled_from(["", "", "[CD>]"]),
    anchors=st.tuples(st.booleans(), st.booleans()),
    texts=st.lists(st.text("ACDX", min_size=1, max_size=12), min_size=1, max_size=4),
)
def test_matches_are_the_longest_of_every_start_outside_others(parts, last, anchors, texts):
    written = [f"{allowed}({least},{most})" for allowed, (least, most) in parts] + [last] * bool(last)
    pattern = "<" * anchors[0] + "-".join(written) + ">" * anchors[1]
    elements = parts + [(last, (1, 1))] * bool(last)
    slow = []
    for i, text in enumerate(texts):
        reached = n = 0
        closed = text + ">"
        for start in range(1 if anchors[0] else len(text)):
            kept = {min(end, len(text)) for end in ends(elements, closed, start)}
            kept = {end for end in kept if end > max(start, reached)} & ({len(text)} if anchors[1] else kept)
            if kept:
                slow.append((f"P{i}", n, start, max(kept)))
                n, reached = n + 1, max(kept)
    assert found(pattern, **{f"P{i}": text for i, text in enumerate(texts)}) == slow


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "element '' of pattern '' is not in PROSITE's syntax"),
        ("RGD", "element 'RGD'"),
        ("R-G-J", "'J' is none of the 20 residues"),
        ("[AZ]-G", "'Z' is none of the 20 residues"),
        ("A-x(3,2)", r"element 'x\(3,2\)' of pattern .* repeats 3 to 2 times"),
        ("A-x(0)", "repeats 0 to 0 times"),
        ("x(201)", "may span over 200 residues"),
        ("x(1,50)-A-x(1,50)", "stands for over 500 combinations"),
        ("a-G", "element 'a'"),
        ("A--G", "element ''"),
    ],
)
def test_other_patterns_are_refused_with_the_element(pattern: str, message: str):
    with pytest.raises(ValidationError, match=message):
        Motif(id="m", name="m", pattern=pattern)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("m\tM\tR-G-J\n", r":2: pattern 'R-G-J': .*'J' is none of the 20 residues.*Correct it"),
        ("ok\tM\tR-G-D\na b\tM\tR-G-D\n", r":3: id 'a b': .*Correct it"),
        ("m\tM\tR-G-D\nm\tM\tK-D-E-L\n", ":3: 'm' is given twice. Remove or rename one"),
        ("m\tM\t\n", ":2: no pattern in this row"),
        ("", ": a header and no motifs below it"),
    ],
)
def test_an_error_in_a_table_of_motifs_names_file_and_line(tmp_path, rows, message):
    path = tmp_path / "motifs.tsv"
    path.write_text("id\tname\tpattern\n" + rows)
    with pytest.raises(InputError, match=r"motifs\.tsv" + message):
        read_motifs(path)


def test_the_motifs_of_the_project_can_be_read_and_name_their_papers():
    motifs = read_motifs(Path(__file__).parents[2] / "data/01_raw/motifs.tsv")
    assert len(motifs) == 16
    assert all(motif.reference for motif in motifs)
