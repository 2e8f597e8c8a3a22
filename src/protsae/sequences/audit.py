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
from protsae.sequences.clonotypes import nearest_clonotypes
from protsae.sequences.homology import Hit, SearchConfig, find_hits

_LOGGER = logging.getLogger(__name__)
_Z = 1.959964  # 97.5 % quantile of the standard normal


class RelativeConfig(Config):
    """Which hits of a held-out protein (the query) in train (the target) make it a relative.

    A hit is an alignment that is significant (E-value). It must be identical enough, and either cover enough
    of the held-out protein or be long enough: one shared domain is enough for a label to leak.
    """

    min_identity: float = Field(default=0.3, ge=0, le=1)
    """Least identity: identical columns over all columns of the local alignment, gaps included."""
    min_query_coverage: float = Field(default=0.5, ge=0, le=1)
    """Least part of the held-out protein that the alignment spans."""
    min_alignment_length: int | None = Field(default=80, ge=1)
    """An alignment of so many columns counts whatever part of the held-out protein it spans. null: none
    does."""
    min_target_coverage: float = Field(default=0.0, ge=0, le=1)
    """Least part of the training protein that the alignment spans."""

    def holds(self, hit: Hit) -> bool:
        """Return whether a hit makes the query a relative of the target."""
        long = self.min_alignment_length is not None and hit.alignment_length >= self.min_alignment_length
        return (
            hit.identity >= self.min_identity
            and hit.target_coverage >= self.min_target_coverage
            and (long or hit.query_coverage >= self.min_query_coverage)
        )

    def describe(self) -> str:
        """Return the criterion in words."""
        where = f"{self.min_query_coverage:.0%} of the held-out protein"
        if self.min_alignment_length is not None:
            where += f" or over {self.min_alignment_length} columns"
        if self.min_target_coverage:
            where += f", and over {self.min_target_coverage:.0%} of the training protein"
        return f"at least {self.min_identity:.0%} identity over {where}"


Method = Literal["builtin", "mmseqs", "both", "clonotype"]


class AuditConfig(Config):
    """What counts as a leak, how it is looked for, and what is done about it."""

    method: Method = "builtin"
    """`builtin` needs nothing installed; `mmseqs` is faster on large sets and needs MMseqs2; `both` takes the
    hits of both. `clonotype`, which clusters by rearrangement always have: a relative has the same V gene, J
    gene and CDR3 length, and a similar CDR3."""
    n_sampled: int | None = Field(default=None, ge=1)
    """Proteins searched per held-out split, drawn by a hash of their ids; null: all. Only these can be
    excluded."""
    complete_up_to: int = Field(default=20_000, ge=0)
    """Of data with at most so many proteins all held-out proteins are searched, whatever `n_sampled` is."""
    max_leak_share: float = Field(default=0.05, ge=0, le=1)
    """A larger share of searched proteins with a relative in train brings a warning, or stops the run."""
    on_leak: Literal["exclude", "fail"] = "exclude"
    """Above `max_leak_share` `fail` stops the run. Leaks that do not stop it go to the split `excluded`."""
    search: SearchConfig = SearchConfig()
    """How hard the search looks, and which alignments are significant."""
    relatives: RelativeConfig = RelativeConfig()
    """Which significant alignments make a held-out protein a relative of a training protein."""
    min_cdr3_identity: float = Field(default=0.8, gt=0, le=1)
    """Least identity of CDR3 that makes a relative by the method `clonotype`."""


def audit_split(
    sequences: pd.DataFrame,
    assignment: pd.DataFrame,
    config: AuditConfig,
    clonotypes: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Search validation and test among train, and exclude proteins with a relative there.

    The nearest training protein is kept for every searched protein, excluded or not, so that scores can be
    given by bands of identity and coverage: of the relatives the most identical, and where there is none, the
    hit with the lowest E-value. A protein without any hit has none. Then the searched test proteins left are
    searched among the validation proteins left: such pairs are reported, not excluded.

    Args:
        sequences: `protein_id`, `description`, `sequence`, `length`, `aliases`.
        assignment: `protein_id`, `cluster_id`, `split` of the same proteins.
        config: what a leak is, and how many proteins are searched.
        clonotypes: `clonotypes.COLUMNS`, for this method: the nearest, its identity and its coverage are then
            those of CDR3, because by sequence all antibodies are relatives.

    Returns:
        The proteins, sorted by id (`is_audited`: whether the protein was searched among train;
        `nearest_train_id` is empty and identity and coverage of the nearest are NaN where there is no hit),
        and one row per search, `split` among `against`: the share with a relative has its Wilson 95 %
        interval, and the counts `n_no_hit` to `n_above_50` are of searched proteins by identity of the
        nearest.

    Raises:
        InputError: if a share of leaks is above `max_leak_share` and `on_leak` is `fail`, or a split is empty
            once leaks are excluded.
    """
    if config.method == "clonotype":
        if clonotypes is None or clonotypes.empty:
            raise InputError(
                "splitting.audit.method is 'clonotype', but no rearrangements are given. Set the `filepath` "
                "of raw_rearrangements in the catalog, or another method"
            )
        relatives = RelativeConfig(
            min_identity=config.min_cdr3_identity, min_query_coverage=0, min_alignment_length=None
        )
        config = config.model_copy(update={"relatives": relatives})
    proteins = sequences.merge(assignment, on="protein_id", validate="one_to_one").sort_values("protein_id")
    proteins = proteins.reset_index(drop=True)
    by_split = {split: _sequences(proteins, split) for split in ("train", *HELD_OUT)}
    n_sampled = None if len(proteins) <= config.complete_up_to else config.n_sampled
    searched = {split: draw(by_split[split], n_sampled) for split in HELD_OUT}
    nearest = _nearest({**searched["validation"], **searched["test"]}, by_split["train"], config, clonotypes)
    leaks = {name: hit for name, hit in nearest.items() if config.relatives.holds(hit)}
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
    among_validation = _nearest(again, left["validation"], config, clonotypes)
    rows.append(_row("test", "validation", left["test"], again, among_validation, config))
    proteins["split"] = proteins["split"].where(~proteins["protein_id"].isin(list(leaks)), EXCLUDED)
    proteins["is_audited"] = proteins["protein_id"].isin([*searched["validation"], *searched["test"]])
    hits = [nearest.get(name) for name in proteins["protein_id"]]
    proteins["nearest_train_id"] = pd.Series([hit.target_id if hit else "" for hit in hits], dtype="str")
    for column, values in {
        "nearest_train_identity": [hit.identity if hit else None for hit in hits],
        "nearest_train_coverage": [hit.query_coverage if hit else None for hit in hits],
    }.items():
        proteins[column] = pd.Series(values, dtype="float64")
    return proteins[_COLUMNS], pd.DataFrame(rows)


_COLUMNS = [
    *("protein_id", "sequence", "length", "description", "aliases", "cluster_id", "split"),
    *("is_audited", "nearest_train_id", "nearest_train_identity", "nearest_train_coverage"),
]
_BAND_COUNTS = ("n_no_hit", "n_below_20", "n_20_to_30", "n_30_to_50", "n_above_50")
"""Columns for the counts of `bands.IDENTITY_BANDS`."""


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
    queries: Mapping[str, str],
    targets: Mapping[str, str],
    config: AuditConfig,
    clonotypes: pd.DataFrame | None,
) -> dict[str, Hit]:
    """Return the nearest target of each query that has a hit, see `audit_split`."""
    if config.method == "clonotype":
        assert clonotypes is not None
        return {hit.query_id: hit for hit in nearest_clonotypes(queries, targets, clonotypes)}
    hits: list[Hit] = []
    if config.method != "mmseqs":
        hits += find_hits(queries, targets, config.search)
    if config.method != "builtin":
        hits += mmseqs.search(queries, targets, config.search)

    def distance(hit: Hit) -> tuple[bool, float]:
        related = config.relatives.holds(hit)
        return not related, -hit.identity if related else hit.e_value

    nearest: dict[str, Hit] = {}
    for hit in sorted(hits, key=distance):
        nearest.setdefault(hit.query_id, hit)
    return nearest


def _row(
    split: str,
    against: str,
    queries: Mapping[str, str],
    searched: Mapping[str, str],
    nearest: Mapping[str, Hit],
    config: AuditConfig,
) -> dict[str, Any]:
    found = [nearest.get(name) for name in searched]
    identities = [hit.identity if hit else None for hit in found]
    n_related = sum(hit is not None and config.relatives.holds(hit) for hit in found)
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
        **config.relatives.model_dump(),
        "max_e_value": config.search.max_e_value,
        "method": _describe(config),
    }


def _describe(config: AuditConfig) -> str:
    if config.method in ("builtin", "clonotype"):
        return config.method
    program = mmseqs.describe("easy-search", config.search)
    return program if config.method == "mmseqs" else f"builtin and {program}"


def _judge(rows: list[dict[str, Any]], leaks: Mapping[str, Hit], config: AuditConfig) -> None:
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
    message = f"{_counted(row)} have a relative in train and are excluded. " + (
        "Only single linkage has no clonotype in two clusters."
        if row["method"] == "clonotype"
        else "Clusters that ask for a high coverage of both proteins miss fragments and shared domains."
    )
    n_unsearched = row["n_proteins"] - row["n_searched"]
    if n_unsearched:
        message += (
            f" About {round(row['share_with_relative'] * n_unsearched)} of the {n_unsearched} {row['split']} "
            "proteins that were not searched have one too and stay. To search all, set "
            "splitting.audit.n_sampled: null"
        )
    return message


def _leak_message(high: list[dict[str, Any]], leaks: Mapping[str, Hit], config: AuditConfig) -> str:
    criterion = config.relatives.describe()
    if config.method == "clonotype":
        criterion = f"the same genes and CDR3 length, and {config.min_cdr3_identity:.0%} identity of CDR3"
    shown = [f"{name} and {hit.target_id} ({hit.identity:.0%})" for name, hit in sorted(leaks.items())[:3]]
    return (
        f"{' and '.join(map(_counted, high))} have a relative in train, "
        f"{criterion}, such as {', '.join(shown)}; at most {config.max_leak_share:.0%} may "
        "(splitting.audit.max_leak_share). Cluster more sensitively, or set splitting.audit.on_leak: exclude"
    )
