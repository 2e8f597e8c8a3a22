"""The one judge of the pipeline, of sweeps and of benchmarks: it scores proteins for the concepts of whole
proteins, by dictionaries and by references, and says what the scores are worth.

A dictionary has the methods `<name>_latent`, `<name>_k<k>` (probes on k latents), `<name>_probe` and, where
it predicts concepts, `<name>_predictor` and `<name>_gate` (the predictor's logits above the gate's
thresholds, pooled as latents are, without the dictionary).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.pooling import Pooling
from protsae.core.splits import HELD_OUT, SPLITS
from protsae.encoding.run import Run
from protsae.metrics.table import concat_metrics, metrics_table, stack_tables
from protsae.probing.baselines import project, score_baselines
from protsae.probing.config import ComparisonConfig, EvaluationConfig, Pair, ScoringConfig
from protsae.probing.estimates import (
    Estimate,
    Evaluations,
    Key,
    MethodEvaluation,
    difference_rows,
    estimate_rows,
)
from protsae.probing.evaluation import evaluate_all, homology_strata, scores_by_method
from protsae.probing.scores import (
    UNTRAINED,
    choose_pooling,
    few_latent_scores,
    prevalence_scores,
    probe_scores,
    reference,
    select_latents,
)
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import SplitLabels, feature_matrix, labels_by_split, protein_level
from protsae.probing.vocabulary import CountedOnce, Vocabulary

SCORE_COLUMNS = ("method", "supervision", "pooling", "protein_id", "concept_idx", "score")
ESTIMATE_COLUMNS = ("method", "supervision", "seed", "hook_point", "k", *Key._fields, "value", "n", "samples")
CONCEPT_COLUMNS = (
    *("method", "concept_idx", "concept_id", "name", "aspect", "split"),
    *("pooling", "n_positive", "auc", "average_precision", "n_resamples_left_out"),
)
Floats = NDArray[np.floating[Any]]


class Known(NamedTuple):
    """What scores are judged by."""

    proteins: pd.DataFrame
    """`protein_id`, `sequence`, `split`, `cluster_id`, `is_audited`, `nearest_train_identity`,
    `nearest_train_coverage`."""
    tables: LabelTables
    terms: pd.DataFrame
    """The `concept_terms` table."""
    relations: pd.DataFrame
    """The `concept_relations` table."""


@dataclass(frozen=True)
class Scores:
    """Scores of validation and test proteins."""

    values: dict[str, dict[str, Floats]]
    """Method to split to scores [n, n_concepts]."""
    supervision: dict[str, str]
    """Method to how it saw labels: none, selection (of one latent), probe (a classifier on top), transfer
    (from other proteins) or training (of the dictionary)."""
    pooling: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Method to the pooling of each concept [n_concepts], where one latent or gate scores it."""

    def __or__(self, other: "Scores") -> "Scores":
        """Return the scores of both."""
        supervision = {**self.supervision, **other.supervision}
        return Scores({**self.values, **other.values}, supervision, {**self.pooling, **other.pooling})


@dataclass(frozen=True)
class Judgement:
    """What scores are worth."""

    evaluations: Evaluations
    supervision: Mapping[str, str]
    about: Mapping[str, Mapping[str, Any]]
    """Method to the columns that say what it was scored from: `seed`, `hook_point`, `k`."""
    pooling: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """See `Scores`."""

    def rows(self, confidence: float) -> pd.DataFrame:
        """Return the rows of the metrics table: by method, split, then metric and aspect as measured."""
        tables = [
            estimate_rows(method, split, found.estimates, confidence, self.supervision[method]).assign(
                **self.about.get(method, {})
            )
            for (method, split), found in self.evaluations.items()
        ]
        return concat_metrics(tables)

    def concepts(self, vocabulary: Vocabulary) -> pd.DataFrame:
        """Return one row per method, split and concept, in `CONCEPT_COLUMNS`."""
        about = vocabulary.concepts[["concept_idx", "concept_id", "name", "aspect"]]
        tables = [
            found.concepts.assign(method=method, split=split, pooling=self.pooling.get(method, "")).merge(
                about, on="concept_idx"
            )
            for (method, split), found in self.evaluations.items()
        ]
        return stack_tables(tables, CONCEPT_COLUMNS)[list(CONCEPT_COLUMNS)]

    def estimates(self) -> pd.DataFrame:
        """Return all that was measured on test proteins, in `ESTIMATE_COLUMNS`.

        `samples` holds the values in the resamples of homology clusters, which are the same for all that were
        judged with the same settings, so that differences are paired; null where there are none.
        """
        rows: list[dict[str, Any]] = [
            {
                "method": method,
                "supervision": self.supervision[method],
                "hook_point": "",
                **self.about.get(method, {}),
                **key._asdict(),
                **vars(estimate),
            }
            for (method, split), found in self.evaluations.items()
            if split == "test"
            for key, estimate in found.estimates.items()
        ]
        return pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS)).astype({"seed": "Int64", "k": "Int64"})


@dataclass(frozen=True)
class Judge:
    """Scores proteins for the concepts of whole proteins, and judges the scores."""

    known: Known
    available: Collection[str]
    """Ids of the proteins that were encoded."""
    scoring: ScoringConfig
    evaluation: EvaluationConfig

    def score_dictionary(self, name: str, encoding: pd.DataFrame, *, guided: bool) -> Scores:
        """Score by a dictionary, which the tables call `name`.

        Latents of a dictionary that is not guided are chosen by the labels of `scoring.selection`.

        Args:
            name: what the tables call it.
            encoding: see `encoding.reading.Encoding.proteins`.
            guided: whether its first latents are tied to the concepts.
        """
        if not len(self.columns):
            return Scores({}, {})
        latents = self._pooled(encoding, "{}_latents")
        found = self.score_latents(name, latents, guided=guided)
        if "protein_logits" in encoding:
            gated = {pooling: self._own(of) for pooling, of in self._pooled(encoding, "{}_gated").items()}
            found |= self._best_pooled(f"{name}_gate", gated, "training")
            logits = self._own(self.features(encoding, "protein_logits"))
            found |= _scores_of_one(f"{name}_predictor", logits, "training")
        probe = probe_scores(latents[self.scoring.probed_pooling], self.splits, self.scoring)
        return found | _scores_of_one(f"{name}_probe", probe, "probe")

    def score_latents(
        self, name: str, latents: Mapping[Pooling, Mapping[str, Floats]], *, guided: bool = False
    ) -> Scores:
        """Return the scores of each concept's own latent or, unguided, of the best, and of probes on few
        latents.

        Args:
            name: what the tables call the dictionary.
            latents: pooling to split to latents of its proteins [n, n_latents].
            guided: whether the first latents are tied to the concepts.
        """
        splits, selection = self.splits, self.scoring.selection
        single = {}
        for pooling, of in latents.items():
            if guided:
                single[pooling] = self._own(of)
            else:
                best = select_latents(of, splits, selection)
                single[pooling] = {split: best.scores(values) for split, values in of.items()}
        found = self._best_pooled(f"{name}_latent", single, "training" if guided else "selection")
        probed = latents[self.scoring.probed_pooling]
        for k, scores in few_latent_scores(probed, splits, selection, self.scoring.k_sparse).items():
            found |= _scores_of_one(f"{name}_k{k}", scores, "probe")
        return found

    def score_references(
        self,
        activations: pd.DataFrame,
        neighbours: pd.DataFrame | None = None,
        random_activations: pd.DataFrame | None = None,
        gated_probe: pd.DataFrame | None = None,
        untrained: pd.DataFrame | None = None,
    ) -> Scores:
        """Score by what needs no dictionary: methods of `REFERENCES`, and those of the latents `UNTRAINED`.

        Args:
            activations: `protein_id`, `activation`: means over residues.
            neighbours: see `neighbours.find_neighbours`; None: without them.
            random_activations: as `activations`, of the model with random weights; None: without it.
            gated_probe: see `gated_probe.gated_probe_table`; None: without it.
            untrained: see `untrained.pool_untrained`; read where latents are not pooled by the mean alone.
        """
        if not len(self.columns):
            return Scores({}, {})
        scored = SPLITS if len(self.scoring.poolings) > 1 else HELD_OUT
        features = self.features(activations, "activation")
        shuffled = shuffle_labels(self.splits, self.scoring.seed)
        values = {
            "linear_probe": dict(probe_scores(features, self.splits, self.scoring)),
            "prevalence": prevalence_scores(self.splits),
            "shuffled_labels": dict(probe_scores(features, shuffled, self.scoring)),
            **score_baselines(self.known.proteins, neighbours, random_activations, self.splits, self.scoring),
        }
        found = Scores(values, {method: reference(method).supervision for method in values})
        if gated_probe is not None:
            gated = {
                pooling: self.features(gated_probe, f"{pooling}_score", scored)
                for pooling in self.scoring.poolings
            }
            found = self._best_pooled("gated_linear_probe", gated, "probe") | found
        by_residue = pd.DataFrame() if untrained is None else untrained
        projected = project(features, self.scoring.n_directions, self.scoring.seed)
        for name, by_mean in zip(UNTRAINED, (features, projected), strict=True):
            pooled = {
                pooling: by_mean if pooling == "mean" else self.features(by_residue, f"{name}_{pooling}")
                for pooling in self.scoring.poolings
            }
            found |= self.score_latents(name, pooled)
        return found

    def _best_pooled(
        self, method: str, candidates: Mapping[Pooling, Mapping[str, Floats]], supervision: str
    ) -> Scores:
        values, pooling = choose_pooling(candidates, self.splits, self.scoring.selection)
        return Scores({method: values}, {method: supervision}, {method: pooling})

    def _own(self, values: Mapping[str, Floats]) -> dict[str, Floats]:
        """Return the columns of the concepts of whole proteins by split, of [n, n_defined or more]."""
        return {split: of[:, self.columns] for split, of in values.items()}

    def _pooled(self, table: pd.DataFrame, column: str) -> dict[Pooling, dict[str, Floats]]:
        """Return pooling to what `features` finds in the column of its name."""
        return {name: self.features(table, column.format(name)) for name in self.scoring.poolings}

    def judge(self, scores: Scores, about: Mapping[str, Mapping[str, Any]]) -> Judgement:
        """Measure scores on validation and test, with resamples of the test proteins.

        Args:
            scores: what is judged.
            about: see `Judgement`.
        """
        evaluations: dict[tuple[str, str], MethodEvaluation] = {}
        if scores.values:
            proteins = self.known.proteins
            clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"], strict=True))
            bands = homology_strata(proteins)
            as_float = {
                method: {split: np.asarray(values, np.float64) for split, values in by_split.items()}
                for method, by_split in scores.values.items()
            }
            evaluations = evaluate_all(
                as_float, self.splits, self.vocabulary, clusters, self.evaluation, bands
            )
        return Judgement(evaluations, scores.supervision, about, scores.pooling)

    def tables(
        self, scores: Scores, about: Mapping[str, Mapping[str, Any]]
    ) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Judge scores; return rows of the metrics table, one row per concept, and all estimates."""
        found = self.judge(scores, about)
        return found.rows(self.evaluation.confidence), found.concepts(self.vocabulary), found.estimates()

    def features(self, table: pd.DataFrame, column: str, splits: Sequence[str] = SPLITS) -> dict[str, Floats]:
        """Return the vectors of a column by split, in the order of the labels' proteins [n, d]."""
        return {split: feature_matrix(table, column, self.splits[split].protein_ids) for split in splits}

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """The `concept_idx` of the concepts of whole proteins [n_concepts]."""
        return protein_level(self.known.tables.concepts)

    @cached_property
    def splits(self) -> dict[str, SplitLabels]:
        """Labels by split, of the concepts of whole proteins."""
        found = labels_by_split(self.known.proteins, self.known.tables, self.available)
        return {split: labels.of_concepts(self.columns) for split, labels in found.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The concepts of whole proteins."""
        return Vocabulary.of(self.once, self.known.terms, self.known.relations)

    @cached_property
    def once(self) -> CountedOnce:
        """Which concepts of whole proteins count once, near-twins represented by one of them."""
        concepts = self.known.tables.concepts.iloc[self.columns]
        return CountedOnce.of(concepts, self.splits, self.evaluation.max_jaccard)


def _scores_of_one(method: str, values: Mapping[str, Floats], supervision: str) -> Scores:
    return Scores({method: {split: values[split] for split in HELD_OUT}}, {method: supervision})


def about_dictionary(run: Run, scores: Scores) -> dict[str, dict[str, Any]]:
    """Return what a dictionary's methods were scored from."""
    return dict.fromkeys(scores.values, run.settings)


def about_references(hook_point: str, scores: Scores) -> dict[str, dict[str, Any]]:
    """Return what references were scored from: a hook point, where they read activations."""
    return {
        method: {"hook_point": hook_point} for method in scores.values if reference(method).reads_activations
    }


def score_table(scores: Scores, judge: Judge) -> pd.DataFrame:
    """Return scores as the long table `SCORE_COLUMNS`: methods in their order, proteins by split and id,
    concepts by index."""
    tables = []
    for method, by_split in scores.values.items():
        for split in HELD_OUT:
            n, n_concepts = by_split[split].shape
            tables.append(
                pd.DataFrame(
                    {
                        "method": method,
                        "supervision": scores.supervision[method],
                        "pooling": np.tile(scores.pooling[method], n) if method in scores.pooling else "",
                        "protein_id": np.repeat(judge.splits[split].protein_ids, n_concepts),
                        "concept_idx": np.tile(judge.columns.astype(np.int32), n),
                        "score": np.asarray(by_split[split], np.float64).ravel(),
                    }
                )
            )
    return stack_tables(tables, SCORE_COLUMNS)


def scores_of(table: pd.DataFrame, judge: Judge) -> Scores:
    """Return the scores that `score_table` wrote.

    Raises:
        InputError: a method does not score every concept of every protein exactly once.
    """
    values = scores_by_method(table, judge.splits, judge.columns)
    seen = table.drop_duplicates("method")
    pooled = table[table["pooling"] != ""].drop_duplicates(["method", "concept_idx"])
    by_method = pooled.sort_values("concept_idx").groupby("method")["pooling"]
    pooling = {str(method): of.tolist() for method, of in by_method}
    return Scores(values, dict(zip(seen["method"], seen["supervision"], strict=True)), pooling)


def estimates_of(rows: pd.DataFrame) -> dict[Key, Estimate]:
    """Return the estimates that rows of one method and seed hold, see `Judgement.estimates`."""
    keys = zip(*(rows[name] for name in Key._fields), strict=True)
    values = zip(rows["value"], rows["n"], rows["samples"], strict=True)
    return {Key(*key): Estimate(*value) for key, value in zip(keys, values, strict=True)}


def evaluations_of(estimates: pd.DataFrame) -> dict[tuple[str, str], MethodEvaluation]:
    """Return what tables of estimates hold of the test split, by method: enough for paired differences."""
    return {
        (str(method), "test"): MethodEvaluation(estimates_of(rows), pd.DataFrame())
        for method, rows in estimates.groupby("method", sort=False)
    }


def differences(
    estimates: pd.DataFrame, pairs: tuple[Pair, ...], comparison: ComparisonConfig, confidence: float
) -> pd.DataFrame:
    """Return paired differences of methods on test, see `estimates.difference_rows`.

    A pair that names the subject or the rival is left out where that has no such method: not every
    dictionary has a predictor.

    Args:
        estimates: of all methods.
        pairs: methods, see `config.DIFFERENCES`.
        comparison: subject and rival.
        confidence: share of the resamples inside an interval.

    Raises:
        InputError: a pair names a method that was not scored.
    """
    evaluations = evaluations_of(estimates)
    if not evaluations:
        return metrics_table([])
    known = {method for method, _ in evaluations}
    names = {"subject": comparison.subject, "rival": comparison.rival}
    kept = []
    for pair in pairs:
        one, other = (method.format(**names) for method in pair)
        if {one, other} <= known:
            kept.append((one, other))
        elif "{" not in "".join(pair):
            missing = next(name for name in (one, other) if name not in known)
            there = ", ".join(dict.fromkeys(estimates["method"]))
            raise InputError(f"differences: no method '{missing}' was scored; there are {there}")
    return difference_rows(evaluations, kept, confidence)
