"""Embeddings of another model: read as they are, and refused where the model would judge itself."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from protsae.core.errors import InputError
from protsae.disentanglement.embeddings import StudiedModel, read_embeddings

STUDIED = StudiedModel("esm2_mini", "ab" * 32)
IDS = ["P2", "P1", "P3"]


@pytest.fixture
def activations():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(3, 4)).astype(np.float32)
    return pd.DataFrame({"protein_id": sorted(IDS), "activation": list(vectors)})


def written(path, vectors, metadata=None, name="vector", ids=IDS):
    table = pa.table({"protein_id": ids, name: [list(map(float, v)) for v in vectors]})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path


def test_vectors_are_read_in_order_of_ids_at_unit_length(tmp_path, activations):
    path = written(tmp_path / "e.parquet", [[3, 4], [0, 2], [0, 0]], {"model": "prot_t5"})
    found = read_embeddings(path, STUDIED, activations, None)
    assert found["protein_id"].tolist() == ["P1", "P2", "P3"]
    np.testing.assert_allclose(np.stack(found["embedding"]), [[0, 1], [0.6, 0.8], [0, 0]], atol=1e-7)
    assert set(found["model"]) == {"prot_t5"}
    named = written(tmp_path / "unnamed.parquet", [[3, 4], [0, 2], [0, 0]])
    assert set(read_embeddings(named, STUDIED, activations, "prot_t5")["model"]) == {"prot_t5"}


def test_without_a_file_there_are_no_rows(activations):
    assert read_embeddings(None, STUDIED, activations, None).empty


@pytest.mark.parametrize(
    "metadata",
    [{"model": "models/ESM2-mini.safetensors"}, {"model": "other", "model_sha256": "AB" * 32}],
)
def test_the_model_under_study_may_not_judge_itself(metadata, tmp_path, activations):
    path = written(tmp_path / "e.parquet", np.eye(3), metadata)
    with pytest.raises(InputError, match="of the model under study, esm2_mini "):
        read_embeddings(path, STUDIED, activations, None)


def test_nor_under_another_name(tmp_path, activations):
    own = activations.set_index("protein_id").loc[IDS, "activation"].tolist()
    path = written(tmp_path / "e.parquet", [7 * vector for vector in own], {"model": "prot_t5"})
    with pytest.raises(InputError, match="holds the activations under study themselves"):
        read_embeddings(path, STUDIED, activations, None)


def test_embeddings_of_an_unnamed_model_are_refused(tmp_path, activations):
    path = written(tmp_path / "e.parquet", np.eye(3))
    with pytest.raises(InputError, match="does not say which model made it: name it in"):
        read_embeddings(path, STUDIED, activations, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: written(p, [[1, 2], [1], [0, 1]], {"model": "m"}), "vectors of 1, 2 values"),
        (lambda p: written(p, [[1, 2], [1, np.nan], [0, 1]], {"model": "m"}), "vector of P1 has missing"),
        (lambda p: written(p, np.eye(3), {"model": "m"}, ids=["P1", "P1", "P2"]), "P1 occurs twice"),
        (lambda p: written(p, np.eye(3), {"model": "m"}, name="x") and rename(p), "found id, x"),
        (lambda p: p.write_text("protein_id,x") and p, "is not a Parquet file"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(change, message, tmp_path, activations):
    path = change(tmp_path / "e.parquet")
    with pytest.raises(InputError, match=message):
        read_embeddings(tmp_path / "e.parquet" if path is None else path, STUDIED, activations, None)


def rename(path):
    table = pq.read_table(path)
    pq.write_table(table.rename_columns(["id", "x"]), path)
    return path


@pytest.mark.parametrize("kind", ["double", "tensor", "with labels"])
def test_vectors_of_other_writers_are_read(kind, tmp_path, activations):
    values = np.arange(6, dtype=np.float64).reshape(3, 2) + 1
    columns = {
        "double": {"act": pa.array(values.tolist())},
        "tensor": {"act": pa.FixedShapeTensorArray.from_numpy_ndarray(values)},
        "with labels": {"act": pa.array(values.tolist()), "labels": pa.array([["a"], [], ["b", "c"]])},
    }[kind]
    pq.write_table(pa.table({"protein_id": ["C", "A", "B"], **columns}), tmp_path / "x.parquet")
    found = read_embeddings(tmp_path / "x.parquet", STUDIED, activations, "another")
    assert found["protein_id"].tolist() == ["A", "B", "C"]
    expected = values[[1, 2, 0]] / np.linalg.norm(values[[1, 2, 0]], axis=1, keepdims=True)
    np.testing.assert_allclose(np.stack(found["embedding"]), expected, rtol=1e-6)
