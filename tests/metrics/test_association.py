"""All latents against all concepts of residues, against a loop over residues, instances and thresholds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.metrics.slow_association import slow_counts, slow_f1

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS
from protsae.core.errors import InputError
from protsae.metrics.association import (
    THRESHOLDS,
    AssociationAccumulator,
    ResidueCodes,
    ResidueTruth,
    at_least,
    harmonic,
)

GROUP = [0, 0, 1, 1, 0]  # concept 4 is never there


def random_case(seed):
    """Short proteins: domains that end one and begin the next, sites of one residue, overlaps, bonds.

    One concept is empty, one latent is never active.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, size=rng.integers(1, 6))
    proteins, spans, known = {}, [], set()
    for p, length in enumerate(lengths):
        name = f"P{p}"
        acts = rng.choice(
            [0.0, 0.15, 0.3, 0.5, 0.6, 0.8, 1.0, 2.0], size=(length, 6), p=[0.5] + [0.5 / 7] * 7
        )
        acts[:, 5] = 0.0
        proteins[name] = acts.astype(np.float32)
        known |= {(name, c) for group in (0, 1) if rng.random() < 0.8 for c in range(5) if GROUP[c] == group}
        cut = int(rng.integers(1, length + 1))
        spans += [(name, 0, 0, length - cut, length), (name, 0, 1, 0, cut)]  # may overlap, may be all of it
        spans += [(name, 1, i, i, i + 1) for i in range(length) if rng.random() < 0.3]
        ends = sorted(rng.integers(0, length, size=2).tolist())
        spans += [(name, 2, 7, end, end + 1) for end in ends]  # a bond is two spans, or one where both meet
        spans += [(name, 3, 0, cut - 1, length), (name, 3, 0, cut - 1, cut)]  # one span within another
    return proteins, spans, known, rng


def truth_of(proteins, spans, known):
    labels = pd.DataFrame(spans, columns=["protein_id", "concept_idx", "instance", "start", "end"])
    labels = labels[list(RESIDUE_LABEL_COLUMNS)].sample(frac=1, random_state=0)
    matrix = np.array([[(p, c) in known for c in range(len(GROUP))] for p in proteins])
    return ResidueTruth.of(labels, list(proteins), {p: len(x) for p, x in proteins.items()}, matrix)


def codes_of(proteins):
    return ResidueCodes.of_dense(np.concatenate(list(proteins.values())))


def counted(proteins, spans, known, largest):
    accumulator = AssociationAccumulator(largest, GROUP)
    accumulator.update(codes_of(proteins), truth_of(proteins, spans, known))
    return accumulator


def parts(counts):
    return [getattr(counts, n) for n in ("inside", "hit", "active", "n_positive", "n_instances", "n_known")]


@pytest.mark.parametrize("seed", range(100))
def test_counts_and_f1_equal_a_loop_over_residues_and_instances(seed):
    proteins, spans, known, rng = random_case(seed)
    largest = np.array([1.0, 2.0, 1.0, 0.6, 0.0, 1.0]) * rng.choice([1.0, 1.7])
    counts = counted(proteins, spans, known, largest).counts()
    tp, fp, hits, n_positive, n_instances = slow_counts(proteins, spans, known, largest, THRESHOLDS, 5)
    np.testing.assert_array_equal(counts.n_positive, n_positive)
    np.testing.assert_array_equal(counts.n_instances, n_instances)
    floor = counts.always_on()
    for concept in range(5):
        np.testing.assert_array_equal(at_least(counts.inside[concept]), tp[concept])
        np.testing.assert_array_equal(at_least(counts.hit[concept]), hits[concept])
        np.testing.assert_array_equal(
            at_least(counts.active[counts.group[concept]] - counts.inside[concept]), fp[concept]
        )
        scores = counts.scores(concept)
        expected = [
            [slow_f1(*(x[concept, j, t] for x in (tp, fp, hits)), n_positive[concept], n_instances[concept])
             for t in range(len(THRESHOLDS))]
            for j in range(len(largest))
        ]  # fmt: skip
        np.testing.assert_allclose(scores.f1, np.array(expected)[..., 0], atol=1e-15)
        np.testing.assert_allclose(scores.domain_f1, np.array(expected)[..., 1], atol=1e-15)
        n_known = sum(len(x) for p, x in proteins.items() if (p, concept) in known)
        always = slow_f1(n_positive[concept], n_known - n_positive[concept], 1, n_positive[concept], 1)[0]
        assert floor[concept] == pytest.approx(always, abs=1e-15)


def test_hand_computed_case_with_domains_across_a_border():
    """P0 ends in a domain and P1 begins with one of the same number: two instances, of which one is hit."""
    proteins = {"P0": np.array([[0], [0], [1.0]], np.float32), "P1": np.array([[0], [0], [0.9]], np.float32)}
    spans = [("P0", 0, 0, 1, 3), ("P1", 0, 0, 0, 2)]
    known = {(p, c) for p in proteins for c in range(5)}
    counts = counted(proteins, spans, known, np.ones(1)).counts()
    assert counts.n_instances.tolist() == [2, 0, 0, 0, 0]
    scores = counts.scores(0)
    assert scores.precision[0].tolist() == [0.5] * 5
    assert scores.domain_recall[0].tolist() == [0.5] * 5
    assert scores.recall[0].tolist() == [0.25] * 5
    assert scores.domain_f1[0, 0] == 0.5
    assert scores.f1[0, 0] == pytest.approx(1 / 3)


@given(seed=st.integers(0, 10_000), cut=st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_parts_add_up_to_the_whole(seed, cut):
    proteins, spans, known, _ = random_case(seed)
    largest = np.ones(6)
    names = list(proteins)
    pieces = [names[:cut], names[cut:]]
    streamed = AssociationAccumulator(largest, GROUP)
    for piece in pieces:
        if piece:
            some = {p: proteins[p] for p in piece}
            streamed.update(codes_of(some), truth_of(some, spans, known))
    whole = parts(counted(proteins, spans, known, largest).counts())
    for found, expected in zip(parts(streamed.counts()), whole, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_an_activation_at_a_threshold_does_not_exceed_it():
    proteins = {"P0": np.array([[0.5], [1.0]], np.float32)}
    known = {("P0", c) for c in range(5)}
    counts = counted(proteins, [("P0", 0, 0, 0, 1)], known, np.ones(1)).counts()
    assert at_least(counts.inside[0])[0].tolist() == [1, 1, 0, 0, 0]
    assert at_least(counts.active[0])[0].tolist() == [2, 2, 1, 1, 1]


def test_largest_and_codes_of_dense():
    acts = np.array([[0, 2.0, -1.0], [0, 0.5, 3.0]], np.float32)
    codes = ResidueCodes.of_dense(acts)
    assert codes.largest(3).tolist() == [0, 2, 3]
    assert codes.indptr.tolist() == [0, 1, 3]
    assert list(zip(codes.latents, codes.values, strict=True)) == [(1, 2), (1, 0.5), (2, 3)]
    assert harmonic(np.zeros(2), np.zeros(2)).tolist() == [0, 0]


def test_what_does_not_fit_is_refused():
    proteins, spans, known, _ = random_case(3)
    truth = truth_of(proteins, spans, known)
    accumulator = AssociationAccumulator(np.ones(6), GROUP)
    with pytest.raises(ValueError, match="residues"):
        accumulator.update(ResidueCodes.of_dense(np.ones((int(truth.first_row[-1]) + 1, 6))), truth)
    mixed = ResidueTruth(truth.first_row, np.arange(5) < 1 & np.ones((len(proteins), 1), bool), truth.spans)
    with pytest.raises(ValueError, match="one group"):
        accumulator.update(codes_of(proteins), mixed)
    with pytest.raises(ValueError, match="ascend"):
        AssociationAccumulator(np.ones(6), GROUP, (0.5, 0.5))
    with pytest.raises(InputError, match="after their protein's last residue"):
        truth_of(proteins, [*spans, ("P0", 1, 9, 0, 99)], known)
