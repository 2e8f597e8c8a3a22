"""EAGLE's search and its curves, by hand and against an exhaustive search."""

from itertools import permutations

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import random_sequences, tiny_model

from protsae.attribution.regions import curves, greedy, occlusion, windows
from protsae.attribution.seen import concept_seen, residues_seen
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.plm.forward import LOGITS, Esm2Forward

REGIONS = windows(6, 2)


def needs_both(kept):
    """0.8 where the first and the last region are seen whole, 0.3 with the last alone, else 0.1."""
    whole = np.stack([kept[:, region].all(axis=1) for region in REGIONS], axis=1)
    return np.where(whole[:, 0] & whole[:, 2], 0.8, np.where(whole[:, 2], 0.3, 0.1))


def test_windows_cover_what_is_not_left_out_once():
    without = np.array([0, 0, 0, 1, 1, 1, 0], bool)
    found = windows(7, 3, without)
    assert found.astype(int).tolist() == [[1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]]
    with pytest.raises(InputError, match="mask fewer"):
        windows(3, 2, np.ones(3, bool))


def test_greedy_by_hand():
    found = greedy(needs_both, REGIONS)
    # last region: insight .3, necessity 1 - .1; first region: .1 and 1 - .3
    assert found.order == [2, 0, 1]
    assert found.insight == pytest.approx([0.3, 0.8, 0.8])
    assert found.necessity == pytest.approx([0.9, 0.9, 0.9])
    assert greedy(needs_both, REGIONS, (0.0, -1.0)).order[0] == 1  # the least needed


def test_occlusion_and_curves_by_hand():
    assert occlusion(needs_both, REGIONS) == pytest.approx(np.array([0.5, 0.0, 0.7]))
    found = curves(needs_both, REGIONS, [2, 0, 1])
    assert found.insertion == pytest.approx(np.array([0.1, 0.3, 0.8, 0.8]))
    assert found.deletion == pytest.approx(np.array([0.8, 0.1, 0.1, 0.1]))
    assert found.insertion_auc == pytest.approx((0.2 + 0.55 + 0.8) / 3)
    assert found.deletion_auc == pytest.approx((0.45 + 0.1 + 0.1) / 3)
    with pytest.raises(InputError, match="names each once"):
        curves(needs_both, REGIONS, [2, 2, 1])


def test_greedy_finds_the_best_of_all_orders_here():
    areas = {
        order: curves(needs_both, REGIONS, order).insertion_auc
        - curves(needs_both, REGIONS, order).deletion_auc
        for order in permutations(range(3))
    }
    assert max(areas, key=areas.get) == tuple(greedy(needs_both, REGIONS).order)


def test_probabilities_are_those_of_runs_of_one_protein_each(tmp_path):
    plm = tiny_model(tmp_path)
    (text,) = random_sequences([14])
    generator = np.random.default_rng(0)
    kept = generator.random((7, 14)) < 0.5
    seen = residues_seen(plm, text, [9, 2], "WA")(kept)
    tokens = [plm.module.alphabet.get_idx(letter) for letter in AMINO_ACIDS]
    forward = Esm2Forward(plm, ["layers.1.resid_post"])
    for row, found in zip(kept, seen, strict=True):
        masked = ~row
        masked[[9, 2]] = True
        logits = forward.run([text], logits=True, masked=torch.from_numpy(masked))[LOGITS][:, tokens]
        chances = torch.softmax(logits, dim=1)
        wanted = (chances[9, AMINO_ACIDS.index("W")] + chances[2, AMINO_ACIDS.index("A")]) / 2
        assert found == pytest.approx(float(wanted), abs=1e-5)
    assert seen.std() > 1e-4

    def score(x):
        return x[:, :, 0].mean(dim=1)

    for row, found in zip(kept, concept_seen(plm, text, "layers.1.resid_post", score)(kept), strict=True):
        values = forward.run([text], masked=torch.from_numpy(~row))["layers.1.resid_post"]
        assert found == pytest.approx(float(torch.sigmoid(values[:, 0].mean())), abs=1e-5)
