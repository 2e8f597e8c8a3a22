"""Annotation loss and thresholds against plain Python."""

import math

import pytest
import torch

from protsae.sae.guidance import annotation_loss, firing_thresholds, masked_bce, segment_mean

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(9, 2, generator=GENERATOR, dtype=torch.float64)
SEGMENT = torch.tensor([0, 0, 0, 0, 1, 1, 2, 2, 2])
LABELS = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], dtype=torch.float64)
LABELLED = torch.tensor([[True, True], [True, False], [False, True]])


def _bce(logit, label):
    p = 1 / (1 + math.exp(-logit))
    return -math.log(p if label else 1 - p)


def test_residue_pooling_equals_its_reference():
    losses = [
        _bce(float(LOGITS[i, c]), bool(LABELS[s, c]))
        for i, s in enumerate(SEGMENT.tolist())
        for c in range(2)
        if LABELLED[s, c]
    ]
    value = annotation_loss(LOGITS, SEGMENT, LABELS, LABELLED, "residue")
    assert float(value) == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_mean_pooling_equals_its_reference():
    losses = []
    for p in range(3):
        for c in range(2):
            if LABELLED[p, c]:
                rows = [float(LOGITS[i, c]) for i in range(9) if SEGMENT[i] == p]
                losses.append(_bce(sum(rows) / len(rows), bool(LABELS[p, c])))
    value = annotation_loss(LOGITS, SEGMENT, LABELS, LABELLED, "mean")
    assert float(value) == pytest.approx(sum(losses) / len(losses), rel=1e-12)


@pytest.mark.parametrize("pooling", ["mean", "residue"])
def test_unlabelled_pairs_do_not_count(pooling):
    flipped = torch.where(LABELLED, LABELS, 1 - LABELS)
    logits = LOGITS.clone().requires_grad_()
    loss = annotation_loss(logits, SEGMENT, LABELS, LABELLED, pooling)
    assert loss == annotation_loss(LOGITS, SEGMENT, flipped, LABELLED, pooling)
    loss.backward()
    assert torch.equal(logits.grad != 0, LABELLED[SEGMENT])


def test_nothing_labelled_costs_nothing():
    assert masked_bce(LOGITS[:3], LABELS, torch.zeros(3, 2).bool()) == 0


def test_segment_mean_of_an_empty_segment_is_zero():
    means = segment_mean(torch.tensor([[1.0], [3.0], [8.0]]), torch.tensor([0, 0, 2]), 3)
    assert means.tolist() == [[2.0], [0.0], [8.0]]


def test_thresholds_lie_between_the_last_that_fires_and_the_first_that_does_not():
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
