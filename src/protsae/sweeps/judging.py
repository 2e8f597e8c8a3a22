"""One member judged: rows of the metrics table."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.activations.reader import ActivationStore
from protsae.metrics.table import concat_metrics
from protsae.probing.collect import subsumption_rows
from protsae.probing.encoding import Run, encode_splits, mean_activations
from protsae.probing.evaluation import evaluate_all, score_metrics
from protsae.probing.scores import SCORED_SPLITS, prevalence_scores, probe_scores, select_latents
from protsae.probing.splits import SPLITS, feature_matrix, labels_by_split, protein_level, split_of_proteins
from protsae.probing.vocabulary import Vocabulary
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sweeps.config import JudgingConfig
from protsae.training.plan import Knowledge

Scores = dict[str, dict[str, NDArray[np.float64]]]


class SweepData(NamedTuple):
    """What all members share."""

    store: ActivationStore
    proteins: pd.DataFrame
    """`protein_id`, `split`, `cluster_id`."""
    knowledge: Knowledge
    terms: pd.DataFrame
    """The `concept_terms` table."""
    relations: pd.DataFrame
    """The `concept_relations` table."""


@dataclass(frozen=True)
class Judge:
    """Scores concepts of whole proteins by a member's latents and, if it is guided, by its predictor."""

    data: SweepData
    config: JudgingConfig

    def member(self, checkpoint: SaeCheckpoint, name: str) -> pd.DataFrame:
        """Return the member's rows: `<name>_latent`, `<name>_predictor`, and reconstruction as `<name>`.

        Latents of an unguided dictionary are chosen on validation proteins, one for each concept.
        """
        data, pooling = self.data, self.config.scoring.pooling
        split_of = split_of_proteins(data.proteins, data.store.protein_ids, SCORED_SPLITS)
        run, sae = Run.of(checkpoint), checkpoint.load()
        found = encode_splits(data.store, sae, run, split_of, self.config.encoding)
        splits, columns = self._labels(SCORED_SPLITS)
        latents = {
            split: _features(found.proteins, f"{pooling}_latents", labels.protein_ids)
            for split, labels in splits.items()
        }
        scores: Scores = {}
        supervision = {f"{name}_latent": "selection", f"{name}_predictor": "training"}
        if sae.n_defined:
            supervision[f"{name}_latent"] = "training"
            scores[f"{name}_latent"] = {split: values[:, columns] for split, values in latents.items()}
            for logits in (column for column in found.proteins.columns if column.endswith("_logits")):
                scores[f"{name}_predictor"] = {
                    split: _features(found.proteins, logits, labels.protein_ids)[:, columns]
                    for split, labels in splits.items()
                }
        elif len(columns):
            validation = splits["validation"]
            chosen = select_latents(latents["validation"], validation.labels, validation.labelled)
            scores[f"{name}_latent"] = _as_float64(
                {split: chosen.scores(values) for split, values in latents.items()}
            )
        about: dict[str, Any] = {"seed": run.seed, "hook_point": run.hook_point, "k": run.k}
        concepts = data.knowledge.tables.concepts
        parts = [
            self._judged(scores, supervision).assign(**about),
            subsumption_rows(sae, run, data.knowledge.axioms, concepts).assign(method=name),
            found.reconstruction.assign(method=name),
        ]
        return concat_metrics(parts)

    def references(self, hook_point: str) -> pd.DataFrame:
        """Return the rows of `linear_probe` on mean activations and of `prevalence`."""
        data = self.data
        splits, columns = self._labels(SPLITS)
        if not len(columns):
            return concat_metrics([])
        ids = [protein_id for labels in splits.values() for protein_id in labels.protein_ids]
        means = mean_activations(data.store, hook_point, ids)
        features = {
            split: _features(means, "activation", labels.protein_ids) for split, labels in splits.items()
        }
        scores = {
            "linear_probe": _as_float64(probe_scores(features, splits, self.config.scoring)),
            "prevalence": _as_float64(prevalence_scores(splits)),
        }
        rows = self._judged(scores, {"linear_probe": "probe", "prevalence": "none"})
        return rows.assign(hook_point=rows["method"].map({"linear_probe": hook_point, "prevalence": ""}))

    def _labels(self, splits: tuple[str, ...]) -> tuple[dict[str, Any], NDArray[np.int64]]:
        data, tables = self.data, self.data.knowledge.tables
        columns = protein_level(tables.concepts)
        labels = labels_by_split(
            data.proteins,
            tables.concepts,
            tables.protein_labels,
            tables.labelled_aspects,
            data.store.protein_ids,
            splits,
        )
        return {split: found.of_concepts(columns) for split, found in labels.items()}, columns

    def _judged(self, scores: Scores, supervision: Mapping[str, str]) -> pd.DataFrame:
        data, config = self.data, self.config.evaluation
        splits, columns = self._labels(SCORED_SPLITS)
        if not len(columns):
            return concat_metrics([])
        concepts = data.knowledge.tables.concepts
        judged = concepts[concepts["concept_idx"].isin(columns)]
        vocabulary = Vocabulary.of(judged, data.terms, data.relations)
        clusters = dict(zip(data.proteins["protein_id"], data.proteins["cluster_id"], strict=True))
        found = evaluate_all(scores, splits, vocabulary, clusters, config)
        return score_metrics(found, config.confidence, supervision)


def _features(table: pd.DataFrame, column: str, protein_ids: list[str]) -> NDArray[np.float64]:
    return np.asarray(feature_matrix(table, column, protein_ids), np.float64)


def _as_float64(scores: Mapping[str, NDArray[np.floating[Any]]]) -> dict[str, NDArray[np.float64]]:
    return {split: np.asarray(values, np.float64) for split, values in scores.items()}
