"""Cut the embedded demo data from the full files, byte for byte the same on every machine."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from helpers.demo_selection import Candidate, choose
from helpers.writing import subset, write_fasta, write_obo
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.ids import resolve_ids
from protsae.annotations.rows import read_annotations
from protsae.core.errors import InputError
from protsae.core.files import atomic_path, write_text_atomic
from protsae.core.letters import AMINO_ACIDS
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology, read_obo
from protsae.sequences import mmseqs
from protsae.sequences.clustering import read_clusters
from protsae.sequences.fasta import FastaConfig, FastaRecord, read_fasta
from protsae.sequences.homology import SearchConfig, find_hits
from protsae.sequences.split import SplitConfig, split_of_cluster

MIN_LENGTH, MAX_LENGTH = 50, 512
STANDARD_RESIDUES = frozenset(AMINO_ACIDS)
ASPECTS = frozenset(("BPO", "CCO", "MFO"))


@dataclass(frozen=True)
class Sources:
    """The full files that the demo is cut from."""

    fasta: Path
    annotations: Path
    clusters: Path
    ontology: Path
    plm: Path


def make_demo(sources: Sources, folder: Path) -> list[Candidate]:
    """Write proteins, annotations, clusters, the ontology's slice and the PLM to `folder`.

    Eligible are proteins of 50 to 512 standard residues with an annotation in each of the three aspects, so
    that an absent label is a negative everywhere; of these `demo_selection.choose` takes some 900. No protein
    of validation or test has a hit in an earlier split, by the built-in search or by MMseqs2.

    Returns:
        The chosen proteins, sorted by id.
    """
    sequences = {r.protein_id: r.sequence for r in read_fasta(sources.fasta, FastaConfig())}
    annotations = read_annotations(sources.annotations, AnnotationsConfig())
    clusters = read_clusters(sources.clusters)
    ontology = read_obo(sources.ontology)
    resolved = resolve_ids(annotations["term_id"], ontology).set_index("term_id")["resolved_id"]

    def with_hit(queries: list[Candidate], targets: list[Candidate]) -> set[str]:
        chosen = [{c.protein_id: sequences[c.protein_id] for c in of} for of in (queries, targets)]
        return {hit.query_id for find in (find_hits, mmseqs.search) for hit in find(*chosen, SearchConfig())}

    eligible = {
        i
        for i, s in sequences.items()
        if MIN_LENGTH <= len(s) <= MAX_LENGTH and STANDARD_RESIDUES.issuperset(s)
    }
    chosen = choose(_candidates(eligible, annotations, resolved, ontology, clusters), with_hit)
    ids = [candidate.protein_id for candidate in chosen]
    rows = annotations[annotations["accession"].isin(ids)]
    named = (set(rows["term_id"].map(resolved)) | set(rows["term_id"])) & set(ontology.terms["term_id"])
    write_fasta(folder / "proteins.fasta", (FastaRecord(f"sp|{i}", "", sequences[i]) for i in ids))
    table = rows[["accession", "term_id"]].rename(columns={"term_id": "go_id"})
    _write_table(folder / "annotations.tsv", table)
    _write_table(
        folder / "clusters.tsv", pd.DataFrame({"accession": ids, "cluster_id": [clusters[i] for i in ids]})
    )
    write_obo(_with_ancestors(ontology, named), folder / "go_slice.obo")
    with atomic_path(folder / "esm2_mini.safetensors") as temporary:
        shutil.copyfile(sources.plm, temporary)
    return chosen


def _candidates(
    eligible: set[str],
    annotations: pd.DataFrame,
    resolved: pd.Series,
    ontology: Ontology,
    clusters: dict[str, str],
) -> list[Candidate]:
    rows = annotations[annotations["accession"].isin(eligible)]
    rows = rows.assign(term=rows["term_id"].map(resolved))
    closure = ancestor_closure(ontology, "cafa")
    roots = set(closure.term_ids[closure.is_root()])
    rows = rows[~rows["term"].isin(roots | {""})]
    direct_terms = rows["term"].unique()
    ancestors = closure.ancestors[closure.index(direct_terms)]
    above = {
        term: set(closure.term_ids[ancestors.indices[begin:end]]) - roots
        for term, begin, end in zip(direct_terms, ancestors.indptr, ancestors.indptr[1:], strict=False)
    }
    aspect = dict(zip(ontology.terms["term_id"], ontology.terms["aspect"], strict=True))
    terms: dict[str, set[str]] = {}
    for protein_id, term in zip(rows["accession"], rows["term"], strict=True):
        terms.setdefault(protein_id, set()).add(term)
    split = SplitConfig()
    candidates = [
        Candidate(
            protein_id=protein_id,
            cluster_id=clusters[protein_id],
            split=split_of_cluster(clusters[protein_id], split.salt, split.fractions),
            concepts=frozenset[str]().union(*(above[term] for term in direct)),
        )
        for protein_id, direct in terms.items()
        if {aspect[term] for term in direct} >= ASPECTS
    ]
    if not candidates:
        raise InputError("no protein qualifies for the demo: are these the full Swiss-Prot and GO files?")
    return candidates


def _with_ancestors(ontology: Ontology, named: set[str]) -> Ontology:
    """Return the named terms and everything above them over every relation."""
    parents = ontology.relations.groupby("child_id")["parent_id"].agg(list).to_dict()
    kept: set[str] = set()
    waiting = sorted(named)
    while waiting:
        term = waiting.pop()
        if term not in kept:
            kept.add(term)
            waiting += parents.get(term, [])
    return subset(ontology, kept)


def _write_table(path: Path, table: pd.DataFrame) -> None:
    write_text_atomic(path, table.to_csv(sep="\t", index=False, lineterminator="\n"))
