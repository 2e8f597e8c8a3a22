"""Nodes of the explanation pipeline: sentences that say where latents fire, and what they are worth."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from protsae.explanation.config import ExplanationConfig, LlmConfig
from protsae.pipelines.wiring import stacked

if TYPE_CHECKING:
    from protsae.explanation.explainer import Explainer


def explain_by_rules(
    residue_codes: Any,
    latents: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    rules: ExplanationConfig,
    **labels: pd.DataFrame,
) -> pd.DataFrame:
    """Explain every latent of a dictionary by rules, and score the explanations, by its codes (a
    `CodeStore`)."""
    from protsae.explanation.tables import explanation_table

    explainer = _explainer(residue_codes, latents, proteins, rules, labels)
    return explanation_table(explainer.explain(), residue_codes.run.method, rules)


def ask_for_explanations(
    residue_codes: Any,
    rule_explanations: pd.DataFrame,
    latents: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    rules: ExplanationConfig,
    llm: LlmConfig,
    **labels: pd.DataFrame,
) -> Any:
    """Return a plan (an `LlmPlan`): what a large language model is asked to explain; nothing by default."""
    from protsae.explanation.llm import plan_explanations

    explainer = _explainer(residue_codes, latents, proteins, rules, labels)
    return plan_explanations(explainer, rule_explanations, llm)


def ask_for_scores(
    residue_codes: Any,
    llm_explanations: Any,
    latents: pd.DataFrame,
    proteins: pd.DataFrame,
    *,
    rules: ExplanationConfig,
    llm: LlmConfig,
    **labels: pd.DataFrame,
) -> Any:
    """Return a plan (an `LlmPlan`): how its explanations (an `AnswerFolder`) are tested; nothing by
    default."""
    from protsae.explanation.llm import plan_scores

    return plan_scores(_explainer(residue_codes, latents, proteins, rules, labels), llm_explanations, llm)


def join_explanations(
    rule_explanations: pd.DataFrame, llm_explanations: Any, llm_answers: Any
) -> pd.DataFrame:
    """Return all explanations of a dictionary, those of a large language model (both `AnswerFolder`) marked
    as generated."""
    from protsae.explanation.tables import COLUMNS, llm_table
    from protsae.metrics.table import stack_tables

    generated = llm_table(rule_explanations, llm_explanations, llm_answers)
    return stack_tables([rule_explanations, generated], COLUMNS)


def summarise_explanations(**parts: pd.DataFrame) -> pd.DataFrame:
    """Return how well explanations do, per dictionary, kind of latent and author.

    Args:
        parts: `explanations` and `latents` of every dictionary.
    """
    from protsae.explanation.summary import summarise

    return summarise(stacked(parts, "explanations"), stacked(parts, "latents"))


def _explainer(
    residue_codes: Any,
    latents: pd.DataFrame,
    proteins: pd.DataFrame,
    rules: ExplanationConfig,
    labels: dict[str, pd.DataFrame],
) -> "Explainer":
    from protsae.annotations.labels import LabelTables
    from protsae.explanation.explainer import Explainer
    from protsae.probing.labelled import LabelledProteins

    labelled = LabelledProteins.of(proteins, LabelTables(**labels), residue_codes.protein_ids)
    return Explainer(residue_codes, latents, labelled, rules)
