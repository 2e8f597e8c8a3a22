"""How do the ways to cluster antibodies split a table of rearrangements? Sizes, and what the audit finds.

    python benchmarks/clonotypes.py ../shared/data/antibody/rearrangements.tsv.gz

Writes docs/results/clonotypes.csv, a row per way and locus: proteins, clusters, the largest of them and its
share; of the held-out proteins (validation and test, salt `protsae`) the share that the audit excludes and
the share without any training protein of the same V gene, J gene and CDR3 length; and of 300 test proteins
the median identity, over the whole domain, of the most identical training protein by the built-in search.
In the way `alone` every protein is a cluster.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.provenance import ROOT
from protsae.core.files import write_text_atomic
from protsae.core.splits import EXCLUDED
from protsae.sequences.audit import AuditConfig, audit_split, draw
from protsae.sequences.clonotypes import read_clonotypes
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

TABLE = ROOT / "docs/results/clonotypes.csv"
N_SEARCHED = 300
WAYS = (("alone", ""), ("clonotype", "single"), ("clonotype", "complete"), ("v_subgroup", ""))


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield a row for each way and locus."""
    sequences, _ = sequence_table(path, SequenceTableConfig())
    clonotypes = read_clonotypes(path, sequences)
    locus = clonotypes.set_index("protein_id")["v_subgroup"].str[:3]
    nothing_known = pd.DataFrame(columns=["protein_id", "concept_id"], dtype="str")
    for method, linkage in WAYS:
        clusters = sequences[["protein_id"]].assign(cluster_id=sequences["protein_id"])
        if method != "alone":
            config = ClusterConfig.model_validate({"method": method, "linkage": linkage or "single"})
            clusters, _ = cluster_table(sequences, None, config, clonotypes)
        assignment, _ = split_table(clusters, nothing_known, SplitConfig())
        proteins, _ = audit_split(sequences, assignment, AuditConfig(method="clonotype"), clonotypes)
        nearest = identities(sequences, assignment)
        proteins["locus"] = proteins["protein_id"].map(locus)
        for name, own in [("all", proteins), *proteins.groupby("locus")]:
            sizes = own["cluster_id"].value_counts()
            searched = own[own["is_audited"]]
            yield {
                "method": method,
                "linkage": linkage,
                "locus": name,
                "n_proteins": len(own),
                "n_clusters": len(sizes),
                "n_in_largest": int(sizes.iloc[0]),
                "share_in_largest": sizes.iloc[0] / len(own),
                "share_excluded": (searched["split"] == EXCLUDED).mean(),
                "share_without_hit": (searched["nearest_train_id"] == "").mean(),
                "n_searched": int(nearest.index.isin(own["protein_id"]).sum()),
                "identity_of_nearest": nearest[nearest.index.isin(own["protein_id"])].median(),
            }


def identities(sequences: pd.DataFrame, assignment: pd.DataFrame) -> pd.Series:
    """Return the identity of the nearest training protein of test proteins, drawn by hash; 0: no hit."""
    sequence_of = sequences.set_index("protein_id")["sequence"]
    of_split = assignment.groupby("split")["protein_id"].agg(
        lambda ids: {name: sequence_of[name] for name in ids}
    )
    queries = draw(of_split["test"], N_SEARCHED)
    found = pd.Series(0.0, index=list(queries))
    for hit in find_hits(queries, of_split["train"], SearchConfig()):
        found[hit.query_id] = max(found[hit.query_id], hit.identity)
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rearrangements", type=Path)
    parser.add_argument("--output", type=Path, default=TABLE)
    given = parser.parse_args()
    table = pd.DataFrame(rows(given.rearrangements))
    write_text_atomic(given.output, table.to_csv(index=False, float_format="%.4g"))
    print(table.to_string())


if __name__ == "__main__":
    main()
