"""The store of codes: what goes in comes out, protein by protein; damage and strangers are refused."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
from tests.code_store import stored_codes

from protsae.core.errors import InputError
from protsae.encoding.codes import INDEX_NAME, CodedDictionary, CodeStore, CodeWriter, require_concepts
from protsae.encoding.run import Run
from protsae.metrics.association import ResidueCodes

RUN = Run("topk", 3, "layers.1.resid_post", 4)
SPLIT_OF = {"b": "test", "a": "validation", "d": "test", "c": "train", "e": "test"}


@pytest.fixture
def acts():
    generator = np.random.default_rng(0)
    lengths = {"b": 7, "a": 1, "d": 12, "c": 5, "e": 3}
    values = {p: np.maximum(generator.normal(size=(n, 9)), 0) for p, n in lengths.items()}
    values["e"][:] = 0  # a protein on which nothing fires
    return {p: x.astype(np.float32) for p, x in values.items()}


@pytest.fixture
def store(acts, tmp_path):
    return stored_codes(tmp_path / "codes", acts, SPLIT_OF, run=RUN)


def dense(codes: ResidueCodes, n_latents: int = 9) -> np.ndarray:
    out = np.zeros((len(codes), n_latents), np.float32)
    out[np.repeat(np.arange(len(codes)), np.diff(codes.indptr)), codes.latents] = codes.values
    return out


def test_each_protein_is_read_back_by_itself(store, acts):
    for name, values in acts.items():
        np.testing.assert_array_equal(dense(store.codes(name)), values)
        assert store.residue_index(name).tolist() == list(range(len(values)))
    assert store.run == RUN
    assert store.n_latents == 9
    assert store.of_split("test") == ["b", "d", "e"]


@pytest.mark.parametrize("rows", [1, 8, 1000])
def test_proteins_are_read_in_stored_order_in_blocks(store, acts, rows, monkeypatch):
    monkeypatch.setattr("protsae.encoding.codes._BLOCK_ROWS", rows)
    parts = list(store.read({"e", "d", "b"}))
    assert [name for names, _ in parts for name in names] == ["b", "d", "e"]
    assert len(parts) == {1: 3, 8: 2, 1000: 1}[rows]
    for names, codes in parts:
        np.testing.assert_array_equal(dense(codes), np.concatenate([acts[name] for name in names]))


def test_wide_dictionaries_have_wider_latents(tmp_path):
    codes = ResidueCodes(np.array([0, 2]), np.array([3, 70_000], np.int32), np.array([1.0, 2.0], np.float32))
    writer = CodeWriter(tmp_path, CodedDictionary(RUN, 4, 70_001, ()))
    writer.add(["a"], "test", [1], [1], np.zeros(1, int), codes)
    store = writer.close()
    assert store.codes("a").latents.tolist() == [3, 70_000]
    assert (tmp_path / "latent.bin").stat().st_size == 2 * 4


def test_sampled_residues_keep_positions_and_are_not_whole_proteins(tmp_path):
    codes = ResidueCodes(np.array([0, 1, 1]), np.array([2], np.int32), np.array([1.0], np.float32))
    writer = CodeWriter(tmp_path, CodedDictionary(RUN, 4, 5, ()))
    writer.add(["a"], "test", [90], [2], np.array([40, 60]), codes)
    store = writer.close()
    assert store.residue_index("a").tolist() == [40, 60]
    with pytest.raises(InputError, match=r"a has 90 residues but activations of 2: .* Extract again"):
        store.require_whole({"a": 90})
    store.require_whole({"a": 2})


def test_logits_are_read_in_the_order_asked_for(acts, tmp_path):
    logits = {p: np.full((len(x), 2), i, np.float32) for i, (p, x) in enumerate(acts.items())}
    store = stored_codes(
        tmp_path / "codes", acts, SPLIT_OF, concept_ids=("x", "y"), logits=logits, residue_concepts=(0, 1)
    )
    assert store.logits(["d", "b"])[:, 1].tolist() == [2] * 12 + [0] * 7
    with pytest.raises(InputError, match="no logits"):
        stored_codes(tmp_path / "plain", acts, SPLIT_OF).logits(["d"])


def test_unknown_proteins_are_refused_with_the_setting_that_adds_them(store):
    with pytest.raises(InputError, match=r"no codes of 1 proteins \(first: 'z'\): .* encoding.stored_splits"):
        list(store.read(["a", "z"]))


def test_damage_is_seen(store):
    path = store.root / "value.bin"
    data = bytearray(path.read_bytes())
    data[5] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"value\.bin is damaged"):
        CodeStore(store.root)
    path.write_bytes(bytes(data[:-1]))
    with pytest.raises(InputError, match=r"value\.bin has \d+ bytes, the index says \d+; encode again"):
        CodeStore(store.root)
    path.unlink()
    with pytest.raises(InputError, match=r"value\.bin has None bytes"):
        CodeStore(store.root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "reads protsae.residue_codes up to 1: update"),
        ({"format": "x"}, "of format x"),
    ],
)
def test_other_formats_are_refused(store, change, message):
    about = json.loads((store.root / INDEX_NAME).read_text())
    (store.root / INDEX_NAME).write_text(json.dumps(about | change))
    with pytest.raises(InputError, match=message):
        CodeStore(store.root)
    (store.root / INDEX_NAME).write_text("{}")
    with pytest.raises(InputError, match="is no index of residue codes"):
        CodeStore(store.root)


def test_a_folder_without_its_index_is_no_store(acts, tmp_path):
    """A writer that was killed leaves none."""
    with CodeWriter(tmp_path, CodedDictionary(RUN, 4, 9, ())) as writer:
        writer.add(["a"], "test", [1], [1], np.zeros(1, int), ResidueCodes.of_dense(acts["a"]))
    with pytest.raises(InputError, match="is no index"):
        CodeStore(tmp_path)


def test_saving_copies_or_moves_the_folder_and_replaces_the_target(acts, tmp_path):
    target = tmp_path / "target"
    kept = stored_codes(tmp_path / "kept", acts, SPLIT_OF)
    kept.save(target)
    (target / "stray").touch()
    few = {name: acts[name] for name in ("a", "b")}
    temporary = stored_codes(tmp_path / "temporary", few, SPLIT_OF, temporary=True)
    copy.deepcopy(temporary).save(target)
    found = CodeStore(target)
    assert found.protein_ids == ["a", "b"]
    assert not (target / "stray").exists()
    assert not (temporary.root / "value.bin").exists()
    del temporary
    assert not (tmp_path / "temporary").exists()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_dictionaries_of_other_concepts_are_refused():
    concepts = pd.DataFrame({"concept_idx": [0, 1], "concept_id": ["a", "b"]})
    require_concepts(("a", "b"), concepts)
    require_concepts((), concepts)
    with pytest.raises(InputError, match="in another order: train it again"):
        require_concepts(("b", "a"), concepts)
    with pytest.raises(InputError, match="trained on 1 concepts, the table has 2, such as b"):
        require_concepts(("a",), concepts)
