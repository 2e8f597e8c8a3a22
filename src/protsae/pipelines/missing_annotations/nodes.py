"""Nodes of the missing-annotations pipeline: what proteins may have and lack in the table, and how well such
pairs are found."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from protsae.missing.config import CandidatesConfig, HidingConfig
from protsae.pipelines.wiring import LABELLED, ONTOLOGY, parts_of, stacked
from protsae.probing.config import ScoringConfig

if TYPE_CHECKING:
    from protsae.probing.judge import Judge


def list_missing_annotations(
    residue_codes: Any,
    encoding: pd.DataFrame,
    concept_scores: pd.DataFrame,
    reference_scores: pd.DataFrame,
    neighbours: pd.DataFrame,
    mean_activations: pd.DataFrame,
    *,
    scoring: ScoringConfig,
    candidates: CandidatesConfig,
    **tables: pd.DataFrame,
) -> pd.DataFrame:
    """List the held-out proteins on which a reliable latent of a dictionary fires, whose codes are
    `residue_codes` (a `CodeStore`), and which lack its concept."""
    from protsae.missing import candidates as found
    from protsae.probing.judge import scores_of

    judge, name = _judge(tables, encoding["protein_id"], scoring), residue_codes.run.method
    if not len(judge.columns):
        return pd.DataFrame(columns=list(found.COLUMNS))
    homology = reference_scores[reference_scores["method"] == found.HOMOLOGY]
    scores = scores_of(concept_scores, judge) | scores_of(homology, judge)
    guided = residue_codes.dictionary.n_defined > 0
    pooling = scores.pooling[f"{name}_latent"]
    latents = found.latents_of_concepts(judge, encoding, pooling, guided=guided)
    similar = found.Similar(neighbours, judge.features(mean_activations, "activation"), judge.splits)
    return found.missing_annotations(name, scores, judge, latents, similar, residue_codes, candidates)


def check_missing_annotations(
    mean_activations: pd.DataFrame,
    *,
    hiding: HidingConfig,
    candidates: CandidatesConfig,
    **parts: pd.DataFrame,
) -> pd.DataFrame:
    """Hide known labels and measure how many every method finds again.

    Args:
        mean_activations: says which proteins were encoded.
        hiding: how many are hidden, and which methods are looked at.
        candidates: which pairs are listed.
        parts: `concept_scores` of every dictionary and of the references, and the tables of labels and
            concepts.
    """
    from protsae.missing.check import CHECK_COLUMNS, HiddenTask, checked_methods
    from protsae.probing.judge import scores_of

    tables = {name: parts[name] for name in (*LABELLED, *ONTOLOGY)}
    judge = _judge(tables, mean_activations["protein_id"])
    if not len(judge.columns):
        return pd.DataFrame(columns=list(CHECK_COLUMNS))
    table = stacked(parts, "concept_scores")
    wanted = checked_methods(parts_of(parts, "concept_scores"), hiding)
    scores = scores_of(table[table["method"].isin(wanted)], judge)
    proteins = tables["proteins"]
    clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"], strict=True))
    task = HiddenTask.of(judge.splits, judge.vocabulary.below["deepgo"], clusters, hiding, candidates)
    return task.check(scores)


def _judge(
    tables: dict[str, pd.DataFrame], available: pd.Series, scoring: ScoringConfig | None = None
) -> "Judge":
    """Return the judge of proteins that were encoded; `tables`: `wiring.LABELLED` and `wiring.ONTOLOGY`."""
    from protsae.annotations.labels import LabelTables
    from protsae.probing.config import EvaluationConfig
    from protsae.probing.judge import Judge, Known

    labels = LabelTables(**{name: tables[name] for name in LABELLED if name != "proteins"})
    ontology = (tables.get(name, pd.DataFrame()) for name in ONTOLOGY)
    known = Known(tables["proteins"], labels, *ontology)
    return Judge(known, set(available), scoring or ScoringConfig(), EvaluationConfig())
