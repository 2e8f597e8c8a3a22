"""Members judged by the methods of probing: `<name>_latent`, `<name>_predictor`, `<name>_probe`."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.activations.reader import ActivationStore
from protsae.core.code import code_hash
from protsae.core.files import sha256_text
from protsae.metrics.table import concat_metrics
from protsae.probing.baselines import score_baselines
from protsae.probing.collect import subsumption_rows
from protsae.probing.encoding import Run, encode_splits, mean_activations
from protsae.probing.estimates import Evaluations
from protsae.probing.evaluation import evaluate_all, identity_strata, score_metrics
from protsae.probing.scores import (
    METHODS,
    prevalence_scores,
    probe_scores,
    select_latents,
)
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import (
    SPLITS,
    SplitLabels,
    feature_matrix,
    labels_by_split,
    protein_level,
    split_of_proteins,
)
from protsae.probing.vocabulary import Vocabulary
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sweeps.config import JudgingConfig
from protsae.training.fingerprints import table_hash
from protsae.training.plan import REGISTRY, Knowledge

Scores = dict[str, dict[str, NDArray[np.floating[Any]]]]
_SCORED_SPLITS = ("validation", "test")


class SweepData(NamedTuple):
    """What all members share."""

    store: ActivationStore
    proteins: pd.DataFrame
    """`protein_id`, `sequence`, `split`, `cluster_id`, `is_audited`, `nearest_train_identity`."""
    knowledge: Knowledge
    terms: pd.DataFrame
    """The `concept_terms` table."""
    relations: pd.DataFrame
    """The `concept_relations` table."""


@dataclass(frozen=True)
class Judgement:
    """What was found of a member, or of what needs no training."""

    evaluations: Evaluations
    supervision: Mapping[str, str]
    """Method to how it saw labels."""
    about: Mapping[str, Mapping[str, Any]]
    """Method to the columns that say what it was scored from: `seed`, `hook_point`, `k`."""
    others: pd.DataFrame
    """Rows of geometry and reconstruction."""

    def rows(self, confidence: float) -> pd.DataFrame:
        """Return the rows of the metrics table."""
        scores = score_metrics(self.evaluations, confidence, self.supervision)
        parts = [
            rows.assign(**self.about.get(str(name), {}))
            for name, rows in scores.groupby("method", sort=False)
        ]
        return concat_metrics([*parts, self.others])


@dataclass(frozen=True)
class Judge:
    """Scores concepts of whole proteins by a member's latents, by a probe on them, and if it is guided, by
    its predictor."""

    data: SweepData
    config: JudgingConfig

    def member(self, checkpoint: SaeCheckpoint, name: str) -> Judgement:
        """Judge a trained dictionary, which the tables call `name`, in one pass over the activations.

        Latents of an unguided dictionary are chosen on validation proteins, one for each concept. Latents are
        pooled over residues in one way, for all methods.
        """
        data = self.data
        run, sae = Run.of(checkpoint), checkpoint.load()
        found = encode_splits(data.store, sae, run, self._split_of, self.config.encoding)
        scores, supervision = self._scores(found.proteins, sae, name)
        about = {"seed": run.seed, "hook_point": run.hook_point, "k": run.k}
        geometry = subsumption_rows(sae, run, data.knowledge.axioms, data.knowledge.tables.concepts)
        others = [geometry.assign(method=name), found.reconstruction.assign(method=name)]
        return Judgement(
            self.evaluate(scores), supervision, dict.fromkeys(scores, about), concat_metrics(others)
        )

    def references(
        self,
        hook_point: str,
        neighbours: pd.DataFrame | None = None,
        random_activations: pd.DataFrame | None = None,
    ) -> Judgement:
        """Judge what needs no dictionary.

        `linear_probe` on mean activations, the same with labels shuffled, `prevalence`, `composition_probe`,
        and where their tables are given, `nearest_neighbour` and `random_plm_probe` (`probing.baselines`).
        """
        if not len(self.columns):
            return Judgement({}, {}, {}, concat_metrics([]))
        scoring, features = self.config.scoring, self.activations(hook_point)
        shuffled = shuffle_labels(self.splits, scoring.seed)
        scores: Scores = {
            "linear_probe": probe_scores(features, self.splits, scoring),
            "prevalence": prevalence_scores(self.splits),
            "shuffled_labels": probe_scores(features, shuffled, scoring),
        }
        arguments = self.data.proteins, neighbours, random_activations, self.all_labels, self.columns
        scores |= score_baselines(*arguments, scoring)
        about: dict[str, dict[str, Any]] = {
            name: {"hook_point": hook_point}
            for name in scores
            if METHODS[name].source in ("activations", "random_plm")
        }
        about["shuffled_labels"]["seed"] = scoring.seed
        supervision = {name: METHODS[name].supervision for name in scores}
        return Judgement(self.evaluate(scores), supervision, about, concat_metrics([]))

    def activations(self, hook_point: str) -> dict[str, NDArray[np.floating[Any]]]:
        """Return the mean activations of the proteins of each split [n, d_model]."""
        ids = [name for of in self.splits.values() for name in of.protein_ids]
        means = mean_activations(self.data.store, hook_point, ids)
        return {s: feature_matrix(means, "activation", of.protein_ids) for s, of in self.splits.items()}

    def fingerprint(self) -> str:
        """Return the hash of all that judging depends on, except the checkpoint and its architecture."""
        data, tables = self.data, self.data.knowledge.tables
        columns = ["protein_id", "split", "cluster_id", "is_audited", "nearest_train_identity"]
        shown = [data.proteins[columns], tables.concepts, tables.protein_labels]
        shown += [tables.labelled_aspects, data.knowledge.axioms, data.terms, data.relations]
        hashed = (table_hash(table) for table in shown)
        return sha256_text(*hashed, self.config.model_dump_json(), judging_code_hash())

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """The `concept_idx` of the concepts of whole proteins [n_concepts]."""
        return protein_level(self.data.knowledge.tables.concepts)

    @cached_property
    def all_labels(self) -> dict[str, SplitLabels]:
        """Labels by split, of all concepts."""
        tables, store = self.data.knowledge.tables, self.data.store
        return labels_by_split(
            self.data.proteins,
            tables.concepts,
            tables.protein_labels,
            tables.labelled_aspects,
            store.protein_ids,
        )

    @cached_property
    def splits(self) -> dict[str, SplitLabels]:
        """Labels by split, of the concepts of whole proteins."""
        return {split: found.of_concepts(self.columns) for split, found in self.all_labels.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """The concepts of whole proteins."""
        concepts = self.data.knowledge.tables.concepts
        judged = concepts[concepts["concept_idx"].isin(self.columns)]
        return Vocabulary.of(judged, self.data.terms, self.data.relations)

    @cached_property
    def _split_of(self) -> dict[str, str]:
        return split_of_proteins(self.data.proteins, self.data.store.protein_ids, SPLITS)

    def _scores(
        self, proteins: pd.DataFrame, sae: SparseAutoencoder, name: str
    ) -> tuple[Scores, dict[str, str]]:
        """Score validation and test proteins by what an encoding holds of them."""
        if not len(self.columns):
            return {}, {}
        splits, validation = self.splits, self.splits["validation"]
        column = f"{self.config.scoring.pooling}_latents"
        latents = {s: feature_matrix(proteins, column, of.protein_ids) for s, of in splits.items()}
        scores: Scores = {}
        supervision = {
            f"{name}_latent": "selection",
            f"{name}_predictor": "training",
            f"{name}_probe": "probe",
        }
        if sae.n_defined:
            supervision[f"{name}_latent"] = "training"
            scores[f"{name}_latent"] = {split: latents[split][:, self.columns] for split in _SCORED_SPLITS}
            if "protein_logits" in proteins:
                scores[f"{name}_predictor"] = {
                    split: feature_matrix(proteins, "protein_logits", splits[split].protein_ids)[
                        :, self.columns
                    ]
                    for split in _SCORED_SPLITS
                }
        else:
            chosen = select_latents(latents["validation"], validation.labels, validation.labelled)
            scores[f"{name}_latent"] = {split: chosen.scores(latents[split]) for split in _SCORED_SPLITS}
        scores[f"{name}_probe"] = dict(probe_scores(latents, splits, self.config.scoring))
        return scores, supervision

    def evaluate(self, scores: Scores) -> Evaluations:
        """Return what scores by method and split are worth, with resamples of the test proteins."""
        if not scores:
            return {}
        proteins = self.data.proteins
        clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"], strict=True))
        as_float = {
            method: {split: np.asarray(values, np.float64) for split, values in by_split.items()}
            for method, by_split in scores.items()
        }
        config, bands = self.config.evaluation, identity_strata(proteins)
        return evaluate_all(as_float, self.splits, self.vocabulary, clusters, config, bands)


def judging_code_hash() -> str:
    """Return the hash of the code that judges; a member's own architecture counts with its training."""
    return code_hash(Judge, without=(REGISTRY,))
