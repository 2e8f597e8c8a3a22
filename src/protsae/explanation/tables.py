"""The table of explanations, and rules as text."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from protsae.explanation.answers import Answered, AnswerFolder
from protsae.explanation.config import ExplanationConfig
from protsae.explanation.evidence import sentence
from protsae.explanation.explainer import Explained
from protsae.explanation.rules import Concept, Condition, Letters, Motif, Place, Rule

AUTHOR = "rules"
SCORES = ("detection", "fuzzing", "intruder")
COLUMNS = (
    *("method", "latent", "author", "is_generated", "sentence", "confidence", "concept_id"),
    *(column for score in SCORES for column in (score, f"{score}_floor")),
    *("n_scored", "validation", "validation_floor", "rule"),
)
_KINDS: dict[str, type[Concept] | type[Letters] | type[Motif] | type[Place]] = {
    "concept": Concept,
    "letters": Letters,
    "motif": Motif,
    "place": Place,
}


def explanation_table(explained: Iterable[Explained], method: str, config: ExplanationConfig) -> pd.DataFrame:
    """Return explanations by rules in `COLUMNS`, one row per latent."""
    rows = [
        {
            "method": method,
            "latent": of.evidence.latent,
            "author": AUTHOR,
            "is_generated": False,
            "sentence": sentence(of.evidence),
            "confidence": of.confidence(config),
            "concept_id": of.evidence.concept_id,
            **{score: getattr(of.test, score) for score in SCORES},
            **{f"{score}_floor": getattr(of.floor, score) for score in SCORES},
            "n_scored": of.n_scored,
            "validation": of.validation.overall,
            "validation_floor": of.validation_floor.overall,
            "rule": rule_text(of.evidence.rule),
        }
        for of in explained
    ]
    return with_types(rows)


def with_types(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as a table in `COLUMNS`, also where there are none."""
    numbers = [*(c for score in SCORES for c in (score, f"{score}_floor")), "validation", "validation_floor"]
    kinds = {
        "latent": "int32",
        "n_scored": "int32",
        "is_generated": "bool",
        **dict.fromkeys(numbers, "float64"),
    }
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def llm_table(rules: pd.DataFrame, explained: AnswerFolder, scored: AnswerFolder) -> pd.DataFrame:
    """Return the explanations of a large language model in `COLUMNS`, marked as generated.

    Args:
        rules: explanations of the same latents by rules: method and concept are theirs.
        explained: what the model says of latents.
        scored: what it answers in the three tests, for its own explanations and for shuffled ones.
    """
    about = rules.set_index("latent")[["method", "concept_id"]]
    scores: dict[int, dict[str, Any]] = {}
    for of in scored.answered:
        if of.answer is not None:
            of_latent = scores.setdefault(of.latent, {"n_scored": len(of.truth)})
            of_latent[f"{of.task}_floor" if of.is_shuffled else of.task] = _agreement(of)
    rows = [
        {
            "method": about.at[latent, "method"],
            "latent": latent,
            "author": explained.model,
            "is_generated": True,
            "sentence": said,
            "confidence": "",
            "concept_id": about.at[latent, "concept_id"],
            "n_scored": 0,
            "rule": "",
            **scores.get(latent, {}),
        }
        for latent, said in sorted(explained.sentences().items())
    ]
    return with_types(rows)


def _agreement(of: Answered) -> float:
    """Return the balanced accuracy of answers, or the accuracy in the intruder test."""
    truth, right = np.array(of.truth), np.array(of.truth) == np.array(of.answer)
    groups = [truth == 0, truth == 1] if of.task != "intruder" else [np.ones(len(truth), bool)]
    return float(np.mean([right[group].mean() for group in groups if group.any()]))


def rule_text(rule: Rule) -> str:
    """Write a rule as JSON; empty where it has no condition."""
    if not rule.conditions:
        return ""
    return json.dumps([_record(condition) for condition in rule.conditions])


def _record(condition: Condition) -> dict[str, Any]:
    kind = next(name for name, cls in _KINDS.items() if isinstance(condition, cls))
    values = asdict(condition)
    if isinstance(condition, Motif):
        values["log_odds"] = condition.log_odds.tolist()
    return {"kind": kind, **values}


def read_rule(text: str) -> Rule:
    """Read what `rule_text` wrote: the rule predicts the same."""
    conditions: list[Any] = []
    for record in json.loads(text or "[]"):
        values = {name: value for name, value in record.items() if name != "kind"}
        if record["kind"] == "motif":
            values["log_odds"] = np.array(values["log_odds"])
        conditions.append(_KINDS[record["kind"]](**values))
    return Rule(tuple(conditions))
