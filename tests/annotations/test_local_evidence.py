"""Local evidence of concepts, against a slow version, planted peptides and hand-made cases."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from protsae.annotations.local_evidence import (
    LabelledSequences,
    LocalEvidenceConfig,
    local_evidence,
    wilson_lower,
)
from protsae.core.seeding import numpy_generator

LETTERS = list("ACDEFGHIKLMNPQRSTVWY")


def random_proteins(n: int, name: str, letters: list[str] = LETTERS) -> list[str]:
    rng = numpy_generator(0, name)
    return ["".join(rng.choice(letters, int(rng.integers(1, 40)))) for _ in range(n)]


def labelled(sequences: list[str], name: str, n_concepts: int = 3) -> LabelledSequences:
    """Return labels that three short peptides make likely, and a share of pairs without a label."""
    rng = numpy_generator(1, name)
    peptides = ("CGC", "AAC", "GG")[:n_concepts]
    likely = np.array(
        [[0.9 if peptide in sequence else 0.1 for peptide in peptides] for sequence in sequences]
    )
    return LabelledSequences(
        sequences, (rng.random(likely.shape) < likely).astype(float), rng.random(likely.shape) < 0.8
    )


def slow(train: LabelledSequences, other: LabelledSequences, config: LocalEvidenceConfig, own: bool) -> dict:
    """Return the unscaled evidence of each positive pair, by dictionaries and loops."""
    found = {}
    for c in range(train.labels.shape[1]):
        known = [i for i in range(len(train.sequences)) if train.labelled[i, c]]
        positive = {i for i in known if train.labels[i, c] > 0}
        rate = len(positive) / len(known)
        for i, sequence in enumerate(other.sequences):
            if not (other.labels[i, c] > 0 and other.labelled[i, c]):
                continue
            best = np.zeros(len(sequence))
            for length in config.peptide_lengths:
                value = np.zeros(len(sequence))
                for start in range(len(sequence) - length + 1):
                    peptide = sequence[start : start + length]
                    holders = [j for j in known if peptide in train.sequences[j] and not (own and j == i)]
                    share = wilson(sum(j in positive for j in holders), len(holders), config.z)
                    if share > rate:
                        value[start : start + length] += math.log(share / rate) / math.log(1 / rate) / length
                best = np.maximum(best, value)
            half = config.window // 2
            found[i, c] = [best[max(0, r - half) : r + half + 1].mean() for r in range(len(sequence))]
    return found


def wilson(x: int, n: int, z: float) -> float:
    if not n:
        return 0.0
    confidence = 2 * stats.norm.cdf(z) - 1
    return stats.binomtest(x, n).proportion_ci(confidence, method="wilson").low


def test_wilsons_bound_is_scipys():
    x, n = np.array([0, 1, 3, 10, 0]), np.array([4, 1, 7, 10, 0])
    expected = [wilson(int(a), int(b), 2.0) for a, b in zip(x, n, strict=True)]
    assert wilson_lower(x, n, 2.0) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("window", [1, 5])
def test_evidence_is_that_of_a_slow_version(window: int):
    config = LocalEvidenceConfig(peptide_lengths=(1, 2, 3), window=window, z=1.0)
    train = labelled(random_proteins(60, "train", list("ACG")), "train")
    other = labelled(random_proteins(20, "other", list("ACGW")), "other")
    fast = local_evidence(train, [other], config)
    expected = slow(train, train, config, own=True), slow(train, other, config, own=False)
    for c in range(3):
        values = np.concatenate([expected[0][key] for key in expected[0] if key[1] == c])
        full = np.quantile(values[values > 0], 0.99)
        for found, wanted, of in zip(fast, expected, (train, other), strict=True):
            for i, sequence in enumerate(of.sequences):
                n = len(sequence)
                dense = found.dense(np.full(n, i), np.arange(n))[:, c]
                if (i, c) not in wanted:
                    assert not dense.any()
                else:
                    assert dense == pytest.approx(np.clip(np.array(wanted[i, c]) / full, 0, 1), abs=1 / 254)


def test_a_peptide_of_one_protein_alone_says_nothing():
    labels, known = np.array([[1.0], [1], [0]]), np.ones((3, 1), bool)
    train = LabelledSequences(["WWWWWW", "ACDEFG", "GHIKLM"], labels, known)
    (found,) = local_evidence(train, [], LocalEvidenceConfig())
    assert not found.weights.any()


def test_labels_of_proteins_find_a_planted_peptide():
    rng = numpy_generator(2, "planted")
    sequences, labels, truth = [], [], []
    for i in range(400):
        letters = rng.choice(LETTERS, 80)
        at = int(rng.integers(0, 70))
        if i % 2:
            letters[at : at + 8] = list("HEWCYMKD")
        sequences.append("".join(letters))
        labels.append([float(i % 2)])
        truth.append((np.arange(80) >= at) & (np.arange(80) < at + 8))
    of = [
        LabelledSequences(sequences[part], np.array(labels[part]), np.ones((200, 1), bool))
        for part in (slice(0, 200), slice(200, 400))
    ]
    _, held_out = local_evidence(of[0], of[1:], LocalEvidenceConfig(window=5))
    aucs = [
        roc_auc_score(truth[200 + i], held_out.dense(np.full(80, i), np.arange(80))[:, 0])
        for i in range(1, 200, 2)
    ]
    assert np.mean(aucs) > 0.98


def test_totals_are_sums_over_positive_proteins():
    train = labelled(random_proteins(40, "totals", list("ACG")), "totals")
    (found,) = local_evidence(train, [], LocalEvidenceConfig(peptide_lengths=(2,), window=1, z=0.5))
    total, n = found.totals()
    sums, counts = np.zeros(3), np.zeros(3)
    for i, sequence in enumerate(train.sequences):
        dense = found.dense(np.full(len(sequence), i), np.arange(len(sequence)))
        sums += dense.sum(axis=0)
        counts += train.positive[i] * len(sequence)
    assert total == pytest.approx(sums, rel=1e-5) and total.all()
    assert n.tolist() == counts.tolist()


def test_nothing_known_gives_no_evidence():
    none = LabelledSequences(["ACD"], np.zeros((1, 2)), np.zeros((1, 2), bool))
    (found,) = local_evidence(none, [], LocalEvidenceConfig())
    assert (found.first == -1).all() and not len(found.weights)
    assert [values.tolist() for values in found.totals()] == [[0, 0], [0, 0]]
