"""The sample of residues: the same for all dictionaries, and their codes are those that are stored."""

import numpy as np
import pytest
from tests.code_store import stored_codes

from protsae.core.errors import InputError
from protsae.disentanglement.residues import draw_sample, drawn_positions

LENGTHS = {"b": 50, "a": 3, "c": 20}


@pytest.fixture
def acts():
    generator = np.random.default_rng(0)
    return {p: np.maximum(generator.normal(size=(n, 12)), 0).astype(np.float32) for p, n in LENGTHS.items()}


@pytest.fixture
def codes(acts, tmp_path):
    return stored_codes(tmp_path / "codes", acts, dict.fromkeys(acts, "test"))


def test_codes_are_those_of_the_residues_drawn(acts, codes):
    sample = draw_sample(codes, LENGTHS, residues_per_protein=8, seed=3)
    assert [protein_id for protein_id, _ in sample.items] == ["b", "a", "c"]
    assert [len(positions) for _, positions in sample.items] == [8, 3, 8]
    assert sample.protein_ids.tolist() == ["b"] * 8 + ["a"] * 3 + ["c"] * 8
    expected = [acts[p][positions] for p, positions in sample.items]
    np.testing.assert_array_equal(sample.activations.toarray(), np.concatenate(expected))


def test_positions_depend_on_protein_and_seed_alone():
    first = drawn_positions("P1", 100, 10, 0)
    assert first.tolist() == sorted(set(first.tolist()))
    assert first.min() >= 0
    assert first.max() < 100
    assert drawn_positions("P1", 100, 10, 0).tolist() == first.tolist()
    assert drawn_positions("P2", 100, 10, 0).tolist() != first.tolist()
    assert drawn_positions("P1", 100, 10, 1).tolist() != first.tolist()
    assert drawn_positions("P1", 4, 10, 0).tolist() == [0, 1, 2, 3]


def test_a_sequence_of_another_length_than_its_activations_is_refused(codes):
    with pytest.raises(InputError, match="c has 21 residues but activations of 20"):
        draw_sample(codes, LENGTHS | {"c": 21}, residues_per_protein=8, seed=3)
