"""Declaration of the explanation pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import LABELLED, Wiring, by_part, node, of_dictionary, own

from .nodes import (
    ask_for_explanations,
    ask_for_scores,
    explain_by_rules,
    join_explanations,
    summarise_explanations,
)

_RULES = {"rules": "params:explanation.rules"}
_LLM = {"llm": "params:explanation.llm"}


def _explanation_of(name: str) -> Pipeline:
    """Return how the latents of one dictionary are explained."""
    read = LABELLED | _RULES | own(name, "residue_codes") | {"latents": f"{name}.latent_cards"}
    nodes = [
        node(explain_by_rules, read, f"{name}.rule_explanations"),
        node(ask_for_explanations, read | _LLM | own(name, "rule_explanations"), f"{name}.llm_explanations"),
        node(ask_for_scores, read | _LLM | own(name, "llm_explanations"), f"{name}.llm_answers"),
        node(
            join_explanations,
            own(name, "rule_explanations", "llm_explanations", "llm_answers"),
            f"{name}.explanations",
        ),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the explanation pipeline: a sentence for every latent of every dictionary, with its scores."""
    collected = by_part(wiring.names, "explanations", "latents")
    summary = node(summarise_explanations, collected, "explanation_summary")
    return sum((_explanation_of(name) for name in wiring.names), Pipeline([summary]))
