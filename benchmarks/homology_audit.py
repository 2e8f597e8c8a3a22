"""How much a split by a cluster file leaks, and how much of it each search finds.

    python benchmarks/homology_audit.py [--output docs/results/homology_audit.json]

1. `planted`: relatives of real proteins among real proteins: changed copies of the whole protein, of a part
   of it (a fragment), or of a domain inside another protein. Counted is how often the audit's criterion
   excludes the protein, and for whole copies how often one cluster has both.
2. `shuffled`: real proteins in random residue order among real proteins: every hit is false.
3. `split`: all proteins of Swiss-Prot 2014 are dealt to train, validation and test by the clusters as given,
   and by insensitive clusters as a negative control; test proteins, drawn as the audit draws them, are
   searched among all of train.

Everything is done by the built-in search and by MMseqs2 (`pip install -e '.[homology]'`), with the criterion
of `splitting.audit.relatives`. The last line printed is one JSON object.
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
from protsae.sequences.audit import RelativeConfig, draw, wilson_interval
from protsae.sequences.clustering import ClusterConfig, cluster_table
from protsae.sequences.homology import LAMBDA, Hit, SearchConfig, find_hits
from protsae.sequences.seeds import substitution_scores
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

Sequences = Mapping[str, str]
Search = Callable[[Sequences, Sequences, SearchConfig], list[Hit]]
SEARCHES: dict[str, Search] = {"builtin": find_hits, "mmseqs": mmseqs.search}
CLUSTER_FILES = {"as given": "clusters.tsv.gz", "linclust": "clusters_linclust.tsv.gz"}
RESIDUES_PER_INDEL = 50
KINDS = {
    "full-length": "a changed copy of the whole training protein",
    "fragment": "a changed copy of 60 to 200 residues of the training protein",
    "shared domain": "a changed copy of 90 to 200 residues of the training protein, inside another protein",
}
IDENTITIES = (0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 0.9)
"""Share of the parent's residues that stay; with indels the identity over all columns is a little lower."""
CLUSTERED = (0.25, 0.4, 0.9)


def with_relative(method: str, queries: Sequences, targets: Sequences) -> set[str]:
    """Return the queries that have a relative among the targets, by the criterion of the audit."""
    criterion = RelativeConfig()
    found = SEARCHES[method](queries, targets, SearchConfig())
    return {hit.query_id for hit in found if criterion.holds(hit)}


def clustered(method: Any, sequences: Sequences) -> dict[str, str]:
    """Return the cluster of each protein by one method."""
    table = pd.DataFrame({"protein_id": list(sequences), "sequence": list(sequences.values()), "aliases": ""})
    clusters, _ = cluster_table(table, None, ClusterConfig(method=method))
    return dict(zip(clusters["protein_id"], clusters["cluster_id"], strict=True))


def audit_clusters(proteins: pd.DataFrame, clusters: Path, n_queries: int) -> dict[str, Any]:
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
    leaking = {}
    for method in SEARCHES:
        started = time.perf_counter()
        leaking[method] = with_relative(method, queries, by_split["train"])
        low, high = wilson_interval(len(leaking[method]), len(queries))
        result[method] = {
            "share_with_relative": len(leaking[method]) / len(queries),
            "share_low": round(low, 4),
            "share_high": round(high, 4),
            "seconds": round(time.perf_counter() - started, 1),
        }
    result["share_found_by_both"] = len(set.intersection(*leaking.values())) / len(queries)
    result["share_found_by_any"] = len(set.union(*leaking.values())) / len(queries)
    return result


def mutate(rng: np.random.Generator, parent: str, identity: float) -> tuple[str, float]:
    """Return a relative, and its identity over all columns of the true alignment, gaps included.

    A share `identity` of the residues is kept, the others are replaced, and there are some indels.

    Replacements follow BLOSUM62, P(b | a) proportional to exp(lambda s(a, b)) for b other than a; every 50
    residues on average 1 to 3 residues are deleted or inserted.
    """
    weights = np.exp(LAMBDA * substitution_scores()[:20, :20])
    np.fill_diagonal(weights, 0)
    weights /= weights.sum(axis=1, keepdims=True)
    changed = set(rng.permutation(len(parent))[: round(len(parent) * (1 - identity))].tolist())
    child: list[str] = []
    skip = n_inserted = n_identical = 0
    for position, residue in enumerate(parent):
        if rng.random() < 1 / RESIDUES_PER_INDEL:
            size = int(rng.integers(1, 4))
            if rng.random() < 0.5:
                skip = size
            else:
                child += rng.choice(list(AMINO_ACIDS), size).tolist()
                n_inserted += size
        if skip:
            skip -= 1
        elif position in changed and residue in AMINO_ACIDS:
            child.append(AMINO_ACIDS[rng.choice(20, p=weights[AMINO_ACIDS.index(residue)])])
        else:
            child.append(residue)
            n_identical += 1
    return "".join(child), n_identical / (len(parent) + n_inserted)


def plant(
    rng: np.random.Generator, kind: str, parent: str, stranger: str, identity: float
) -> tuple[str, float]:
    """Return a held-out protein that is related to a training protein, see `KINDS`, and the identity of the
    part that they share.

    Args:
        rng: source of the draws.
        kind: one of `KINDS`.
        parent: the training protein.
        stranger: a protein that has nothing to do with it; the domain goes into its middle.
        identity: share of identical residues in the part that both have.
    """
    if kind == "full-length":
        return mutate(rng, parent, identity)
    size = min(len(parent), int(rng.integers(60 if kind == "fragment" else 90, 201)))
    start = int(rng.integers(0, len(parent) - size + 1))
    part, true = mutate(rng, parent[start : start + size], identity)
    middle = len(stranger) // 2 if kind == "shared domain" else 0
    return (stranger[:middle] + part + stranger[middle:] if middle else part), true


def planted(sequences: Sequences, n_families: int, n_strangers: int, seed: int) -> dict[str, Any]:
    """Plant one relative per family, of each kind at each identity, and count those that are excluded.

    Training proteins are the parents, among strangers; others lend the frame of shared domains.
    """
    rng = numpy_generator(seed, "families")
    drawn = rng.choice(sorted(sequences), 2 * n_families + n_strangers, replace=False).tolist()
    parents = {name: sequences[name] for name in drawn[:n_families]}
    frames = [sequences[name] for name in drawn[n_families : 2 * n_families]]
    train = {name: sequences[name] for name in drawn[2 * n_families :]} | parents
    rows, single = [], []
    for kind in KINDS:
        for identity in IDENTITIES:
            planted = {
                f"{name}_relative": plant(rng, kind, parent, frame, identity)
                for (name, parent), frame in zip(parents.items(), frames, strict=True)
            }
            children = {name: sequence for name, (sequence, _) in planted.items()}
            found = {method: with_relative(method, children, train) for method in SEARCHES}
            found["either"] = set.union(*found.values())
            for name, (_, true) in planted.items():
                hits = {f"{method} search": name in names for method, names in found.items()}
                single.append({"kind": kind, "identity": true, **hits})
            row: dict[str, Any] = {"kind": kind, "identity": identity, "n": n_families}
            row |= {f"{method} search": len(names) / n_families for method, names in found.items()}
            if kind == "full-length" and identity in CLUSTERED:
                for method in SEARCHES:
                    cluster_of = clustered(method, train | children)
                    together = sum(cluster_of[name] == cluster_of[f"{name}_relative"] for name in parents)
                    row[f"{method} clusters"] = together / n_families
            rows.append(row)
            print(row, flush=True)
    table, each = pd.DataFrame(rows), pd.DataFrame(single)
    above = each[each["identity"] >= RelativeConfig().min_identity]
    columns = [name for name in each if name.endswith(" search")]
    shuffled = {f"{name}_shuffled": "".join(rng.permutation(list(text))) for name, text in parents.items()}
    return {
        "n_families": n_families,
        "n_strangers": n_strangers,
        "excluded_at_30%_or_more": {
            kind: {"n": len(of), **of[columns].mean().round(4).to_dict()}
            for kind, of in [("all", above), *above.groupby("kind")]
        },
        "table": [row.dropna().to_dict() for _, row in table.round(4).iterrows()],
        "shuffled_with_a_hit": {
            method: len({hit.query_id for hit in search(shuffled, train, SearchConfig())})
            for method, search in SEARCHES.items()
        },
    }


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
    parser.add_argument("--output", type=Path, help="write the JSON object here")
    arguments = parser.parse_args()
    proteins, _ = sequence_table(arguments.data / "proteins.fasta.gz", SequenceTableConfig())
    sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    result: dict[str, Any] = {**provenance(), "seed": arguments.seed}
    result["criterion"] = f"E-value at most {SearchConfig().max_e_value:g}; {RelativeConfig().describe()}"
    result["mmseqs"] = mmseqs.describe("easy-search", SearchConfig())
    result["planted"] = planted(sequences, arguments.families, arguments.strangers, arguments.seed)
    for name, file in CLUSTER_FILES.items():
        result[f"split, clusters {name}"] = audit_clusters(proteins, arguments.data / file, arguments.queries)
        print(name, json.dumps(result[f"split, clusters {name}"], indent=1), flush=True)
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
