"""How many hidden labels come back: precision and recall at the top of a list of absent pairs.

Labels are hidden in validation and test proteins. Scores become probabilities by Platt scaling on validation
proteins, whose hidden labels are absent there, and all absent pairs of test proteins are ranked by them in
one list. `<dictionary>_listed` ranks the pairs that the table of missing annotations would list first, by the
same rules. Labels of training proteins are never hidden: dictionaries and probes were trained on them.

A pair that is absent and not hidden counts as wrong, though it may be a missing annotation itself: precision
is a lower bound.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, interval
from protsae.missing.candidates import Decision, share_below
from protsae.missing.config import CandidatesConfig, HidingConfig
from protsae.missing.hiding import hide_labels, without
from protsae.probing.judge import Scores
from protsae.probing.splits import SplitLabels

CHECK_COLUMNS = (
    *("method", "supervision", "stratum", "metric", "value", "low", "high"),
    *("floor", "most", "n_top", "n_hidden", "n_candidates", "n_concepts", "n_draws", "share"),
)
LATENT = "_latent"
_FIRST = 50  # times n_top: as far down the list as resamples are looked at, unless one needs more
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HiddenTask:
    """Labels, and what of them is hidden in each draw."""

    splits: Mapping[str, SplitLabels]
    """Labels by split, of the concepts of whole proteins."""
    hidden: Sequence[Mapping[str, Bools]]
    """Draw to split to which pairs are hidden."""
    weights: NDArray[np.int64]
    """Of test proteins in resamples of their clusters [n_resamples, n_proteins]."""
    config: HidingConfig
    candidates: CandidatesConfig
    """Which pairs are listed."""

    @classmethod
    def of(
        cls,
        splits: Mapping[str, SplitLabels],
        below: Sequence[Sequence[int]],
        clusters: Mapping[str, str],
        config: HidingConfig,
        candidates: CandidatesConfig,
    ) -> "HiddenTask":
        """Hide labels.

        Args:
            splits: labels by split.
            below: the concepts below each concept.
            clusters: protein id to homology cluster.
            config: how many, how often.
            candidates: which pairs are listed.
        """
        hidden = [
            {
                split: hide_labels(
                    splits[split], below, config.share, numpy_generator(config.seed, "hide", split, draw)
                )
                for split in ("validation", "test")
            }
            for draw in range(config.n_draws)
        ]
        test_clusters = [clusters[name] for name in splits["test"].protein_ids]
        generator = numpy_generator(config.seed, "cluster_bootstrap")
        weights = cluster_weights(test_clusters, config.n_resamples, generator)
        return cls(splits, hidden, weights, config, candidates)

    def check(self, scores: Scores) -> pd.DataFrame:
        """Return precision and recall of every method in every stratum, in `CHECK_COLUMNS`.

        `floor` is the precision (or recall) of a random order; `most` what a perfect one reaches.
        """
        train = self.splits["train"]
        prevalence = (train.labels & train.labelled).sum(axis=0) / np.maximum(train.labelled.sum(axis=0), 1)
        every = np.ones(len(prevalence), bool)
        strata = {"all": every, "specific": prevalence <= self.config.max_prevalence}
        rows: list[dict[str, Any]] = []
        for method, by_split in scores.values.items():
            decisions = [
                Decision.of(by_split, without(self.splits["validation"], hidden["validation"]))
                for hidden in self.hidden
            ]
            ranked = {method: [decision.probabilities["test"] for decision in decisions]}
            if method.endswith(LATENT):
                listed = method.removesuffix(LATENT) + "_listed"
                ranked[listed] = [
                    self._listed_first(by_split, *of) for of in zip(decisions, self.hidden, strict=True)
                ]
            for name, probabilities in ranked.items():
                for stratum, inside in strata.items():
                    about = {"method": name, "supervision": scores.supervision[method], "stratum": stratum}
                    if inside.any():
                        rows += [{**about, **row} for row in self._rows(probabilities, inside)]
        return pd.DataFrame(rows, columns=list(CHECK_COLUMNS))

    def _listed_first(
        self,
        by_split: Mapping[str, NDArray[np.floating[Any]]],
        decision: Decision,
        hidden: Mapping[str, Bools],
    ) -> Floats:
        """Return probabilities of test proteins, lowered by one for pairs that would not be listed."""
        seen = without(self.splits["validation"], hidden["validation"])
        listed = decision.is_reliable(seen, self.candidates) & decision.says_yes("test")
        listed &= share_below(by_split, seen, "test") >= self.candidates.min_share_below
        return np.where(listed, 0.0, -1.0) + decision.probabilities["test"]

    def _rows(self, probabilities: Sequence[Floats], inside: Bools) -> list[dict[str, Any]]:
        """Return the rows of one method and stratum, means over draws."""
        test, n_top = self.splits["test"], self.config.n_top
        values, samples, counts = [], [], []
        for draw, (found, hidden) in enumerate(zip(probabilities, self.hidden, strict=True)):
            absent = test.labelled & ~(test.labels & ~hidden["test"]) & inside
            protein, concept = np.nonzero(absent)
            is_hidden = hidden["test"][protein, concept]
            ties = numpy_generator(self.config.seed, "ties", draw).random(len(protein))
            order = np.lexsort((ties, -found[protein, concept]))
            ranked = protein[order], is_hidden[order]
            values.append(at_top(*ranked, np.ones((1, len(test.protein_ids)), np.int64), n_top)[:, 0])
            samples.append(at_top(*ranked, self.weights, n_top))
            counts.append((int(is_hidden.sum()), len(protein)))
        n_hidden, n_candidates = (float(np.mean(of)) for of in zip(*counts, strict=True))
        about = {
            "n_top": n_top,
            "n_hidden": n_hidden,
            "n_candidates": n_candidates,
            "n_concepts": int(inside.sum()),
            "n_draws": len(counts),
            "share": self.config.share,
        }
        rate, shown = n_hidden / max(n_candidates, 1), min(n_top, n_candidates)
        floors = {"precision": rate, "recall": shown / max(n_candidates, 1)}
        most = {"precision": min(1.0, n_hidden / max(shown, 1)), "recall": min(1.0, shown / max(n_hidden, 1))}
        rows = []
        for i, metric in enumerate(("precision", "recall")):
            value = float(np.mean([of[i] for of in values]))
            spread = np.mean([of[i] for of in samples], axis=0)
            low, high = interval(metric, value, spread, self.config.confidence)
            ends = {"low": low, "high": high, "floor": floors[metric], "most": most[metric]}
            rows.append({"metric": f"{metric}_at_{n_top}", "value": value, **ends, **about})
        return rows


def at_top(protein: NDArray[np.int64], is_hidden: Bools, weights: NDArray[np.int64], n_top: int) -> Floats:
    """Return precision and recall [2, n_resamples] of the first `n_top` pairs of a ranked list.

    A pair counts as often as a resample drew its protein; the last one in part, if it passes `n_top`.

    Args:
        protein: of each pair, in the order of the list [n_pairs].
        is_hidden: whether the pair is looked for [n_pairs].
        weights: of proteins [n_resamples, n_proteins].
        n_top: pairs looked at.
    """
    n_hidden = weights @ np.bincount(protein[is_hidden], minlength=weights.shape[1])
    n = min(len(protein), _FIRST * n_top)
    while True:
        of_pair = weights[:, protein[:n]]
        reached = np.cumsum(of_pair, axis=1)
        if n == len(protein) or (reached[:, -1] >= n_top).all():
            break
        n = len(protein)
    taken = np.clip(n_top - (reached - of_pair), 0, of_pair)
    hits = taken @ is_hidden[:n].astype(np.int64)
    shown = taken.sum(axis=1)
    return np.stack([hits / np.maximum(shown, 1), hits / np.maximum(n_hidden, 1)])


def checked_methods(dictionaries: Iterable[str], config: HidingConfig) -> list[str]:
    """Return the methods that are checked, if they were scored."""
    return [*(f"{name}_{part}" for name in dictionaries for part in config.parts), *config.references]
