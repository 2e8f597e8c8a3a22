"""How much a split by a cluster file leaks, and how much of it the built-in search finds.

    python benchmarks/homology_audit.py [--mmseqs] [--output docs/results/homology_audit.json]

1. `split`: assigns all proteins of Swiss-Prot 2014 to train, validation and test by the clusters as given,
   and by insensitive clusters as a negative control; draws test proteins as the audit does and searches
   them among all of train.
2. `planted`: relatives of real proteins with a known share of identical residues, among real proteins; a
   search finds the pair, or one cluster has both.
3. `shuffled`: real proteins in random residue order among real proteins: every hit is false.

With `--mmseqs` the same is done by MMseqs2 (`-s 7.5`), which must be installed.
The last line printed is one JSON object.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from helpers.provenance import provenance, write_json
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.sequences import mmseqs
from protsae.sequences.audit import draw, wilson_interval
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.homology import LAMBDA, HomologySearchConfig, Relative, find_relatives
from protsae.sequences.seeds import substitution_scores
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

Pairs = set[tuple[str, str]]
Search = Callable[[Mapping[str, str], Mapping[str, str], HomologySearchConfig], list[Relative]]
SEARCHES: dict[str, Search] = {"builtin": find_relatives, "mmseqs": mmseqs.search}
CLUSTER_FILES = {"as given": "clusters.tsv.gz", "linclust": "clusters_linclust.tsv.gz"}
RESIDUES_PER_INDEL = 50


def related(
    method: str, queries: Mapping[str, str], targets: Mapping[str, str], config: HomologySearchConfig
) -> Pairs:
    """Search by one method."""
    return {(pair.query_id, pair.target_id) for pair in SEARCHES[method](queries, targets, config)}


def clustered(method: Any, sequences: Mapping[str, str], config: HomologySearchConfig) -> dict[str, str]:
    """Return the cluster of each protein by one method."""
    table = pd.DataFrame({"protein_id": list(sequences), "sequence": list(sequences.values()), "aliases": ""})
    clusters, _ = cluster_table(table, None, ClusterConfig(method=method, search=config))
    return dict(zip(clusters["protein_id"], clusters["cluster_id"], strict=True))


def audit_clusters(
    proteins: pd.DataFrame, clusters: Path, n_queries: int, methods: list[str]
) -> dict[str, Any]:
    """Search a sample of the test proteins, drawn as the audit draws, among all training proteins."""
    protein_clusters, report = cluster_table(proteins, clusters, ClusterConfig())
    nothing_known = pd.DataFrame({"protein_id": [], "concept_id": []}, dtype="str")
    table, _ = split_table(protein_clusters, nothing_known, SplitConfig())
    sequence_of = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    by_split = {
        split: {name: sequence_of[name] for name in rows}
        for split, rows in table.groupby("split")["protein_id"]
    }
    queries = draw(by_split["test"], n_queries)
    result: dict[str, Any] = {
        "n_clusters": report["n_clusters"],
        "n_train": len(by_split["train"]),
        "n_queries": len(queries),
    }
    config = HomologySearchConfig()
    leaking = {}
    for method in methods:
        started = time.perf_counter()
        leaking[method] = {query for query, _ in related(method, queries, by_split["train"], config)}
        low, high = wilson_interval(len(leaking[method]), len(queries))
        result[method] = {
            "share_with_relative": len(leaking[method]) / len(queries),
            "share_low": round(low, 4),
            "share_high": round(high, 4),
            "seconds": round(time.perf_counter() - started, 1),
        }
    if len(leaking) > 1:
        result["share_found_by_both"] = len(set.intersection(*leaking.values())) / len(queries)
    return result


def mutate(rng: np.random.Generator, parent: str, identity: float) -> str:
    """Return a relative: a share `identity` of the residues kept, the others replaced, and some indels.

    Replacements follow BLOSUM62, P(b | a) proportional to exp(lambda s(a, b)) for b other than a; every 50
    residues on average 1 to 3 residues are deleted or inserted.
    """
    weights = np.exp(LAMBDA * substitution_scores()[:20, :20])
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    changed = set(rng.permutation(len(parent))[: round(len(parent) * (1 - identity))].tolist())
    child: list[str] = []
    skip = 0
    for position, residue in enumerate(parent):
        if rng.random() < 1 / RESIDUES_PER_INDEL:
            size = int(rng.integers(1, 4))
            if rng.random() < 0.5:
                skip = size
            else:
                child += rng.choice(list(AMINO_ACIDS), size).tolist()
        if skip:
            skip -= 1
        elif position in changed and residue in AMINO_ACIDS:
            child.append(AMINO_ACIDS[rng.choice(20, p=weights[AMINO_ACIDS.index(residue)])])
        else:
            child.append(residue)
    return "".join(child)


def sensitivity(
    sequences: Mapping[str, str], n_families: int, n_strangers: int, seed: int, methods: list[str]
) -> dict[str, Any]:
    """Plant one relative per family at each identity among strangers; count what is found."""
    rng = numpy_generator(seed, "families")
    drawn = rng.choice(sorted(sequences), n_families + n_strangers, replace=False).tolist()
    parents = {name: sequences[name] for name in drawn[:n_families]}
    strangers = {name: sequences[name] for name in drawn[n_families:]}
    result: dict[str, Any] = {"n_families": n_families, "n_strangers": n_strangers}
    for identity in (0.25, 0.4, 0.9):
        planted = {f"{name}_relative": mutate(rng, parent, identity) for name, parent in parents.items()}
        config = HomologySearchConfig(min_identity=identity - 0.1)
        wanted = {(name, f"{name}_relative") for name in parents}
        found = {
            f"{method} search": len(related(method, parents, {**strangers, **planted}, config) & wanted)
            for method in methods
        }
        for method in methods:
            cluster_of = clustered(method, {**strangers, **parents, **planted}, config)
            found[f"{method} clusters"] = sum(cluster_of[one] == cluster_of[other] for one, other in wanted)
        result[f"found_at_{identity:.0%}"] = {name: n / n_families for name, n in found.items()}
    shuffled = {
        f"{name}_shuffled": "".join(rng.permutation(list(parent))) for name, parent in parents.items()
    }
    for label, config in (
        ("", HomologySearchConfig()),
        ("_without_e_value", HomologySearchConfig(max_e_value=1e9)),
    ):
        result[f"false_pairs{label}"] = {
            method: len(related(method, shuffled, strangers, config)) for method in methods
        }
    return result


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/swissprot_go"))
    parser.add_argument("--queries", type=int, default=500, help="test proteins searched per cluster file")
    parser.add_argument("--families", type=int, default=100)
    parser.add_argument("--strangers", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mmseqs", action="store_true", help="also search with the program mmseqs")
    parser.add_argument("--output", type=Path, help="write the JSON object here")
    arguments = parser.parse_args()
    methods = ["builtin", "mmseqs"] if arguments.mmseqs else ["builtin"]
    proteins, _ = sequence_table(arguments.data / "proteins.fasta.gz", SequenceTableConfig())
    sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    result: dict[str, Any] = {**provenance(), "seed": arguments.seed}
    if arguments.mmseqs:
        result["mmseqs"] = mmseqs.describe("easy-search", HomologySearchConfig())
    result["planted"] = sensitivity(
        sequences, arguments.families, arguments.strangers, arguments.seed, methods
    )
    print(json.dumps(result["planted"], indent=1), flush=True)
    for name, file in CLUSTER_FILES.items():
        result[f"split, clusters {name}"] = audit_clusters(
            proteins, arguments.data / file, arguments.queries, methods
        )
        print(name, json.dumps(result[f"split, clusters {name}"], indent=1), flush=True)
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
