"""The sample of residues: the same for all dictionaries, and their codes are those of the whole pass."""

import numpy as np
import pytest
import torch
from tests.memory_store import MemoryStore

from protsae.core.errors import InputError
from protsae.disentanglement.residues import drawn_positions, encode_sample
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae


def world():
    generator = np.random.default_rng(0)
    lengths = {"b": 50, "a": 3, "c": 20}
    store = MemoryStore(
        {p: generator.normal(size=(n, 6)).astype(np.float32) for p, n in lengths.items()}, "hook"
    )
    sae = TopKSae(TopKConfig(d_model=6, d_sae=12, k=3), torch.Generator().manual_seed(0))
    return store, sae, {p: "A" * n for p, n in lengths.items()}


def test_codes_are_those_of_the_residues_drawn():
    store, sae, sequences = world()
    sample = encode_sample(store, sae, "hook", sequences, residues_per_protein=8, seed=3)
    assert [protein_id for protein_id, _ in sample.items] == ["b", "a", "c"]
    assert [len(positions) for _, positions in sample.items] == [8, 3, 8]
    assert sample.protein_ids.tolist() == ["b"] * 8 + ["a"] * 3 + ["c"] * 8
    with torch.inference_mode():
        whole = {p: sae.encode(torch.from_numpy(x)).numpy() for p, x in store.proteins.items()}
    expected = [whole[p][positions] for p, positions in sample.items]
    np.testing.assert_allclose(sample.activations.toarray(), np.concatenate(expected), atol=1e-6)


def test_positions_depend_on_protein_and_seed_alone():
    first = drawn_positions("P1", 100, 10, 0)
    assert first.tolist() == sorted(set(first.tolist()))
    assert first.min() >= 0
    assert first.max() < 100
    assert drawn_positions("P1", 100, 10, 0).tolist() == first.tolist()
    assert drawn_positions("P2", 100, 10, 0).tolist() != first.tolist()
    assert drawn_positions("P1", 100, 10, 1).tolist() != first.tolist()
    assert drawn_positions("P1", 4, 10, 0).tolist() == [0, 1, 2, 3]


def test_a_sequence_of_another_length_than_its_activations_is_refused():
    store, sae, sequences = world()
    with pytest.raises(InputError, match="c has 21 residues but activations of 20"):
        encode_sample(store, sae, "hook", sequences | {"c": "A" * 21}, residues_per_protein=8, seed=3)
