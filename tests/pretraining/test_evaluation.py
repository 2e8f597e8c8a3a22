"""Perplexity against a slow reference: fair-esm, one protein at a time."""

import math

import numpy as np
import pytest
import torch
from tests.pretraining.conftest import random_proteins

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.evaluation import (
    MaskedScores,
    draw_proteins,
    masked_scores,
    residue_frequencies,
    summarise,
    validation_terms,
)
from protsae.pretraining.model import build_module

CPU = torch.device("cpu")


@pytest.fixture
def module(shape):
    module = build_module(shape, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
    return module


def test_perplexity_equals_fair_esm_on_each_protein_alone(module, monkeypatch):
    sequences = random_proteins(12, 0)
    chosen: dict[str, np.ndarray] = {}

    from protsae.pretraining import evaluation

    original = evaluation._choose

    def choose(given, config):
        crops, at = original(given, config)
        chosen.update(zip(crops, at, strict=True))
        return crops, at

    monkeypatch.setattr(evaluation, "_choose", choose)
    scores = masked_scores(module, sequences, PerplexityConfig(tokens_per_batch=150), CPU)
    losses, right = [], []
    _, _, convert = None, None, module.alphabet.get_batch_converter()
    for sequence, at in chosen.items():
        _, _, tokens = convert([("", sequence)])
        truth = tokens[0, at + 1]
        tokens[0, at + 1] = module.mask_idx
        with torch.no_grad():
            log_p = module(tokens)["logits"][0, at + 1].log_softmax(dim=1)
        losses += [-float(row[t]) for row, t in zip(log_p, truth, strict=True)]
        right += [bool(row.argmax() == t) for row, t in zip(log_p, truth, strict=True)]
    figures = summarise(scores, np.full(20, 1 / 20), (30, 60))
    assert figures["perplexity"] == pytest.approx(math.exp(np.mean(losses)), rel=1e-5)
    assert figures["accuracy"] == pytest.approx(np.mean(right))
    assert figures["n_residues"] == len(losses) == sum(max(1, round(0.15 * len(s))) for s in sequences)
    assert figures["floor_perplexity"] == pytest.approx(20)


def test_a_protein_s_figure_does_not_depend_on_the_others(module):
    sequences = random_proteins(8, 1)
    together = masked_scores(module, sequences, PerplexityConfig(), CPU)
    alone = [masked_scores(module, [sequence], PerplexityConfig(), CPU) for sequence in sequences]
    pooled = np.sort(np.concatenate([scores.cross_entropy for scores in alone]))
    np.testing.assert_allclose(np.sort(together.cross_entropy), pooled, rtol=1e-5)
    again = masked_scores(module, sequences[::-1], PerplexityConfig(seed=1), CPU)
    assert not np.array_equal(np.sort(again.cross_entropy), np.sort(together.cross_entropy))


def test_what_is_cropped_or_cannot_be_judged_is_counted(module):
    scores = masked_scores(module, ["A" * 50, "XX", "C" * 10], PerplexityConfig(max_residues=20), CPU)
    assert (scores.n_proteins, scores.n_cropped, scores.n_without) == (2, 1, 1)
    assert sorted(scores.length.tolist()) == [10] * 2 + [50] * 3
    with pytest.raises(InputError, match="nothing to guess"):
        validation_terms(module, ["XX"], PerplexityConfig(), CPU)


def test_figures_by_hand():
    scores = MaskedScores(
        length=np.array([10, 10, 300]),
        residue=np.array([0, 0, 1]),
        cross_entropy=np.log([2.0, 8.0, 5.0]),
        is_right=np.array([True, False, False]),
        n_proteins=2,
        n_cropped=0,
        n_without=0,
    )
    frequencies = np.full(20, 0.1)
    frequencies[1] = 0.4
    figures = summarise(scores, frequencies, (128, 256))
    assert figures["perplexity"] == pytest.approx(80 ** (1 / 3))
    assert figures["floor_perplexity"] == pytest.approx((10 * 10 * 2.5) ** (1 / 3))
    assert figures["accuracy"] == pytest.approx(1 / 3)
    short, middle, long = figures["by_length"]
    assert (short["from"], short["to"], short["perplexity"]) == (1, 128, pytest.approx(4))
    assert middle == {"from": 129, "to": 256, "n_residues": 0}
    assert (long["from"], long["to"], long["perplexity"]) == (257, None, pytest.approx(5))
    assert [(row["residue"], row["n_residues"]) for row in figures["by_residue"][:3]] == [
        ("A", 2), ("C", 1), ("D", 0),
    ]  # fmt: skip


def test_frequencies_by_hand():
    frequencies = residue_frequencies(["AAC", "XAZ"])
    assert frequencies[AMINO_ACIDS.index("A")] == pytest.approx(4 / 24)
    assert frequencies[AMINO_ACIDS.index("C")] == pytest.approx(2 / 24)
    assert frequencies.sum() == pytest.approx(1)


def test_a_sample_is_drawn_once_without_repeats():
    drawn = draw_proteins(random_proteins(50, 0), 20, 0)
    assert drawn == sorted(set(drawn)) == draw_proteins(random_proteins(50, 0), 20, 0) and len(drawn) == 20
    assert draw_proteins(["A", "C"], 5, 0) == [0, 1]
