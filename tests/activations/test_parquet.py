"""Parquet files that someone else wrote: read as they are, or refused with file, column, protein and row."""

import os

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from protsae.activations.parquet import ParquetStore
from protsae.activations.streaming import StreamingSampler
from protsae.core.errors import InputError

LENGTHS = {"A": 5, "B": 1, "C": 9, "D": 4, "E": 7}


@pytest.fixture
def proteins():
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=(n, 3)).astype(np.float32) for name, n in LENGTHS.items()}


def write(path, proteins, *, dtype="float32", column="embedding", rows_per_group=None, **columns):
    ids = [name for name, x in proteins.items() for _ in x]
    flat = np.concatenate(list(proteins.values())).astype(dtype)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
    table = {"protein_id": ids, column: vectors}
    for name, of_protein in columns.items():
        table[name] = [of_protein[protein_id] for protein_id in ids]
    pq.write_table(pa.table(table), path, row_group_size=rows_per_group or len(ids))


def part(proteins, names):
    return {name: proteins[name] for name in names}


@pytest.mark.parametrize("rows_per_group", [1, 2, 4, 7, 100])
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_every_protein_comes_back_wherever_row_groups_end(proteins, tmp_path, rows_per_group, dtype):
    write(tmp_path / "0.parquet", part(proteins, "ABC"), dtype=dtype, rows_per_group=rows_per_group)
    write(tmp_path / "1.parquet", part(proteins, "DE"), dtype=dtype, rows_per_group=rows_per_group)
    store = ParquetStore(tmp_path)
    assert (store.protein_ids, store.d_model, store.lengths()) == (list("ABCDE"), 3, LENGTHS)
    for wanted in (None, ["E", "B"], ["C"]):
        found = dict(store.iter_proteins("embedding", wanted))
        assert sorted(found) == sorted(wanted or LENGTHS)
        for name, block in found.items():
            np.testing.assert_array_equal(block, proteins[name].astype(dtype).astype(np.float32))
    rows = np.concatenate([proteins[name] for name in "ADE"]).astype(dtype).astype(np.float64)
    moments = store.statistics("embedding", ["D", "A", "E"])
    np.testing.assert_allclose(moments.mean, rows.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(moments.variance, rows.var(axis=0), atol=1e-12)
    assert moments.n_rows == 16
    means = store.protein_means("embedding", ["D", "A"])
    expected = [proteins[name].astype(dtype).astype(np.float64).mean(axis=0) for name in "DA"]
    np.testing.assert_allclose(means, expected, rtol=1e-6, atol=1e-7)


def test_without_protein_ids_every_row_group_is_a_protein(proteins, tmp_path):
    write(tmp_path / "x.parquet", proteins, rows_per_group=10)
    table = pq.read_table(tmp_path / "x.parquet").drop_columns("protein_id")
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=10)
    store = ParquetStore(tmp_path / "x.parquet")
    assert store.lengths() == {"x:0": 10, "x:1": 10, "x:2": 6}
    everything = np.concatenate(list(proteins.values()))
    np.testing.assert_array_equal(dict(store.iter_proteins("embedding", ["x:1"]))["x:1"], everything[10:20])


def test_labels_and_splits_are_those_of_the_proteins(proteins, tmp_path):
    labels = {"A": ["x"], "B": [], "C": ["x", "y"], "D": None, "E": ["z"]}
    splits = dict(zip("ABCDE", ["train", "train", "validation", "test", "train"], strict=True))
    write(tmp_path / "0.parquet", proteins, rows_per_group=4, labels=labels, split=splits)
    store = ParquetStore(tmp_path)
    assert store.labels == {name: tuple(values or ()) for name, values in labels.items()}
    assert store.splits == splits


def test_opening_reads_no_vectors_and_training_one_row_group_at_a_time(proteins, tmp_path, monkeypatch):
    write(tmp_path / "0.parquet", proteins, rows_per_group=4, split=dict.fromkeys(LENGTHS, "train"))
    read, seen = pq.ParquetFile.read_row_group, []
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_group",
        lambda file, group, columns: seen.append((group, tuple(columns))) or read(file, group, columns),
    )
    store = ParquetStore(tmp_path)
    n_groups = -(-sum(LENGTHS.values()) // 4)
    assert seen == [(group, ("protein_id", "split")) for group in range(n_groups)]
    seen.clear()
    proteins_read = store.iter_proteins("embedding")
    next(proteins_read)
    assert {columns for _, columns in seen} == {("embedding",)}
    assert len(seen) < n_groups


def test_streaming_draws_from_them(proteins, tmp_path):
    write(tmp_path / "0.parquet", proteins, rows_per_group=4)
    store = ParquetStore(tmp_path)
    sampler = StreamingSampler(
        store, "embedding", list("ABCDE"), residues_per_protein=3, proteins_per_batch=2, seed=0
    )
    seen = [(list("ABCDE")[p], batch) for batch in sampler.epoch(0) for p in batch.proteins.tolist()]
    assert sorted(name for name, _ in seen) == list("ABCDE")
    for batch in sampler.epoch(1):
        for row in range(len(batch.x)):
            name = list("ABCDE")[batch.proteins[batch.segment[row]]]
            assert np.array_equal(batch.x[row].numpy(), proteins[name][batch.residue_index[row]])


def test_other_bytes_have_another_fingerprint(proteins, tmp_path):
    found = set()
    for value in (0.0, 1.0):
        proteins["A"][0, 0] = value
        write(tmp_path / "0.parquet", proteins)
        found |= {ParquetStore(tmp_path).fingerprint(), ParquetStore(tmp_path).fingerprint()}
    assert len(found) == 2


def test_a_value_that_is_no_number_names_protein_and_row(proteins, tmp_path):
    proteins["C"][6, 1] = np.nan
    write(tmp_path / "0.parquet", proteins, rows_per_group=4)
    store = ParquetStore(tmp_path)
    list(store.iter_proteins("embedding", ["A", "E"]))
    with pytest.raises(
        InputError, match=r"0\.parquet: column 'embedding' of protein 'C' holds nan at its row 6"
    ):
        store.statistics("embedding", ["C"])


def test_rows_of_a_protein_apart_are_refused(proteins, tmp_path):
    write(tmp_path / "0.parquet", part(proteins, "ABC"))
    write(tmp_path / "1.parquet", part(proteins, "BD"))
    with pytest.raises(InputError, match="the rows of protein 'B' are not together: sort"):
        ParquetStore(tmp_path)


def test_missing_ambiguous_and_wrong_columns_are_refused(proteins, tmp_path):
    path = tmp_path / "0.parquet"
    write(path, proteins)
    with pytest.raises(InputError, match=r"0\.parquet has no column 'x'; its columns: protein_id, embedding"):
        ParquetStore(tmp_path, "x")
    with pytest.raises(InputError, match="column 'protein_id' is string, not one vector a row: write one"):
        ParquetStore(tmp_path, "protein_id")
    write(path, proteins, dtype="int32")
    with pytest.raises(
        InputError, match=r"'embedding' is fixed_size_list<.*int32>\[3\], not one vector a row"
    ):
        ParquetStore(tmp_path, "embedding")
    write(path, proteins)
    table = pq.read_table(path)
    pq.write_table(table.append_column("other", table["embedding"]), path)
    with pytest.raises(InputError, match=r"has 2 columns of vectors \(embedding, other"):
        ParquetStore(tmp_path)
    assert ParquetStore(tmp_path, "other").d_model == 3
    pq.write_table(table.drop_columns("embedding"), path)
    with pytest.raises(InputError, match=r"has 0 columns of vectors \(none; its columns: protein_id\)"):
        ParquetStore(tmp_path)


def test_files_of_another_width_are_refused(proteins, tmp_path):
    write(tmp_path / "0.parquet", part(proteins, "A"))
    write(tmp_path / "1.parquet", {"B": np.zeros((2, 4))})
    with pytest.raises(
        InputError, match=r"1\.parquet: vectors are column 'embedding' of 4 numbers .* 'embedding' of 3"
    ):
        ParquetStore(tmp_path)


def test_nulls_empty_folders_and_other_formats_are_refused(proteins, tmp_path):
    with pytest.raises(InputError, match=r"is no Parquet file and no folder with any"):
        ParquetStore(tmp_path)
    path = tmp_path / "0.parquet"
    path.write_text("<html>")
    with pytest.raises(InputError, match="not readable as Parquet"):
        ParquetStore(tmp_path)
    kind = pa.list_(pa.float32(), 3)
    vectors = pa.array([[1.0, 2.0, 3.0], None], type=kind)
    pq.write_table(pa.table({"protein_id": ["A", "A"], "embedding": vectors}), path)
    with pytest.raises(InputError, match="column 'embedding' holds nulls"):
        list(ParquetStore(tmp_path).iter_proteins("embedding"))
    vectors = pa.array([[1.0, 2.0, 3.0]] * 2, type=kind)
    pq.write_table(pa.table({"protein_id": ["A", None], "embedding": vectors}), path)
    with pytest.raises(InputError, match="protein_id is null or empty in row group 0"):
        ParquetStore(tmp_path)


def ids_of(proteins):
    return [name for name, x in proteins.items() for _ in x]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", ["pandas", "list", "large_list", "fixed", "tensor", "tensor of one row"])
def test_vectors_of_other_writers_are_the_same_numbers(proteins, tmp_path, shape, dtype):
    values = np.concatenate(list(proteins.values())).astype(dtype)
    path = tmp_path / "x.parquet"
    number = pa.from_numpy_dtype(values.dtype)
    if shape == "pandas":
        frame = pd.DataFrame({"protein_id": ids_of(proteins), "embedding": list(values)})
        frame.to_parquet(path, row_group_size=4)
    else:
        flat = pa.array(values.reshape(-1))
        offsets = np.arange(0, values.size + 1, 3)
        arrays = {
            "list": lambda: pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat),
            "large_list": lambda: pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat),
            "fixed": lambda: pa.FixedSizeListArray.from_arrays(flat, 3),
            "tensor": lambda: pa.FixedShapeTensorArray.from_numpy_ndarray(values),
            "tensor of one row": lambda: pa.ExtensionArray.from_storage(
                pa.fixed_shape_tensor(number, (1, 3)), pa.FixedSizeListArray.from_arrays(flat, 3)
            ),
        }
        table = pa.table({"protein_id": ids_of(proteins), "embedding": arrays[shape]()})
        pq.write_table(table, path, row_group_size=4)
    store = ParquetStore(path)
    assert (store.d_model, store.lengths()) == (3, LENGTHS)
    for name, block in store.iter_proteins("embedding"):
        assert block.dtype in (np.float16, np.float32)
        np.testing.assert_array_equal(block, proteins[name].astype(dtype).astype(np.float32))


def test_vectors_of_several_lengths_and_matrices_are_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"protein_id": ["A", "A"], "act": [[1.0, 2.0], [1.0]]}), path)
    with pytest.raises(InputError, match="column 'act' has vectors of 2 numbers and of 1"):
        list(ParquetStore(path).iter_proteins("act"))
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((2, 5, 3), np.float32))
    for matrices in (tensors, [[[1.0, 2.0]], [[3.0, 4.0]]]):
        pq.write_table(pa.table({"protein_id": ["A", "B"], "act": matrices}), path)
        with pytest.raises(InputError, match=r"column 'act' is .*, not one vector a row: write one"):
            ParquetStore(path, "act")


@pytest.mark.parametrize("kind", ["string", "large_string", "categorical", "list", "large_list"])
def test_labels_may_be_one_text_or_a_list_of_them(proteins, tmp_path, kind):
    labels = {"A": "kinase", "B": None, "C": "x y", "D": "kinase", "E": "GO:1"}
    texts = pa.array([labels[name] for name in ids_of(proteins)])
    lists = [[text] if text else [] for text in texts.to_pylist()]
    column = {
        "string": lambda: texts,
        "large_string": lambda: texts.cast(pa.large_string()),
        "categorical": texts.dictionary_encode,
        "list": lambda: pa.array(lists),
        "large_list": lambda: pa.array(lists, pa.large_list(pa.large_string())),
    }[kind]()
    path = tmp_path / "x.parquet"
    write(path, proteins)
    pq.write_table(pq.read_table(path).append_column("labels", column), path, row_group_size=4)
    expected = {name: (text,) if text else () for name, text in labels.items()}
    assert ParquetStore(path).labels == expected


@pytest.mark.parametrize(
    ("name", "value"), [("labels", 1), ("split", 0), ("labels", 0.5), ("labels", True), ("labels", [3])]
)
def test_labels_and_splits_that_are_numbers_are_refused(proteins, tmp_path, name, value):
    write(tmp_path / "x.parquet", proteins, **{name: dict.fromkeys(LENGTHS, value)})
    with pytest.raises(InputError, match=rf"x\.parquet: column '{name}' is .*, expected string"):
        ParquetStore(tmp_path)


def test_what_is_no_file_is_refused_and_not_waited_for(proteins, tmp_path):
    write(tmp_path / "a.parquet", proteins)
    os.mkfifo(tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet is a folder, a named pipe or a broken link"):
        ParquetStore(tmp_path)


@pytest.mark.parametrize("value", ["", ["a", ""]])
def test_empty_labels_and_ids_are_refused(proteins, tmp_path, value):
    write(tmp_path / "x.parquet", proteins, labels=dict.fromkeys(LENGTHS, value))
    with pytest.raises(InputError, match=r"x\.parquet: column 'labels' holds empty texts: write null"):
        ParquetStore(tmp_path)
    vectors = pa.array([[1.0, 2.0]] * 2, type=pa.list_(pa.float32(), 2))
    pq.write_table(pa.table({"protein_id": ["A", ""], "act": vectors}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match="protein_id is null or empty in row group 0"):
        ParquetStore(tmp_path)


@pytest.mark.parametrize("kind", [pa.list_(pa.float32(), 2), pa.list_(pa.float32())])
def test_files_without_rows_or_numbers_are_refused(tmp_path, kind):
    path = tmp_path / "x.parquet"
    for ids, vectors in (([], []), (["A"], [[]])):
        if vectors and pa.types.is_fixed_size_list(kind):
            continue
        columns = {"protein_id": pa.array(ids, pa.string()), "act": pa.array(vectors, kind)}
        pq.write_table(pa.table(columns), path)
        with pytest.raises(InputError, match=r"x\.parquet holds no rows"):
            ParquetStore(path)


@pytest.mark.parametrize("rows_per_group", [1, 2, 3, 100])
@pytest.mark.parametrize("without_ids", [False, True])
@pytest.mark.parametrize(
    ("name", "first", "other"),
    [
        ("split", "train", "test"),
        ("labels", ["a", "b"], ["a", "c"]),
        ("labels", ["a"], []),
        ("labels", "a", "b"),
    ],
)
def test_labels_and_splits_that_vary_within_a_protein_are_refused(
    tmp_path, name, first, other, rows_per_group, without_ids
):
    if without_ids and rows_per_group != 100:
        return
    ids = ["A", "A", "B", "B", "B", "B", "C"]
    values = [other, other, first, first, first, other, other]
    table = {"protein_id": ids, "act": np.zeros((7, 2)).tolist(), name: values}
    if without_ids:
        table.pop("protein_id")
    pq.write_table(pa.table(table), tmp_path / "x.parquet", row_group_size=rows_per_group)
    protein = "x:0" if without_ids else "B"
    with pytest.raises(InputError, match=rf"x\.parquet: column '{name}' varies within protein '{protein}'"):
        ParquetStore(tmp_path)


@pytest.mark.parametrize("name", ["accession", "Protein", "uniprot_id", "id"])
def test_proteins_under_another_name_are_not_taken_for_one(tmp_path, name):
    pq.write_table(pa.table({name: ["A", "B"], "act": [[1.0], [2.0]]}), tmp_path / "x.parquet")
    with pytest.raises(InputError, match=rf"no column 'protein_id', but {name.lower()}: rename"):
        ParquetStore(tmp_path)


def test_labels_in_another_order_are_the_same(tmp_path):
    table = {
        "protein_id": ["A"] * 3,
        "act": np.zeros((3, 2)).tolist(),
        "labels": [["b", "a"], ["a", "b"], ["b", "a"]],
    }
    pq.write_table(pa.table(table), tmp_path / "x.parquet", row_group_size=2)
    assert ParquetStore(tmp_path).labels == {"A": ("b", "a")}
