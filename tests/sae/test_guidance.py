"""Annotation loss and thresholds against plain Python."""

import math

import numpy as np
import pytest
import torch

from protsae.sae.codes import SparseCodes
from protsae.sae.guidance import (
    Supervision,
    Weighting,
    best_f1_thresholds,
    decorrelation_loss,
    firing_thresholds,
    guided_loss,
    hierarchy_loss,
    masked_bce,
)
from protsae.sae.pooling import segment_mean

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 2, generator=GENERATOR, dtype=torch.float64)
SEGMENT = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
LABELS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
LABELLED = torch.tensor([[True, True], [True, False], [False, True]])


def _bce(logit, label):
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p if label else 1 - p)


LEVELS = {"mixed": [False, True, True], "residue": [True] * 3, "protein": [False] * 3}
WIDE = torch.randn(9, 3, generator=GENERATOR, dtype=torch.float64)
OF_RESIDUES = (torch.rand(9, 3, generator=GENERATOR) < 0.4).double()
SUPERVISION = Supervision(
    SEGMENT,
    torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0]], dtype=torch.float64),
    torch.tensor([[True, True, False], [True, False, True], [False, True, True]]),
    OF_RESIDUES,
)


def _guided_reference(levels, pooling):
    """Mean loss of either level over its labelled pairs, weighed by the numbers of concepts."""
    of = {False: [], True: []}
    for c, is_residue_level in enumerate(levels):
        for p in range(3):
            rows = [i for i in range(9) if SEGMENT[i] == p]
            if not SUPERVISION.labelled[p, c]:
                continue
            if is_residue_level:
                of[True] += [_bce(float(WIDE[i, c]), bool(OF_RESIDUES[i, c])) for i in rows]
            elif pooling == "residue":
                of[False] += [_bce(float(WIDE[i, c]), bool(SUPERVISION.labels[p, c])) for i in rows]
            else:
                mean = sum(float(WIDE[i, c]) for i in rows) / len(rows)
                of[False].append(_bce(mean, bool(SUPERVISION.labels[p, c])))
    return sum(sum(of[level]) / len(of[level]) * levels.count(level) / 3 for level in set(levels))


def _guided(logits, batch, levels, pooling, weighting=None):
    is_residue_level = torch.tensor(levels)
    carried = logits[:, is_residue_level]
    if pooling == "residue":
        return guided_loss(logits, carried, batch.by_residue(), is_residue_level, weighting)
    pooled = segment_mean(logits, batch.segment, len(batch.labels))
    return guided_loss(pooled, carried, batch, is_residue_level, weighting)


@pytest.mark.parametrize("pooling", ["mean", "residue"])
@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS.keys())
def test_guided_loss_equals_its_reference(levels, pooling):
    value = _guided(WIDE, SUPERVISION, levels, pooling)
    assert float(value) == pytest.approx(_guided_reference(levels, pooling), rel=1e-12)


@pytest.mark.parametrize("pooling", ["mean", "residue"])
def test_residue_labels_change_nothing_without_residue_level_concepts(pooling):
    without = SUPERVISION._replace(residue_labels=None)
    expected = _guided(WIDE, without, LEVELS["protein"], pooling)
    assert torch.equal(_guided(WIDE, SUPERVISION, LEVELS["protein"], pooling), expected)


@pytest.mark.parametrize("pooling", ["mean", "residue"])
def test_unlabelled_pairs_do_not_count(pooling):
    batch = SUPERVISION._replace(residue_labels=None)
    flipped = batch._replace(labels=torch.where(batch.labelled, batch.labels, 1 - batch.labels))
    logits = WIDE.clone().requires_grad_()
    loss = _guided(logits, batch, LEVELS["protein"], pooling)
    assert loss == _guided(WIDE, flipped, LEVELS["protein"], pooling)
    loss.backward()
    assert torch.equal(logits.grad != 0, batch.labelled[SEGMENT])


RATES = torch.tensor([0.2, 0.5], dtype=torch.float64)


@pytest.mark.parametrize("balance", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_weighted_loss_equals_its_reference(balance, gamma):
    losses = []
    for p in range(3):
        for c in range(2):
            if LABELLED[p, c]:
                logit, label, rate = float(LOGITS[p, c]), bool(LABELS[p, c]), float(RATES[c])
                positive = ((1 - rate) / rate) ** balance
                weight = (positive if label else 1.0) / (rate * positive + 1 - rate)
                right = 1 / (1 + math.exp(-logit if label else logit))
                losses.append(weight * (1 - right) ** gamma * _bce(logit, label))
    value = masked_bce(LOGITS[:3], LABELS, LABELLED, Weighting(RATES, balance, gamma))
    assert float(value) == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_fully_balanced_positives_and_negatives_weigh_the_same():
    labels = torch.tensor([[1.0], [0.0], [0.0], [0.0], [0.0]])
    weights = Weighting(torch.tensor([0.2]), balance=1.0).of(torch.zeros(5, 1), labels)
    assert weights.flatten().tolist() == pytest.approx([2.5, 0.625, 0.625, 0.625, 0.625])


def test_gradient_of_the_focal_loss_equals_finite_differences():
    weighting = Weighting(RATES, 0.5, 2.0)
    logits = LOGITS[:3].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda z: masked_bce(z, LABELS, LABELLED, weighting), logits)


def test_hierarchy_loss_equals_its_reference():
    pairs = torch.tensor([[0, 1], [2, 1]])
    excess = [max(float(row[c] - row[d]), 0) for row in WIDE for c, d in pairs.tolist()]
    assert float(hierarchy_loss(WIDE, pairs)) == pytest.approx(sum(excess) / len(excess), rel=1e-12)
    assert hierarchy_loss(WIDE, pairs[:0]) == 0


def _sparse_codes():
    """Codes of 9 residues: 3 defined latents, the last constant; 4 free ones, the last never active."""
    defined = WIDE.clamp_min(0)
    defined[:, 2] = 0.5
    columns = torch.stack([torch.randperm(3, generator=GENERATOR)[:2] for _ in range(9)])
    values = torch.rand(9, 2, generator=GENERATOR, dtype=torch.float64)
    return defined, SparseCodes(values, columns)


def test_decorrelation_equals_numpy():
    defined, free = _sparse_codes()
    dense = free.dense(4)
    squares = np.zeros((4, 3))
    for f in range(3):
        for c in range(2):
            squares[f, c] = np.corrcoef(dense[:, f], defined[:, c])[0, 1] ** 2
    assert float(decorrelation_loss(defined, free, 4)) == pytest.approx(squares.mean(), rel=1e-10)


def test_gradient_of_decorrelation_reaches_free_codes_alone():
    defined, free = _sparse_codes()
    values = free.values.clone().requires_grad_()
    defined.requires_grad_()

    def loss(v):
        return decorrelation_loss(defined, free._replace(values=v), 4)

    assert torch.autograd.gradcheck(loss, values)
    loss(values).backward()
    assert defined.grad is None


@pytest.mark.parametrize("seed", range(5))
def test_best_f1_threshold_equals_a_search_over_all(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(12, 1, generator=generator)
    labels = (torch.rand(12, 1, generator=generator) < 0.4).float()
    labelled = torch.rand(12, 1, generator=generator) < 0.8

    def f1(threshold):
        called, true = (logits > threshold) & labelled, (labels > 0) & labelled
        return 2 * (called & true).sum() / (called.sum() + true.sum())

    best = max(f1(t) for t in [*logits.flatten().tolist(), -10.0])
    assert best > 0
    assert f1(best_f1_thresholds(logits, labels, labelled)) == best


def test_best_f1_threshold_of_a_concept_without_positives_is_unknown():
    logits, labels = torch.zeros(3, 1), torch.ones(3, 1)
    assert best_f1_thresholds(logits, labels, torch.zeros(3, 1).bool()).isnan().all()


def test_each_level_reads_its_own_labels_and_moves_its_own_columns():
    is_residue_level = torch.tensor(LEVELS["mixed"])

    def gradient(batch):
        logits = WIDE.clone().requires_grad_()
        _guided(logits, batch, LEVELS["mixed"], "mean").backward()
        return logits.grad

    before = gradient(SUPERVISION)
    assert torch.equal(before != 0, SUPERVISION.labelled[SEGMENT])
    other_proteins = gradient(SUPERVISION._replace(labels=1 - SUPERVISION.labels))
    assert torch.equal((other_proteins != before).any(dim=0), ~is_residue_level)
    other_residues = gradient(SUPERVISION._replace(residue_labels=1 - OF_RESIDUES))
    assert torch.equal((other_residues != before).any(dim=0), is_residue_level)
    # One residue of protein 1 in the last column: nothing else may feel it.
    one = OF_RESIDUES.clone()
    one[4, 2] = 1 - one[4, 2]
    assert (gradient(SUPERVISION._replace(residue_labels=one)) != before).nonzero().tolist() == [[4, 2]]


def test_nothing_labelled_costs_nothing():
    assert masked_bce(LOGITS[:3], LABELS, torch.zeros(3, 2).bool()) == 0


def test_segment_mean_of_an_empty_segment_is_zero():
    means = segment_mean(torch.tensor([[1.0], [3.0], [8.0]]), torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [[2.0], [0.0], [8.0]]


def test_thresholds_separate_firing_from_silent_residues():
    logits = torch.tensor([[5.0, 0.0], [1.0, 7.0], [3.0, 2.0], [2.0, 9.0], [4.0, 1.0]])
    labelled = torch.ones(5, 2).bool()
    labelled[3, 1] = False
    thresholds = firing_thresholds(logits, torch.tensor([0.4, 0.5]), labelled)
    assert thresholds.tolist() == [3.5, 1.5]  # 2 of 5, and 2 of the 4 labelled: 7, 2 | 1, 0


def test_a_rate_below_one_residue_lets_none_fire():
    logits = torch.tensor([[5.0], [1.0]])
    threshold = firing_thresholds(logits, torch.tensor([0.1]), torch.ones(2, 1).bool())
    assert not (logits > threshold).any()


def test_a_rate_of_one_lets_all_but_ties_fire():
    logits = torch.tensor([[5.0], [1.0], [2.0]])
    assert firing_thresholds(logits, torch.tensor([1.0]), torch.ones(3, 1).bool()).item() == 1.0


def test_threshold_of_an_unlabelled_concept_is_unknown():
    assert firing_thresholds(torch.zeros(3, 1), torch.tensor([0.5]), torch.zeros(3, 1).bool()).isnan().all()
