"""The pass over residues against counting by hand."""

from collections import Counter

import numpy as np
import pytest
import torch

from protsae.core.errors import InputError
from protsae.interpretation.config import ExampleConfig
from protsae.interpretation.residues import AMINO_ACIDS, read_residues, top_residues
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae

HOOK = "layers.0.resid_post"
SEQUENCES = {"P1": "MKCCAXU", "P2": "CWYMKLLLAC", "P3": "AAAAAAAAA"}
SPLIT_OF = {"P1": "test", "P2": "test", "P3": "validation"}


class Source:
    """Multiples of 1/16: with those of `sae` every sum is exact, in batches of any size."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.proteins = {
            p: np.round(16 * generator.normal(size=(len(s), 4))).astype(np.float32) / 16
            for p, s in SEQUENCES.items()
        }

    def iter_proteins(self, hook_point, protein_ids=None):
        yield from ((p, x) for p, x in self.proteins.items() if p in protein_ids)


@pytest.fixture
def sae():
    module = TopKSae(TopKConfig(d_model=4, d_sae=8, k=2), torch.Generator().manual_seed(0))
    with torch.no_grad():
        module.W_enc.copy_((64 * module.W_enc).round() / 64)
    return module


@pytest.mark.parametrize("residues_per_batch", [1, 9, 1000])
def test_counts_and_windows_equal_a_loop_over_residues(sae, residues_per_batch):
    source, config = Source(), ExampleConfig(flank=2, residues_per_batch=residues_per_batch)
    wanted = {"P2": [0, 3], "P1": [5]}
    found = read_residues(
        source, sae, HOOK, sequences=SEQUENCES, split_of=SPLIT_OF, wanted=wanted, config=config
    )
    counts = [Counter() for _ in range(8)]
    for protein_id, sequence in SEQUENCES.items():
        acts = sae.encode(torch.from_numpy(source.proteins[protein_id])).detach().numpy()
        for residue, row in zip(sequence, acts, strict=True):
            for latent in np.flatnonzero(row):
                counts[latent][residue] += 1
    for latent in range(8):
        assert found.counts[latent].tolist() == [counts[latent][a] for a in AMINO_ACIDS]
    everything = Counter("".join(SEQUENCES.values()))
    assert found.background.tolist() == [everything[a] for a in AMINO_ACIDS]

    assert set(found.windows) == {(0, "P2"), (3, "P2"), (5, "P1")}
    for (latent, protein_id), window in found.windows.items():
        acts = sae.encode(torch.from_numpy(source.proteins[protein_id]))[:, latent].detach().numpy()
        assert window.peak_index == acts.argmax()
        start, end = max(0, window.peak_index - 2), min(len(acts), window.peak_index + 3)
        assert (window.start, window.sequence) == (start, SEQUENCES[protein_id][start:end])
        np.testing.assert_array_equal(window.acts, acts[start:end])


def test_enrichment_is_the_log_ratio_of_shares_and_names_the_residue(sae):
    """A latent that fires on every cysteine and on nothing else."""

    class Cysteine:
        config = sae.config

        def encode(self, x):
            return torch.relu(x[:, :1]).expand(-1, 8) * torch.tensor([1.0] + [0.0] * 7)

    source = Source()
    source.proteins = {
        p: np.array([[float(a == "C"), 0, 0, 0] for a in s], dtype=np.float32) for p, s in SEQUENCES.items()
    }
    found = read_residues(
        source, Cysteine(), HOOK, sequences=SEQUENCES, split_of=SPLIT_OF, wanted={}, config=ExampleConfig()
    )
    share = 4 / 24  # four cysteines among the standard residues
    expected = np.log2((4 + share) / 5 / share)
    enrichment = found.enrichment()
    assert enrichment[0, AMINO_ACIDS.index("C")] == pytest.approx(expected)
    assert enrichment[0, AMINO_ACIDS.index("A")] < 0
    assert enrichment[0, AMINO_ACIDS.index("D")] == 0, "an amino acid that never occurs says nothing"
    np.testing.assert_allclose(enrichment[1], 0, atol=1e-12)
    assert top_residues(enrichment, 3)[:2] == [f"C {expected:.2f}", ""]


def test_activations_of_another_length_are_refused(sae):
    with pytest.raises(InputError, match="P1 has 2 residues but activations of 7"):
        read_residues(
            Source(),
            sae,
            HOOK,
            sequences={**SEQUENCES, "P1": "MK"},
            split_of=SPLIT_OF,
            wanted={},
            config=ExampleConfig(),
        )
