"""What latents do on single residues, against counting by hand."""

from collections import Counter

import numpy as np
import pytest
from tests.code_store import stored_codes

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.interpretation.amino_acids import AminoAcidCounts, peak_windows, top_residues

SEQUENCES = {"P1": "MKCCAXU", "P2": "CWYMKLLLAC", "P3": "AAAAAAAAA"}
SPLIT_OF = {"P1": "test", "P2": "test", "P3": "validation"}


@pytest.fixture
def acts():
    generator = np.random.default_rng(0)
    return {
        p: np.maximum(generator.normal(size=(len(s), 8)), 0).astype(np.float32) for p, s in SEQUENCES.items()
    }


@pytest.mark.parametrize("rows", [1, 9, 1000])
def test_counts_equal_a_loop_over_residues(acts, tmp_path, rows, monkeypatch):
    monkeypatch.setattr("protsae.encoding.codes._BLOCK_ROWS", rows)
    found = AminoAcidCounts.of(stored_codes(tmp_path / "codes", acts, SPLIT_OF), SEQUENCES)
    counts = [Counter() for _ in range(8)]
    for protein_id, sequence in SEQUENCES.items():
        for residue, row in zip(sequence, acts[protein_id], strict=True):
            for latent in np.flatnonzero(row):
                counts[latent][residue] += 1
    for latent in range(8):
        assert found.counts[latent].tolist() == [counts[latent][a] for a in AMINO_ACIDS]
    everything = Counter("".join(SEQUENCES.values()))
    assert found.background.tolist() == [everything[a] for a in AMINO_ACIDS]


def test_windows_are_cut_around_the_first_residue_of_the_maximum(acts, tmp_path):
    acts["P2"][[4, 7], 3] = 9.0
    acts["P2"][:, 5] = 0
    store = stored_codes(tmp_path / "codes", acts, SPLIT_OF)
    first, other, silent = peak_windows(store, "P2", SEQUENCES["P2"], [3, 0, 5], flank=2)
    assert (first.peak_index, first.start, first.sequence) == (4, 2, "YMKLL")
    np.testing.assert_array_equal(first.acts, acts["P2"][2:7, 3])
    peak = int(acts["P2"][:, 0].argmax())
    start, end = max(0, peak - 2), min(10, peak + 3)
    assert (other.peak_index, other.start, other.sequence) == (peak, start, SEQUENCES["P2"][start:end])
    np.testing.assert_array_equal(other.acts, acts["P2"][start:end, 0])
    assert (silent.peak_index, silent.acts.tolist()) == (0, [0, 0, 0])


def test_enrichment_is_the_log_ratio_of_shares_and_names_the_residue(tmp_path):
    """A latent that fires on every cysteine and on nothing else."""
    acts = {p: np.array([[float(a == "C"), 0.0] for a in s]) for p, s in SEQUENCES.items()}
    found = AminoAcidCounts.of(stored_codes(tmp_path / "codes", acts, SPLIT_OF), SEQUENCES)
    share = 4 / 24  # four cysteines among the standard residues
    expected = np.log2((4 + share) / 5 / share)
    enrichment = found.enrichment()
    assert enrichment[0, AMINO_ACIDS.index("C")] == pytest.approx(expected)
    assert enrichment[0, AMINO_ACIDS.index("A")] < 0
    assert enrichment[0, AMINO_ACIDS.index("D")] == 0, "an amino acid that never occurs says nothing"
    np.testing.assert_allclose(enrichment[1], 0, atol=1e-12)
    assert top_residues(enrichment, 3) == [f"C {expected:.2f}", ""]


def test_activations_of_another_length_are_refused(acts, tmp_path):
    with pytest.raises(InputError, match="P1 has 2 residues but activations of 7"):
        AminoAcidCounts.of(stored_codes(tmp_path / "codes", acts, SPLIT_OF), {**SEQUENCES, "P1": "MK"})
