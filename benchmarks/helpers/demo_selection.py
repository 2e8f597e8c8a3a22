"""Choice of the demo's proteins: deterministic, stratified over concepts and homology-aware."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from protsae.core.files import sha256_text
from protsae.core.progress import track

# Well-known functions, places and processes, so that the demo has concepts that a biologist recognises beside
# the broad ones that come by themselves.
TARGET_CONCEPTS = (
    "GO:0006952",  # defense response
    "GO:0000049",  # tRNA binding
    "GO:0020037",  # heme binding
    "GO:0004930",  # G protein-coupled receptor activity
    "GO:0005216",  # ion channel activity
    "GO:0051539",  # 4 iron, 4 sulfur cluster binding
    "GO:0003700",  # DNA-binding transcription factor activity
    "GO:0004672",  # protein kinase activity
    "GO:0003735",  # structural constituent of ribosome
    "GO:0008233",  # peptidase activity
    "GO:0008270",  # zinc ion binding
    "GO:0016491",  # oxidoreductase activity
    "GO:0022857",  # transmembrane transporter activity
    "GO:0006281",  # DNA repair
    "GO:0006629",  # lipid metabolic process
    "GO:0005739",  # mitochondrion
    "GO:0009507",  # chloroplast
    "GO:0005783",  # endoplasmic reticulum
    "GO:0005576",  # extracellular region
    "GO:0005886",  # plasma membrane
    "GO:0005634",  # nucleus
)
TARGET_PER_SPLIT = {"train": 45, "validation": 14, "test": 14}
MIN_PROTEINS_PER_SPLIT = {"train": 540, "validation": 180, "test": 180}
PROTEINS_PER_CLUSTER = 2
SALT = "protsae-demo"


@dataclass(frozen=True)
class Candidate:
    """A protein that may enter the demo."""

    protein_id: str
    cluster_id: str
    split: str
    concepts: frozenset[str]
    """Propagated concepts, roots left out."""


def rank(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Order candidates by a salted hash of their ids: at random, but the same on every machine."""
    return sorted(candidates, key=lambda candidate: sha256_text(SALT, candidate.protein_id))


def thin_clusters(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Keep the first `PROTEINS_PER_CLUSTER` of every homology cluster."""
    seen: Counter[str] = Counter()
    kept = []
    for candidate in candidates:
        seen[candidate.cluster_id] += 1
        if seen[candidate.cluster_id] <= PROTEINS_PER_CLUSTER:
            kept.append(candidate)
    return kept


def choose(
    candidates: Iterable[Candidate], with_hit: Callable[[list[Candidate], list[Candidate]], set[str]]
) -> list[Candidate]:
    """Choose the demo's proteins.

    For each split in the order train, validation, test: take candidates in hash order until every target
    concept has its quota, then fill up in hash order; candidates of validation and test with a hit in an
    earlier split are passed over.

    Args:
        candidates: the pool, in any order.
        with_hit: given queries and targets, the ids of queries that a search finds a hit of among the
            targets.

    Returns:
        The chosen candidates, sorted by protein id.
    """
    pool = thin_clusters(rank(candidates))
    chosen: list[Candidate] = []
    for split in track(MIN_PROTEINS_PER_SPLIT, "demo splits"):
        available = [candidate for candidate in pool if candidate.split == split]
        # Split by split, as the audit searches: what a search finds depends a little on what it searches in.
        earlier = [[c for c in chosen if c.split == name] for name in sorted({c.split for c in chosen})]
        barred: set[str] = set()
        clear: set[str] = set()
        while True:
            picked = _pick([c for c in available if c.protein_id not in barred], split)
            unknown = [c for c in picked if earlier and c.protein_id not in clear]
            if not unknown:
                break
            found = set[str]().union(*(with_hit(unknown, targets) for targets in earlier))
            barred |= found
            clear |= {c.protein_id for c in unknown} - found
        chosen += picked
    return sorted(chosen, key=lambda candidate: candidate.protein_id)


def _pick(available: list[Candidate], split: str) -> list[Candidate]:
    picked: dict[str, Candidate] = {}
    counts: Counter[str] = Counter()

    def take(candidate: Candidate) -> None:
        picked[candidate.protein_id] = candidate
        counts.update(candidate.concepts)

    for concept in TARGET_CONCEPTS:
        for candidate in available:
            if counts[concept] >= TARGET_PER_SPLIT[split]:
                break
            if concept in candidate.concepts and candidate.protein_id not in picked:
                take(candidate)
    for candidate in available:
        if len(picked) >= MIN_PROTEINS_PER_SPLIT[split]:
            break
        if candidate.protein_id not in picked:
            take(candidate)
    return list(picked.values())


def concept_counts(chosen: Iterable[Candidate]) -> Mapping[str, Counter[str]]:
    """Count the positives of every concept per split."""
    counts: dict[str, Counter[str]] = {split: Counter() for split in MIN_PROTEINS_PER_SPLIT}
    for candidate in chosen:
        counts[candidate.split].update(candidate.concepts)
    return counts
