"""The audit of a split: clusters are a claim, a search is the proof."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.sequences.homology import HomologySearchConfig, Relative, find_relatives

EXCLUDED = "excluded"
METHOD = "protsae.sequences.homology"


class AuditConfig(Config):
    """What counts as a leak, and what is done about it."""

    on_leak: Literal["exclude", "fail"] = "exclude"
    """Validation and test proteins with a relative in train go to the split `excluded`, or the run stops."""
    search: HomologySearchConfig = HomologySearchConfig()
    """What counts as a relative."""


def audit_split(
    sequences: pd.DataFrame, assignment: pd.DataFrame, config: AuditConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train, and take out what has a relative there.

    The nearest training protein is kept for every validation and test protein, excluded or not, also below
    the identity threshold (but significant and with the coverage asked for), so that scores can be given by
    bands of identity. Then the test proteins left are searched among the validation proteins left: such pairs
    are reported, not excluded.

    Args:
        sequences: `protein_id`, `description`, `sequence`, `length`, `aliases`.
        assignment: `protein_id`, `cluster_id`, `split` of the same proteins.
        config: what a leak is.

    Returns:
        The proteins, sorted by id (`nearest_train_id` is empty and `nearest_train_identity` NaN where none
        was found), and one row per search: `split`, `against`, `n_proteins`, `n_searched`, `n_with_relative`,
        `share_with_relative`, `n_excluded`, `min_identity`, `min_coverage`, `method`.

    Raises:
        InputError: if there is a leak and `on_leak` is `fail`, or a split is empty once leaks are excluded.
    """
    proteins = sequences.merge(assignment, on="protein_id", validate="one_to_one").sort_values("protein_id")
    proteins = proteins.reset_index(drop=True)
    by_split = {split: _sequences(proteins, split) for split in ("train", "validation", "test")}
    nearest = _nearest({**by_split["validation"], **by_split["test"]}, by_split["train"], config.search)
    leaks = {name: pair for name, pair in nearest.items() if pair.identity >= config.search.min_identity}
    if leaks and config.on_leak == "fail":
        raise InputError(_leak_message(leaks, config))
    left = {
        split: {name: sequence for name, sequence in by_split[split].items() if name not in leaks}
        for split in ("validation", "test")
    }
    if empty := [split for split, names in left.items() if by_split[split] and not names]:
        raise InputError(
            f"every protein of {' and '.join(empty)} has a relative in train, so that nothing is left. "
            "Cluster the proteins more sensitively"
        )
    proteins["split"] = proteins["split"].where(~proteins["protein_id"].isin(list(leaks)), EXCLUDED)
    pairs = [nearest.get(name) for name in proteins["protein_id"]]
    proteins["nearest_train_id"] = pd.Series([pair.target_id if pair else "" for pair in pairs], dtype="str")
    proteins["nearest_train_identity"] = pd.Series(
        [pair.identity if pair else None for pair in pairs], dtype="float64"
    )
    related_to_validation = {
        pair.query_id for pair in find_relatives(left["test"], left["validation"], config.search)
    }
    audit = pd.DataFrame(
        [
            _row("validation", "train", by_split["validation"], set(leaks), config),
            _row("test", "train", by_split["test"], set(leaks), config),
            _row("test", "validation", left["test"], related_to_validation, config),
        ]
    )
    return proteins[_COLUMNS], audit


_COLUMNS = [
    "protein_id",
    "sequence",
    "length",
    "description",
    "aliases",
    "cluster_id",
    "split",
    "nearest_train_id",
    "nearest_train_identity",
]


def _sequences(proteins: pd.DataFrame, split: str) -> dict[str, str]:
    chosen = proteins[proteins["split"] == split]
    return dict(zip(chosen["protein_id"], chosen["sequence"], strict=True))


def _nearest(
    queries: Mapping[str, str], targets: Mapping[str, str], search: HomologySearchConfig
) -> dict[str, Relative]:
    """Return the most identical relative of each query, at any identity."""
    nearest: dict[str, Relative] = {}
    for pair in find_relatives(queries, targets, search.model_copy(update={"min_identity": 0.0})):
        nearest.setdefault(pair.query_id, pair)  # they come by falling identity
    return nearest


def _row(
    split: str, against: str, queries: Mapping[str, str], related: set[str], config: AuditConfig
) -> dict[str, object]:
    n_related = len(related & queries.keys())
    return {
        "split": split,
        "against": against,
        "n_proteins": len(queries),
        "n_searched": len(queries),
        "n_with_relative": n_related,
        "share_with_relative": n_related / len(queries) if queries else 0.0,
        "n_excluded": n_related if against == "train" else 0,
        "min_identity": config.search.min_identity,
        "min_coverage": config.search.min_coverage,
        "method": METHOD,
    }


def _leak_message(leaks: Mapping[str, Relative], config: AuditConfig) -> str:
    shown = [f"{name} and {pair.target_id} ({pair.identity:.0%})" for name, pair in list(leaks.items())[:3]]
    return (
        f"{len(leaks)} validation and test proteins have a relative in train of at least "
        f"{config.search.min_identity:.0%} identity over {config.search.min_coverage:.0%} of both: "
        f"{', '.join(shown)}. Cluster more sensitively, or set ingestion.audit.on_leak to exclude"
    )
