"""Annotation loss and thresholds against plain Python."""

import math

import pytest
import torch

from protsae.sae.guidance import (
    Supervision,
    annotation_loss,
    firing_thresholds,
    guided_loss,
    masked_bce,
    segment_mean,
)

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


@pytest.mark.parametrize("pooling", ["mean", "residue"])
@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS.keys())
def test_guided_loss_equals_its_reference(levels, pooling):
    value = guided_loss(WIDE, SUPERVISION, torch.tensor(levels), pooling)
    assert float(value) == pytest.approx(_guided_reference(levels, pooling), rel=1e-12)


@pytest.mark.parametrize("pooling", ["mean", "residue"])
@pytest.mark.parametrize("residue_labels", [None, OF_RESIDUES], ids=["none", "given"])
def test_without_residue_level_concepts_it_is_the_annotation_loss_to_the_bit(pooling, residue_labels):
    batch = SUPERVISION._replace(residue_labels=residue_labels)
    expected = annotation_loss(WIDE, SEGMENT, batch.labels, batch.labelled, pooling)
    assert torch.equal(guided_loss(WIDE, batch, torch.tensor(LEVELS["protein"]), pooling), expected)


def test_each_level_reads_its_own_labels_and_moves_its_own_columns():
    is_residue_level = torch.tensor(LEVELS["mixed"])

    def gradient(batch):
        logits = WIDE.clone().requires_grad_()
        guided_loss(logits, batch, is_residue_level, "mean").backward()
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
