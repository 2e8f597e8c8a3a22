"""Which labels are hidden, and what is found at the top of a list."""

import numpy as np
import pytest

from protsae.missing.check import at_top
from protsae.missing.hiding import hide_labels, without
from protsae.probing.splits import SplitLabels

BELOW = [[1, 2], [2], [], []]  # concept 2 below 1 below 0


def labels(seed=0, n=400):
    rng = np.random.default_rng(seed)
    two = rng.random(n) < 0.3
    one = two | (rng.random(n) < 0.3)
    zero = one | (rng.random(n) < 0.2)
    positive = np.stack([zero, one, two, rng.random(n) < 0.5], axis=1)
    labelled = np.repeat(rng.random((n, 1)) < 0.9, 4, axis=1)
    return SplitLabels([f"P{i}" for i in range(n)], positive, labelled)


def test_a_tenth_of_the_positives_is_hidden_with_what_implies_them():
    given = labels()
    hidden = hide_labels(given, BELOW, 0.1, np.random.default_rng(1))
    positive = given.labels & given.labelled
    assert not (hidden & ~positive).any()
    wanted = int(np.ceil(0.1 * positive.sum()))
    assert wanted <= hidden.sum() <= wanted + 2, "the last one drawn may take two others with it"
    seen = without(given, hidden)
    assert not (seen.labels & hidden).any()
    assert np.array_equal(seen.labels | hidden, given.labels)
    for concept, below in enumerate(BELOW):
        for lower in below:
            assert not (seen.labels[:, lower] & seen.labelled[:, lower] & ~seen.labels[:, concept]).any()
    assert hidden.any(axis=0).all(), "every concept is drawn"
    other = hide_labels(given, BELOW, 0.1, np.random.default_rng(2))
    assert (other & hidden).sum() < 0.3 * hidden.sum()


def slow_top(protein, is_hidden, weights, n_top):
    """Write the list out pair by pair."""
    found = []
    for of in weights:
        drawn = [h for p, h in zip(protein, is_hidden, strict=True) for _ in range(of[p])]
        top = drawn[:n_top]
        found.append((sum(top) / max(len(top), 1), sum(top) / max(sum(drawn), 1)))
    return np.array(found).T


@pytest.mark.parametrize("n_pairs", [7, 60, 3000])
def test_precision_and_recall_against_a_list_written_out(n_pairs):
    rng = np.random.default_rng(n_pairs)
    protein = rng.integers(0, 12, n_pairs)
    is_hidden = rng.random(n_pairs) < 0.3
    weights = rng.multinomial(12, np.full(12, 1 / 12), size=20)
    weights[0] = 1
    weights[1, :] = 0
    weights[1, protein[-1]] = 9
    found = at_top(protein, is_hidden, weights, 10)
    np.testing.assert_allclose(found, slow_top(protein, is_hidden, weights, 10))
