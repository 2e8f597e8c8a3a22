"""The audit of a split: a search for relatives across the splits that clusters define."""

import logging
from collections.abc import Mapping
from math import sqrt
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.seeding import lowest_hashes
from protsae.core.splits import EXCLUDED, HELD_OUT
from protsae.sequences import mmseqs
from protsae.sequences.bands import count_bands
from protsae.sequences.homology import HomologySearchConfig, Relative, find_relatives

_LOGGER = logging.getLogger(__name__)
_Z = 1.959964  # 97.5 % quantile of the standard normal


class AuditConfig(Config):
    """What counts as a leak, how it is looked for, and what is done about it."""

    method: Literal["builtin", "mmseqs"] = "builtin"
    """`builtin` needs nothing installed; `mmseqs` is faster on large sets and needs MMseqs2."""
    n_sampled: int | None = Field(default=None, ge=1)
    """Proteins searched per held-out split, drawn by a hash of their ids; None: all.

    Only what is searched can be excluded.
    """
    max_leak_share: float = Field(default=0.05, ge=0, le=1)
    """A larger share of searched proteins with a relative in train brings a warning, or stops the run."""
    on_leak: Literal["exclude", "fail"] = "exclude"
    """Above `max_leak_share` `fail` stops the run. Leaks that do not stop it go to the split `excluded`."""
    search: HomologySearchConfig = HomologySearchConfig()
    """What counts as a relative."""


def audit_split(
    sequences: pd.DataFrame, assignment: pd.DataFrame, config: AuditConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train, and exclude proteins with a relative there.

    The nearest training protein is kept for every searched protein, excluded or not, also below the identity
    threshold (but significant and with the coverage asked for), so that scores can be given by bands of
    identity. Then the searched test proteins left are searched among the validation proteins left: such pairs
    are reported, not excluded.

    Args:
        sequences: `protein_id`, `description`, `sequence`, `length`, `aliases`.
        assignment: `protein_id`, `cluster_id`, `split` of the same proteins.
        config: what a leak is, and how many proteins are searched.

    Returns:
        The proteins, sorted by id (`is_audited`: whether the protein was searched among train;
        `nearest_train_id` is empty and `nearest_train_identity` NaN where none was found), and one row per
        search, `split` among `against`: the share with a relative has its Wilson 95 % interval, and the
        counts `n_none_found` to `n_above_50` are of searched proteins by identity of the nearest.

    Raises:
        InputError: if a share of leaks is above `max_leak_share` and `on_leak` is `fail`, or a split is empty
            once leaks are excluded.
    """
    proteins = sequences.merge(assignment, on="protein_id", validate="one_to_one").sort_values("protein_id")
    proteins = proteins.reset_index(drop=True)
    by_split = {split: _sequences(proteins, split) for split in ("train", *HELD_OUT)}
    searched = {split: draw(by_split[split], config.n_sampled) for split in HELD_OUT}
    nearest = _nearest({**searched["validation"], **searched["test"]}, by_split["train"], config)
    leaks = {name: pair for name, pair in nearest.items() if pair.identity >= config.search.min_identity}
    rows = [_row(split, "train", by_split[split], searched[split], nearest, config) for split in HELD_OUT]
    _judge(rows, leaks, config)
    left = {
        split: {name: sequence for name, sequence in by_split[split].items() if name not in leaks}
        for split in HELD_OUT
    }
    if empty := [split for split, names in left.items() if by_split[split] and not names]:
        raise InputError(
            f"every protein of {' and '.join(empty)} has a relative in train, so that nothing is left. "
            "Cluster the proteins more sensitively"
        )
    again = {name: sequence for name, sequence in searched["test"].items() if name in left["test"]}
    among_validation = _nearest(again, left["validation"], config)
    rows.append(_row("test", "validation", left["test"], again, among_validation, config))
    proteins["split"] = proteins["split"].where(~proteins["protein_id"].isin(list(leaks)), EXCLUDED)
    proteins["is_audited"] = proteins["protein_id"].isin([*searched["validation"], *searched["test"]])
    pairs = [nearest.get(name) for name in proteins["protein_id"]]
    proteins["nearest_train_id"] = pd.Series([pair.target_id if pair else "" for pair in pairs], dtype="str")
    proteins["nearest_train_identity"] = pd.Series(
        [pair.identity if pair else None for pair in pairs], dtype="float64"
    )
    return proteins[_COLUMNS], pd.DataFrame(rows)


_COLUMNS = [
    *("protein_id", "sequence", "length", "description", "aliases", "cluster_id", "split"),
    *("is_audited", "nearest_train_id", "nearest_train_identity"),
]
_BAND_COUNTS = ("n_none_found", "n_below_20", "n_20_to_30", "n_30_to_50", "n_above_50")
"""Columns for the counts of `bands.BANDS`."""


def draw(sequences: Mapping[str, str], n_sampled: int | None) -> dict[str, str]:
    """Return `n_sampled` proteins with the lowest hashes of their ids: at random, but the same every time."""
    if n_sampled is None or n_sampled >= len(sequences):
        return dict(sequences)
    return {name: sequences[name] for name in sorted(lowest_hashes(sequences, n_sampled, "audit"))}


def wilson_interval(n_hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson 1927, doi:10.1080/01621459.1927.10502953)."""
    if not n:
        return 0.0, 1.0
    share, z2 = n_hits / n, _Z**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(share * (1 - share) / n + z2 / (4 * n**2)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def _sequences(proteins: pd.DataFrame, split: str) -> dict[str, str]:
    chosen = proteins[proteins["split"] == split]
    return dict(zip(chosen["protein_id"], chosen["sequence"], strict=True))


def _nearest(
    queries: Mapping[str, str], targets: Mapping[str, str], config: AuditConfig
) -> dict[str, Relative]:
    """Return the most identical relative of each query, at any identity."""
    find = mmseqs.search if config.method == "mmseqs" else find_relatives
    nearest: dict[str, Relative] = {}
    for pair in find(queries, targets, config.search.model_copy(update={"min_identity": 0.0})):
        nearest.setdefault(pair.query_id, pair)  # they come by falling identity
    return nearest


def _row(
    split: str,
    against: str,
    queries: Mapping[str, str],
    searched: Mapping[str, str],
    nearest: Mapping[str, Relative],
    config: AuditConfig,
) -> dict[str, Any]:
    identities = [nearest[name].identity if name in nearest else None for name in searched]
    n_related = sum(value is not None and value >= config.search.min_identity for value in identities)
    low, high = wilson_interval(n_related, len(searched))
    bands = zip(_BAND_COUNTS, count_bands(identities).values(), strict=True)
    return {
        "split": split,
        "against": against,
        "n_proteins": len(queries),
        "n_searched": len(searched),
        "n_with_relative": n_related,
        "share_with_relative": n_related / len(searched) if searched else 0.0,
        "share_low": low,
        "share_high": high,
        "n_excluded": n_related if against == "train" else 0,
        **dict(bands),
        "min_identity": config.search.min_identity,
        "min_coverage": config.search.min_coverage,
        "method": mmseqs.describe("easy-search", config.search) if config.method == "mmseqs" else "builtin",
    }


def _judge(rows: list[dict[str, Any]], leaks: Mapping[str, Relative], config: AuditConfig) -> None:
    """Stop or warn where the share of leaks is too high."""
    high = [row for row in rows if row["share_with_relative"] > config.max_leak_share]
    if high and config.on_leak == "fail":
        raise InputError(_leak_message(high, leaks, config))
    for row in high:
        _LOGGER.warning("%s", _warning(row))


def _counted(row: Mapping[str, Any]) -> str:
    return (
        f"{row['n_with_relative']} of {row['n_searched']} searched {row['split']} proteins "
        f"({row['share_with_relative']:.0%}, 95 % interval {row['share_low']:.0%} to {row['share_high']:.0%})"
    )


def _warning(row: Mapping[str, Any]) -> str:
    message = (
        f"{_counted(row)} have a relative in train and are excluded: the clusters are not sensitive enough."
    )
    n_unsearched = row["n_proteins"] - row["n_searched"]
    if n_unsearched:
        message += (
            f" About {round(row['share_with_relative'] * n_unsearched)} of the {n_unsearched} {row['split']} "
            "proteins that were not searched have one too and stay. To search all, set "
            "splitting.audit.n_sampled: null"
        )
    return message


def _leak_message(high: list[dict[str, Any]], leaks: Mapping[str, Relative], config: AuditConfig) -> str:
    shown = [f"{name} and {pair.target_id} ({pair.identity:.0%})" for name, pair in list(leaks.items())[:3]]
    return (
        f"{' and '.join(map(_counted, high))} have a relative in train of at least "
        f"{config.search.min_identity:.0%} identity over {config.search.min_coverage:.0%} of both, such as "
        f"{', '.join(shown)}; at most {config.max_leak_share:.0%} may (splitting.audit.max_leak_share). "
        "Cluster more sensitively, or set splitting.audit.on_leak to exclude"
    )
