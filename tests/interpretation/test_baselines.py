"""Codes of untrained dictionaries, residue by residue."""

import numpy as np
import torch
from tests.interpretation.toy_proteins import HOOK

from protsae.encoding.batches import ProteinBatch
from protsae.interpretation.baselines import (
    N_LETTERS,
    of_autoencoder,
    of_neurons,
    of_random_directions,
    of_windows,
    unit_directions,
)
from protsae.interpretation.sources import LettersOnly
from protsae.plm.residues import RESIDUES
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae

SEQUENCES = {"A": "CWX", "B": "WC"}


def batch(d_model=3):
    x = torch.randn(5, d_model, generator=torch.Generator().manual_seed(0))
    return ProteinBatch("test", list(SEQUENCES), [3, 2], np.array([0, 1, 2, 0, 1]), x)


def letters():
    return np.frombuffer("".join(SEQUENCES.values()).encode(), dtype=np.uint8)


def dense(codes, n_latents):
    out = np.zeros((len(codes), n_latents))
    out[np.repeat(np.arange(len(codes)), np.diff(codes.indptr)), codes.latents] = codes.values
    return out


def test_neurons_are_activations_on_either_side_of_the_mean():
    mean = torch.tensor([0.5, 0.0, -1.0])
    found = dense(of_neurons("neurons", mean).codes(batch(), letters()), 6)
    centred = (batch().x - mean).numpy()
    np.testing.assert_allclose(
        found, np.concatenate([np.maximum(centred, 0), np.maximum(-centred, 0)], axis=1)
    )


def test_random_directions_keep_the_k_largest_positive_projections():
    directions = unit_directions(3, 20, seed=1)
    assert torch.allclose(directions.norm(dim=0), torch.ones(20))
    assert torch.equal(directions, unit_directions(3, 20, seed=1))
    drawn = of_random_directions(torch.zeros(3), 20, 4, seed=1)
    found = dense(drawn.codes(batch(), letters()), 20)
    projected = (batch().x @ directions).numpy()
    for row, values in zip(found, projected, strict=True):
        kept = np.sort(values)[-4:]
        np.testing.assert_allclose(np.sort(row[row > 0]), kept[kept > 0], rtol=1e-6)


def test_windows_end_where_proteins_end_and_pass_over_unknown_letters():
    found = dense(of_windows(1).codes(batch(), letters()), 3 * N_LETTERS)
    c, w = RESIDUES.index("C"), RESIDUES.index("W")
    before, here, after = 0, N_LETTERS, 2 * N_LETTERS
    expected = [
        {here + c, after + w},  # C of A: nothing before it
        {before + c, here + w},  # W of A: an X after it
        {before + w},  # X of A: B begins after it
        {here + w, after + c},
        {before + w, here + c},
    ]
    assert [set(np.flatnonzero(row)) for row in found] == expected
    assert set(np.unique(found)) == {0.0, 1.0}


@torch.no_grad()
def test_a_trained_dictionary_gives_what_it_encodes():
    sae = TopKSae(TopKConfig(d_model=3, d_sae=12, k=2), torch.Generator().manual_seed(0))
    found = dense(of_autoencoder("topk", sae).codes(batch(), letters()), 12)
    np.testing.assert_array_equal(found.astype(np.float32), sae.encode(batch().x).numpy())


def test_a_source_of_letters_has_no_activations(task):
    ((name, index, block),) = LettersOnly(task.proteins).iter_residues(HOOK, ["P00"])
    n = len(task.proteins.letters["P00"])
    assert (name, index.tolist(), block.shape) == ("P00", list(range(n)), (n, 0))
