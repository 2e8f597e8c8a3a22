"""DeepGO pickles: what they hold, whichever pandas wrote them, and that no code in them ever runs."""

import gzip
import os
import pickle
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import nested_counts, read_annotations
from protsae.core.errors import InputError
from protsae.core.pickles import load_inert
from protsae.sequences.deepgo import table_columns
from protsae.sequences.fasta import FastaRecord
from protsae.sequences.records import RecordsConfig, read_sequences

# The rows of TABLE and more of the columns of DeepGO2, by `to_pickle(protocol=4)` of pandas 1.5.3.
OLD = Path(__file__).parent / "data/deepgo_pandas_1.5.pkl"
TABLE = pd.DataFrame(
    {
        "proteins": ["KR103_HUMAN", "B_MOUSE"],
        "accessions": ["P60411; Q9XXX1;", "Q2;"],
        "sequences": ["MKVL", "ACD"],
        "annotations": [["GO:0005737|IDA", "GO:0005634|IEA"], []],
        "exp_annotations": [["GO:0005737"], []],
        "prop_annotations": [["GO:0005737", "GO:0110165"], []],
        "n": [1, 2],
    }
)
RECORDS = [FastaRecord("P60411", "KR103_HUMAN", "MKVL", 1), FastaRecord("Q2", "B_MOUSE", "ACD", 2)]


def sequences(path: Path) -> list[FastaRecord]:
    return list(read_sequences(path, RecordsConfig(allow_pickle=True)))


def annotations(path: Path, **config: object) -> tuple[list[list[object]], dict[str, object]]:
    counts: Counter[str] = Counter()
    rows = read_annotations(path, AnnotationsConfig(allow_pickle=True, **config), counts)
    return rows[["accession", "term_id", "evidence"]].to_numpy().tolist(), nested_counts(counts)


def pickled(folder: Path, table: object, protocol: int = 5) -> Path:
    path = folder / "train_data.pkl"
    path.write_bytes(pickle.dumps(table, protocol=protocol))
    return path


ROWS = [["P60411", "GO:0005737", "IDA"], ["P60411", "GO:0005634", "IEA"]]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_every_protocol_and_string_layout_are_read(tmp_path: Path, protocol: int):
    for table in (
        TABLE,
        TABLE.astype(object),
        TABLE.astype({"sequences": "string[python]"}),
        TABLE[::-1][::-1],
    ):
        path = pickled(tmp_path, table, protocol)
        assert sequences(path) == RECORDS
        assert annotations(path)[0] == ROWS


def test_a_pickle_of_an_old_pandas_is_read(tmp_path: Path):
    assert sequences(OLD) == RECORDS
    rows, counts = annotations(OLD)
    assert rows == ROWS
    assert counts["n_rows_in_file"] == 2
    assert (counts["n_entries"], counts["n_entries_without_terms"]) == (2, 1)
    assert counts["column"] == {"annotations": 1}
    packed = tmp_path / "x"
    packed.write_bytes(gzip.compress(OLD.read_bytes()))
    assert sequences(packed) == RECORDS


class OldPickler(pickle._Pickler):
    """Writes block managers as pandas 0.14 to 1.2 did: a state of four parts, the last one named 0.14.1."""

    def reducer_override(self, value: object) -> object:
        if type(value).__name__ != "BlockManager":
            return NotImplemented
        blocks = [{"values": b.values, "mgr_locs": b.mgr_locs.indexer} for b in value.blocks]
        state = (value.axes, [], [], {"0.14.1": {"axes": value.axes, "blocks": blocks}})
        return type(value), (), state


def test_the_layout_before_pandas_1_3_is_read(tmp_path: Path):
    table = TABLE.astype({name: object for name in TABLE.columns if name != "n"})
    table.columns = pd.Index(table.columns, dtype=object)
    path = tmp_path / "old.pkl"
    with path.open("wb") as handle:
        OldPickler(handle, 4).dump(table)
    content = path.read_bytes()
    assert b"0.14.1" in content
    assert sequences(path) == RECORDS
    assert annotations(path)[0] == ROWS
    older = content.replace(b"\x8c\x04_mgr", b"\x8c\x05_data", 1)  # its name until pandas 1.0
    frame = older.index(b"\x95")
    path.write_bytes(older[:frame] + older[frame + 9 :])  # without the frame, whose length would be wrong
    assert sequences(path) == RECORDS


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(st.one_of(st.none(), st.text(max_size=4)), min_size=3, max_size=3), min_size=1, max_size=4
    ),
    st.booleans(),
    st.sampled_from([object, "string[python]", "string[pyarrow]", "str"]),
)
def test_any_column_of_text_is_what_pandas_reads(tmp_path_factory, rows, transpose: bool, dtype: object):
    array = np.array([[None] * 3] * len(rows), dtype=object)
    for i, row in enumerate(rows):
        array[i] = row
    frame = pd.DataFrame(np.asfortranarray(array) if transpose else array, columns=["a", "b", "c"])
    frame = frame.astype(dtype) if dtype is not object else frame
    path = tmp_path_factory.mktemp("pickle") / "x.pkl"
    frame[1:].to_pickle(path) if len(frame) > 1 else frame.to_pickle(path)
    expected = pd.read_pickle(path).astype(object)
    found = table_columns(path, load_inert(path))
    for name in "abc":
        ours = [text if isinstance(text, str) else None for text in found[name]]
        assert ours == [text if isinstance(text, str) else None for text in expected[name]]


def test_embeddings_of_torch_are_passed_over(tmp_path: Path):
    path = pickled(tmp_path, TABLE.assign(esm2=[torch.ones(3), torch.zeros(2, dtype=torch.float16)]))
    assert sequences(path) == RECORDS


def test_columns_are_taken_in_turn(tmp_path: Path):
    without = TABLE.drop(columns="annotations")
    rows, counts = annotations(pickled(tmp_path, without), evidence="experimental")
    assert rows == [["P60411", "GO:0005737", "EXP"]]
    assert counts["column"] == {"exp_annotations": 1}
    rows, _ = annotations(pickled(tmp_path, without.drop(columns="exp_annotations")))
    assert rows == [["P60411", "GO:0005737", ""], ["P60411", "GO:0110165", ""]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (TABLE.drop(columns="accessions"), "the table has no column accessions; it has proteins, sequences"),
        (TABLE.assign(accessions=[";", "P2"]), "row 1 has no accession: ';'"),
        (
            TABLE.assign(annotations=["GO:1|IDA", "x"]),
            "row 1 of 'annotations' is no list of terms",
        ),
        (
            TABLE.assign(annotations=[["|IDA"], []]),
            "row 1 of 'annotations' has an item without",
        ),
        (TABLE.assign(annotations=[[], []]), "none of 2 entries has a GO term"),
        (TABLE["sequences"], "expected a pickled DataFrame, found <pandas.Series>"),
        ({"a": 1}, "expected a pickled DataFrame, found {'a': 1}"),
    ],
)
def test_other_pickles_are_errors_that_say_what_is_missing(tmp_path: Path, table: object, message: str):
    path = pickled(tmp_path, table)
    with pytest.raises(InputError) as caught:
        annotations(path)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)


def test_a_pickle_is_read_only_if_asked_for(tmp_path: Path):
    path = pickled(tmp_path, TABLE)
    with pytest.raises(InputError, match=r"can hold code.*ingestion\.sequences\.allow_pickle=true"):
        list(read_sequences(path, RecordsConfig()))
    with pytest.raises(InputError, match=r"can hold code.*annotation\.annotations\.allow_pickle=true"):
        read_annotations(path, AnnotationsConfig())


class Malicious:
    def __init__(self, function: object, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (os.system, "system"),
        (subprocess.check_call, "subprocess.check_call"),
        (eval, "builtins.eval"),
        (getattr, "builtins.getattr"),
        (pd.read_pickle, "pandas"),
        (pd.eval, "pandas"),
        (np.load, "numpy.load"),
        (torch.load, "torch"),
    ],
)
def test_a_malicious_pickle_is_refused_and_runs_nothing(tmp_path: Path, function: object, name: str):
    marker = tmp_path / "marker"
    command = (
        f"touch {marker}" if function is os.system else f"__import__('pathlib').Path({str(marker)!r}).touch()"
    )
    for table in (Malicious(function, command), TABLE.assign(note=[Malicious(function, command), None])):
        path = pickled(tmp_path, table)
        with pytest.raises(InputError, match="refused, and nothing in it was run") as caught:
            sequences(path)
        assert name in str(caught.value)
        with pytest.raises(InputError, match="refused"):
            annotations(path)
    assert not marker.exists()


def test_the_attack_would_have_worked(tmp_path: Path):
    marker = tmp_path / "marker"
    pickle.loads(pickle.dumps(Malicious(os.system, f"touch {marker}")))
    assert marker.exists()


def test_a_pickle_that_writes_into_what_it_names_alters_nothing(tmp_path: Path):
    # GLOBAL pandas.DataFrame, BUILD it with the state (None, {"to_string": "tampered"}).
    content = b"\x80\x02cpandas.core.frame\nDataFrame\nN}U\x09to_stringU\x08tampereds\x86b."
    path = tmp_path / "x.pkl"
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged or of an unknown kind"):
        sequences(path)
    assert callable(pd.DataFrame.to_string)
    assert sequences(OLD) == RECORDS


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_pickles_are_errors_that_name_the_file(tmp_path_factory, data):
    content = bytearray(OLD.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(2, len(content) - 1))
        content[position] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.one_of(st.just(len(content)), st.integers(2, len(content))))]
    path = tmp_path_factory.mktemp("pickle") / "x.pkl"
    path.write_bytes(bytes(content))
    for read in (sequences, annotations):
        try:
            read(path)
        except InputError as error:
            assert str(path) in str(error)
