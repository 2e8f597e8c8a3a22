"""How much a cluster file leaks, and how much of it the built-in search sees.

    python benchmarks/homology_audit.py [--mmseqs] [--output docs/results/homology_audit.json]

1. `split`: deals all proteins of Swiss-Prot 2014 to train, validation and test by the clusters as given, and
   by the clusters that are too insensitive on purpose; draws test proteins at random and searches them among
   all of train.
2. `planted`: relatives of real proteins with a known share of identical residues, among real proteins.
3. `shuffled`: real proteins in random residue order among real proteins: whatever is found is false.

With `--mmseqs` the same searches are done by the program MMseqs2 (`easy-search -s 6`), as an outside check.
The last line printed is one JSON object.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from protsae.core.files import write_text_atomic
from protsae.core.seeding import numpy_generator
from protsae.sequences.fasta import FastaRecord, write_fasta
from protsae.sequences.homology import LAMBDA, HomologySearchConfig, find_relatives
from protsae.sequences.seeds import RESIDUES, substitution_scores
from protsae.sequences.split import SplitConfig, read_clusters, split_table
from protsae.sequences.table import SequencesConfig, sequence_table

Pairs = set[tuple[str, str]]
CLUSTER_FILES = {"as given": "clusters.tsv.gz", "linclust": "clusters_linclust.tsv.gz"}
RESIDUES_PER_INDEL = 50


def search_builtin(
    queries: Mapping[str, str], targets: Mapping[str, str], config: HomologySearchConfig
) -> Pairs:
    """Search by the project's own method."""
    return {(pair.query_id, pair.target_id) for pair in find_relatives(queries, targets, config)}


def search_mmseqs(
    queries: Mapping[str, str], targets: Mapping[str, str], config: HomologySearchConfig
) -> Pairs:
    """Search by MMseqs2 with the same thresholds."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, sequences in (("queries", queries), ("targets", targets)):
            write_fasta(root / name, (FastaRecord(key, "", value) for key, value in sequences.items()))
        options = ["-s", "6", "--min-seq-id", str(config.min_identity), "-c", str(config.min_coverage)]
        options += [
            "-e",
            str(config.max_e_value),
            "--threads",
            "1",
            "-v",
            "1",
            "--format-output",
            "query,target",
        ]
        command = [
            "mmseqs",
            "easy-search",
            *map(str, (root / "queries", root / "targets", root / "found", root / "tmp")),
        ]
        subprocess.run([*command, *options], check=True)
        rows = (line.split("\t") for line in (root / "found").read_text().splitlines())
        return {(query, target) for query, target in rows}


def audit_clusters(
    proteins: Any, clusters: Path, n_queries: int, seed: int, searches: Mapping[str, Any]
) -> dict[str, Any]:
    """Search a random sample of the test proteins among all training proteins."""
    table, report = split_table(proteins, read_clusters(clusters), SplitConfig(), clusters)
    sequence_of = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    by_split = table.groupby("split")["protein_id"].apply(list)
    drawn = numpy_generator(seed, "test sample").choice(by_split["test"], n_queries, replace=False)
    queries = {name: sequence_of[name] for name in sorted(drawn)}
    train = {name: sequence_of[name] for name in by_split["train"]}
    result: dict[str, Any] = {
        "n_clusters": report["n_clusters"],
        "n_train": len(train),
        "n_queries": n_queries,
    }
    leaking = {}
    for method, search in searches.items():
        started = time.perf_counter()
        leaking[method] = {query for query, _ in search(queries, train, HomologySearchConfig())}
        result[method] = {
            "share_with_relative": len(leaking[method]) / n_queries,
            "seconds": round(time.perf_counter() - started, 1),
        }
    if len(leaking) == 2:
        result["share_found_by_both"] = len(set.intersection(*leaking.values())) / n_queries
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
                child += rng.choice(list(RESIDUES), size).tolist()
        if skip:
            skip -= 1
        elif position in changed and residue in RESIDUES:
            child.append(RESIDUES[rng.choice(20, p=weights[RESIDUES.index(residue)])])
        else:
            child.append(residue)
    return "".join(child)


def sensitivity(
    sequences: Mapping[str, str], n_families: int, n_strangers: int, seed: int, searches: Mapping[str, Any]
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
        result[f"found_at_{identity:.0%}"] = {
            method: len(search(parents, {**strangers, **planted}, config) & wanted) / n_families
            for method, search in searches.items()
        }
    shuffled = {
        f"{name}_shuffled": "".join(rng.permutation(list(parent))) for name, parent in parents.items()
    }
    for label, config in (
        ("", HomologySearchConfig()),
        ("_without_e_value", HomologySearchConfig(max_e_value=1e9)),
    ):
        result[f"false_pairs{label}"] = {
            method: len(search(shuffled, strangers, config)) for method, search in searches.items()
        }
    return result


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data/swissprot_go"))
    parser.add_argument("--queries", type=int, default=100, help="test proteins searched per cluster file")
    parser.add_argument("--families", type=int, default=100)
    parser.add_argument("--strangers", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--mmseqs", action="store_true", help="also search with the program mmseqs")
    parser.add_argument("--output", type=Path, help="write the JSON object here")
    arguments = parser.parse_args()
    searches: dict[str, Any] = {"builtin": search_builtin}
    if arguments.mmseqs:
        searches["mmseqs"] = search_mmseqs
    proteins, _ = sequence_table(arguments.data / "proteins.fasta.gz", SequencesConfig())
    sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    result: dict[str, Any] = {"seed": arguments.seed}
    result["planted"] = sensitivity(
        sequences, arguments.families, arguments.strangers, arguments.seed, searches
    )
    print(json.dumps(result["planted"], indent=1), flush=True)
    for name, file in CLUSTER_FILES.items():
        result[f"split, clusters {name}"] = audit_clusters(
            proteins, arguments.data / file, arguments.queries, arguments.seed, searches
        )
        print(name, json.dumps(result[f"split, clusters {name}"], indent=1), flush=True)
    if arguments.output:
        write_text_atomic(arguments.output, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
