"""Clusters of the proteins: given by the user, by MMseqs2, by the built-in search, or by rearrangement."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.tables import PROTEIN_COLUMNS, named_rows, split_fields
from protsae.core.text import first_lines
from protsae.sequences import clonotypes, mmseqs
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.sequences.table import ALIAS_SEPARATOR

Method = Literal["auto", "given", "mmseqs", "builtin"] | clonotypes.Method

CLUSTER_COLUMNS = ("cluster_id", "accession")
"""Columns of MMseqs2's file of clusters, which has no header."""
_CLUSTER_NAMES = ("cluster_id", "cluster", "representative")


class ClusterSearchConfig(SearchConfig):
    """Which pairs of proteins belong together, and how hard to look for them.

    Both proteins must be covered: otherwise one shared domain would connect families without end.
    """

    min_identity: float = Field(default=0.3, ge=0, le=1)
    """Least identity: identical columns over all columns of the local alignment, gaps included."""
    min_coverage: float = Field(default=0.7, ge=0, le=1)
    """Least part of both proteins that the alignment spans."""

    @property
    def thresholds(self) -> dict[str, float]:
        """What a pair must reach."""
        return {"min_identity": self.min_identity, "min_coverage": self.min_coverage}


class ClusterConfig(Config):
    """Where homology clusters come from."""

    method: Method = "auto"
    """`given` reads the file `raw_clusters`; `auto` takes the file if there is one, else MMseqs2 if that is
    there, else the built-in search. Of antibodies: `clonotype` (V gene, J gene and similar CDR3) or, harder,
    `v_subgroup` (the whole V subgroup), both by the table `raw_rearrangements`."""
    max_builtin: int = Field(default=20_000, ge=1)
    """Most proteins that the built-in search clusters: its time grows with their square."""
    search: ClusterSearchConfig = ClusterSearchConfig()
    """Which proteins belong together (not used for clusters that are given, or by rearrangement)."""
    min_cdr3_identity: float = Field(default=0.8, gt=0, le=1)
    """Least identity of two CDR3s of one length in a clonotype."""
    linkage: clonotypes.Linkage = "single"
    """`single`: no pair of a clonotype is in two clusters; `complete`: smaller clusters whose pairs are all
    alike, some of which the audit then excludes."""


def cluster_table(
    sequences: pd.DataFrame,
    given: Path | None,
    config: ClusterConfig,
    rearranged: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the cluster of every protein.

    A given cluster file may name ids that were merged into one protein because their sequences are the same.
    The clusters of such ids are united, under the smallest of their names. A protein that the file does not
    name is a cluster of its own, under its own id. Computed clusters are connected components of related
    proteins, named after the smallest id among them. No cluster depends on the order of the proteins. By
    rearrangement a protein whose genes or CDR3 are not known is a cluster of its own, and counted.

    Args:
        sequences: distinct sequences with `protein_id`, `sequence` and `aliases`.
        given: the cluster file, if there is one.
        config: method and thresholds.
        rearranged: `clonotypes.COLUMNS`, for the methods that need them.

    Returns:
        `protein_id`, `cluster_id`, sorted by `protein_id`, and a report: the method used with its version and
        arguments, and counts.

    Raises:
        InputError: if the method needs what is not there, the file is faulty or names none of the proteins,
            or there are too many proteins for the built-in search.
    """
    method = _choose(config.method, given)
    if method == "given":
        assert given is not None
        cluster_of, report = _from_file(sequences, given)
    elif method in clonotypes.REARRANGED:
        cluster_of, report = _by_rearrangement(sequences, rearranged, method, config)
    else:
        by_id = dict(zip(sequences["protein_id"].tolist(), sequences["sequence"].tolist(), strict=True))
        if method == "mmseqs":
            groups = mmseqs.cluster(by_id, config.search, **config.search.thresholds)
            cluster_of = {name: min(names) for names in groups for name in names}
            arguments = mmseqs.describe("easy-cluster", config.search, **config.search.thresholds)
            report = {"arguments": arguments}
        else:
            cluster_of = _connect(by_id, config)
            report = {"arguments": _describe_builtin(config.search)}
    ids = sorted(cluster_of)
    table = pd.DataFrame({"protein_id": ids, "cluster_id": [cluster_of[name] for name in ids]}, dtype="str")
    sizes = Counter(cluster_of.values())
    return table, {
        "method": method,
        **report,
        "n_clusters": len(sizes),
        "n_alone": sum(size == 1 for size in sizes.values()),
        "n_in_largest": max(sizes.values(), default=0),
    }


def read_clusters(path: Path) -> dict[str, str]:
    """Return the cluster of each accession from a table with the columns `accession` and `cluster_id`.

    MMseqs2's own file is read too: no header, representative, member; it begins with a representative twice.
    Plain or compressed; blank lines are skipped, a repeated row counts once.

    Raises:
        InputError: as `file:line: reason`, on what `named_rows` refuses, or two clusters of one accession.
    """
    clusters: dict[str, str] = {}
    first = split_fields(first_lines(path, 1, "clusters")[0])
    header = CLUSTER_COLUMNS if len(first) == 2 and first[0] == first[1] else None
    columns = {"accession": (*PROTEIN_COLUMNS, "member"), "cluster_id": _CLUSTER_NAMES}
    for number, row in named_rows(path, "clusters", columns, header=header):
        accession, cluster_id = row["accession"], row["cluster_id"]
        if clusters.setdefault(accession, cluster_id) != cluster_id:
            raise InputError(
                f"{path}:{number}: '{accession}' is in cluster '{cluster_id}', and in a line above in "
                f"'{clusters[accession]}'. Remove one of the rows"
            )
    return clusters


def components(names: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for each name the smallest name that it is connected to by pairs, directly or over others."""
    root = {name: name for name in names}

    def find(name: str) -> str:
        while root[name] != name:
            root[name] = root[root[name]]
            name = root[name]
        return name

    for pair in pairs:
        first, second = sorted(map(find, pair))
        root[second] = first
    return {name: find(name) for name in root}


def _choose(method: Method, given: Path | None) -> str:
    if method == "given" and given is None:
        raise InputError(
            "ingestion.clusters.method is 'given', but no cluster file is given. Set the `filepath` of "
            "raw_clusters in the catalog, or another method"
        )
    if method != "auto":
        return method
    if given is not None:
        return "given"
    return "mmseqs" if mmseqs.find_program() else "builtin"


def _from_file(sequences: pd.DataFrame, source: Path) -> tuple[dict[str, str], dict[str, Any]]:
    clusters = read_clusters(source)
    ids: list[list[str]] = [
        [name, *(aliases.split(ALIAS_SEPARATOR) if aliases else [])]
        for name, aliases in zip(sequences["protein_id"].tolist(), sequences["aliases"].tolist(), strict=True)
    ]
    named = [[clusters[name] for name in names if name in clusters] for names in ids]
    if not any(named):
        raise InputError(
            f"{source}: none of its {len(clusters)} accessions (such as {next(iter(clusters), None)!r}) "
            f"is among the {len(ids)} proteins (such as {ids[0][0]!r}). Do the two files belong together?"
        )
    used = {name for found in named for name in found}
    united = components(used, ((found[0], other) for found in named for other in found[1:]))
    known = {name for names in ids for name in names}
    return (
        {names[0]: united[found[0]] if found else names[0] for names, found in zip(ids, named, strict=True)},
        {
            "file": source.name,
            "n_without_cluster": sum(not found for found in named),
            "n_cluster_rows_unused": sum(accession not in known for accession in clusters),
            "n_clusters_united": len(used) - len(set(united.values())),
        },
    )


def _by_rearrangement(
    sequences: pd.DataFrame, rearranged: pd.DataFrame | None, method: str, config: ClusterConfig
) -> tuple[dict[str, str], dict[str, Any]]:
    if rearranged is None or rearranged.empty:
        raise InputError(
            f"ingestion.clusters.method is '{method}', but no rearrangements are given. Set the `filepath` "
            "of raw_rearrangements in the catalog, or another method"
        )
    if method == "v_subgroup":
        known = rearranged[rearranged["v_subgroup"] != ""]
        found = dict(zip(known["protein_id"], known["v_subgroup"], strict=True))
        report: dict[str, Any] = {}
    else:
        found = clonotypes.clonotype_clusters(rearranged, config.min_cdr3_identity, config.linkage)
        report = {"arguments": f"min_cdr3_identity={config.min_cdr3_identity} linkage={config.linkage}"}
    ids = sequences["protein_id"].tolist()
    return {name: found.get(name, name) for name in ids}, report | {
        "n_unknown": sum(name not in found for name in ids)
    }


def _connect(sequences: Mapping[str, str], config: ClusterConfig) -> dict[str, str]:
    if len(sequences) > config.max_builtin:
        raise InputError(
            f"{len(sequences)} proteins are more than the built-in search should cluster "
            f"(ingestion.clusters.max_builtin is {config.max_builtin}; twice the proteins take four times as "
            f"long). {mmseqs.HOW_TO_GET}, give a cluster file, or raise the limit"
        )
    hits = find_hits(sequences, sequences, config.search, **config.search.thresholds)
    return components(sequences, ((hit.query_id, hit.target_id) for hit in hits))


def _describe_builtin(search: ClusterSearchConfig) -> str:
    values = search.model_dump(exclude={"mmseqs_sensitivity"})
    return "builtin " + " ".join(f"{name}={value}" for name, value in values.items())
