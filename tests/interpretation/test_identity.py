"""Residue identity against loops over letters, residues and instances."""

import numpy as np
import pytest
from tests.metrics.slow_association import slow_counts, slow_f1

from protsae.interpretation.baselines import N_LETTERS
from protsae.interpretation.identity import choose_letters, composition, count_letters, letter_ranks
from protsae.plm.residues import RESIDUES

LETTERS = RESIDUES[:N_LETTERS]


def slow_rule(toy, split, taken, concept):
    """F1 by residues and by instances of "one of the letters taken"."""
    proteins = {
        p: np.array([[float(a in taken)] for a in toy.sequences[p]], np.float32) for p in toy.of(split)
    }
    spans, known = toy.counted(split)
    counts = slow_counts(proteins, spans, known, np.ones(1), (0.0,), 3)
    return slow_f1(*(part[concept, 0, 0] for part in counts[:3]), *(n[concept] for n in counts[3:]))


def slow_order(toy, concept):
    """Letters by their share of positives among labelled training residues."""
    spans, known = toy.counted("train")
    positive = {(p, i) for p, c, _, a, b in spans if c == concept for i in range(a, b)}
    rates = []
    for letter in LETTERS:
        rows = [
            (p, i)
            for p in toy.of("train")
            if (p, concept) in known
            for i, a in enumerate(toy.sequences[p])
            if a == letter
        ]
        rates.append(sum(row in positive for row in rows) / max(len(rows), 1))
    return [LETTERS[i] for i in np.argsort(-np.array(rates), kind="stable")]


@pytest.mark.parametrize("by_instance", [False, True])
def test_amino_acids_are_ranked_on_train_and_judged_on_test(toy, task, by_instance):
    proteins = task.proteins
    ranks = letter_ranks(proteins)
    validation, test = (count_letters(proteins, split, ranks) for split in ("validation", "test"))
    chosen = choose_letters(validation, by_instance=by_instance)
    f1 = test.pairs(chosen.latent, by_instance=by_instance).scores()[0]
    for concept in range(3):
        order = slow_order(toy, concept)
        assert [order.index(letter) for letter in LETTERS] == ranks[concept, :N_LETTERS].tolist()
        slow = [slow_rule(toy, "validation", order[:n], concept)[by_instance] for n in range(1, 21)]
        np.testing.assert_allclose(validation.f1(by_instance=by_instance)[:, concept], slow, atol=1e-12)
        assert chosen.latent[concept] == int(np.argmax(slow)) + 1
        expected = slow_rule(toy, "test", order[: chosen.latent[concept]], concept)[by_instance]
        assert f1[concept] == pytest.approx(expected, abs=1e-12)


def test_site_at_cysteines_is_no_better_than_the_amino_acid(task):
    chosen, counts = task.identity["domain"]
    site = 0
    assert chosen.latent[site] == 1
    f1, precision, recall = counts.scores()
    assert recall[site] == 1.0
    assert 0.1 < precision[site] < 0.5
    assert f1[site] == pytest.approx(2 * precision[site] / (1 + precision[site]))


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_composition_is_each_amino_acid_and_all_that_are_not_it(toy, task, pooling):
    found = composition(task.proteins, "test", pooling)
    for protein, row in zip(toy.of("test"), found, strict=True):
        is_letter = np.array([[a == letter for letter in LETTERS] for a in toy.sequences[protein]], float)
        both = np.concatenate([is_letter, 1 - is_letter], axis=1)
        np.testing.assert_allclose(row, getattr(both, pooling)(axis=0), atol=1e-15)
