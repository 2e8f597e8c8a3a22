"""Label shuffles: no method ranks proteins by labels that say nothing, no more latents pass than may."""

import numpy as np
import pandas as pd
import pytest

from helpers.shuffles import family_interval, firing_p_values, most_false
from protsae.interpretation.config import MatchingConfig
from protsae.interpretation.matching import match_latents
from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc
from protsae.metrics.significance import benjamini_hochberg
from protsae.probing.baselines import score_baselines
from protsae.probing.config import ScoringConfig
from protsae.probing.neighbours import NEIGHBOUR_COLUMNS
from protsae.probing.scores import prevalence_scores, probe_scores, select_latents
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import SplitLabels

N_SHUFFLES, N_CONCEPTS = 20, 8
SIZES = {"train": 240, "validation": 120, "test": 120}
CONFIG = ScoringConfig(l2=(0.1,), precise=False)
LETTERS = np.array(list("ACDEFGHIKLMNPQRSTV"))


class ToyProteins:
    """Two hidden factors are in labels, activations, latents, sequences and neighbours."""

    def __init__(self) -> None:
        generator = np.random.default_rng(11)
        self.splits, self.activations, self.latents = {}, {}, {}
        loads, mixed = generator.normal(size=(2, N_CONCEPTS)), generator.normal(size=(2, 10))
        encoder = generator.normal(size=(10, 24))
        rows, factors = [], {}
        for name, n in SIZES.items():
            hidden = factors[name] = generator.normal(size=(n, 2))
            wanted = hidden @ loads + 0.5 * generator.normal(size=(n, N_CONCEPTS))
            labelled = np.repeat(generator.random((n, 2)) < 0.9, N_CONCEPTS // 2, axis=1)
            ids = [f"{name}{i:03d}" for i in range(n)]
            self.splits[name] = SplitLabels(ids, (wanted > 1) & labelled, labelled)
            self.activations[name] = hidden @ mixed + generator.normal(size=(n, 10))
            self.latents[name] = np.maximum(self.activations[name] @ encoder - 2, 0)  # sparse and skewed
            shares = 1 / (1 + np.exp(-hidden))
            for i, protein_id in enumerate(ids):
                letters = generator.choice(LETTERS, 80)
                letters[: int(30 * shares[i, 0])], letters[40 : 40 + int(30 * shares[i, 1])] = "W", "Y"
                rows.append((protein_id, "".join(letters)))
        self.proteins = pd.DataFrame(rows, columns=["protein_id", "sequence"])
        pairs = [
            (query, self.splits["train"].protein_ids[place], 0.4, float(generator.uniform(30, 90)))
            for name in ("validation", "test")
            for query, hidden in zip(self.splits[name].protein_ids, factors[name], strict=True)
            for place in np.square(factors["train"] - hidden).sum(axis=1).argsort()[:4]
        ]
        self.neighbours = pd.DataFrame(pairs, columns=list(NEIGHBOUR_COLUMNS))
        ids = [name for labels in self.splits.values() for name in labels.protein_ids]
        values = np.concatenate(list(self.activations.values()))
        self.random_activations = pd.DataFrame({"protein_id": ids, "activation": list(values[:, ::-1] ** 3)})

    def auc(self, learnt: dict[str, SplitLabels]) -> dict[str, float]:
        """Return macro AUC against the true labels of test, of every method that learns from `learnt`."""
        chosen = select_latents(self.latents, learnt, CONFIG.selection)
        baselines = (self.proteins, self.neighbours, self.random_activations)
        scores = {
            "latent": {"test": chosen.scores(self.latents["test"])},
            "probe": probe_scores(self.latents, learnt, CONFIG),
            "linear_probe": probe_scores(self.activations, learnt, CONFIG),
            "prevalence": prevalence_scores(learnt),
            **score_baselines(*baselines, learnt, CONFIG),
        }
        truth = self.splits["test"]
        return {
            method: float(macro_mean(roc_auc(by_split["test"], truth.labels, truth.labelled))[0])
            for method, by_split in scores.items()
        }


@pytest.fixture(scope="module")
def toy():
    return ToyProteins()


def test_every_method_is_at_chance_on_shuffled_labels_only(toy):
    honest = toy.auc(toy.splits)
    shuffled = [toy.auc(shuffle_labels(toy.splits, seed)) for seed in range(N_SHUFFLES)]
    assert len(honest) == 7
    for method, value in honest.items():
        interval = family_interval([found[method] for found in shuffled], len(honest))
        assert interval.low <= 0.5 <= interval.high, (method, interval)
        if method == "prevalence":
            assert value == interval.low == interval.high == 0.5
        else:
            assert value > max(0.65, interval.high), method
            assert interval.high - interval.low < 0.15, method


def selected(toy, splits):
    """Return q-values of the best latent of each concept, chosen on validation and counted on test."""
    config = MatchingConfig(pooling="mean", quantiles=(0.5, 0.75, 0.9))
    matches = match_latents(toy.latents, splits, config)
    best = matches.validation.f1.argmax(axis=0)
    threshold = matches.threshold[best, np.arange(N_CONCEPTS)]
    fires = toy.latents["test"][:, best] > threshold
    return benjamini_hochberg(firing_p_values(fires, splits["test"].labels, splits["test"].labelled))


def test_f1_selection_respects_the_false_discovery_rate(toy):
    assert (selected(toy, toy.splits) <= 0.05).mean() >= 0.5
    families = [
        (selected(toy, shuffle_labels(toy.splits, seed, ("validation", "test"))) <= 0.05).any()
        for seed in range(N_SHUFFLES)
    ]
    assert sum(families) <= most_false(N_SHUFFLES, 0.05)


def test_shuffles_move_whole_vectors_within_the_splits_asked_for(toy):
    found = shuffle_labels(toy.splits, 3, ("validation",))
    assert found["train"] is toy.splits["train"]
    before, after = toy.splits["validation"], found["validation"]
    assert not np.array_equal(before.labels, after.labels)
    both = [np.hstack([of.labels, of.labelled]).astype(int) for of in (before, after)]
    assert sorted(map(tuple, both[0])) == sorted(map(tuple, both[1]))
