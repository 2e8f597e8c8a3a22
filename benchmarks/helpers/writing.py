"""Writers of FASTA and OBO files, and parts of an ontology: what the readers of the package read back."""

from collections.abc import Iterable
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.files import atomic_path, write_text_atomic
from protsae.ontology.obo import LOGIC_COLUMNS, RELATION_COLUMNS, Ontology, split_ids
from protsae.ontology.obo_checks import some
from protsae.ontology.obo_clauses import ASPECT_OF_NAMESPACE
from protsae.sequences.fasta import FastaRecord

NAMESPACE_OF_ASPECT = {aspect: namespace for namespace, aspect in ASPECT_OF_NAMESPACE.items()}
LINE_WIDTH = 60
_WHOLE_CLAUSES = ("intersection_of", "union_of")


def write_fasta(path: Path, records: Iterable[FastaRecord]) -> None:
    """Write plain FASTA, atomically: UTF-8, LF, 60 residues a line. `read_fasta` gives the records back."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
        for record in records:
            handle.write(f">{record.protein_id} {record.description}".rstrip() + "\n")
            for begin in range(0, len(record.sequence), LINE_WIDTH):
                handle.write(record.sequence[begin : begin + LINE_WIDTH] + "\n")


def subset(ontology: Ontology, term_ids: Iterable[str]) -> Ontology:
    """Return the terms named, and what is stated between them alone.

    A definition or union stays whole or goes: a part of it would say something else.
    """
    kept = set(term_ids)
    missing = sorted(kept.difference(ontology.terms["term_id"]))
    if missing:
        raise InputError(f"the ontology has no term {some(missing)}")
    ends = ontology.relations["child_id"].isin(kept) & ontology.relations["parent_id"].isin(kept)
    inside = ontology.logic["term_id"].isin(kept) & ontology.logic["filler_id"].isin(kept)
    of_one = inside.groupby([ontology.logic["term_id"], ontology.logic["clause"]]).transform("all")
    whole = inside & (of_one.astype(bool) | ~ontology.logic["clause"].isin(_WHOLE_CLAUSES))
    return Ontology(
        terms=ontology.terms[ontology.terms["term_id"].isin(kept)].reset_index(drop=True),
        relations=ontology.relations[ends].reset_index(drop=True),
        data_version=ontology.data_version,
        logic=ontology.logic[whole].reset_index(drop=True),
    )


def write_obo(ontology: Ontology, path: str | Path) -> None:
    """Write OBO 1.2; equal ontologies give equal bytes, and `read_obo` gives them back.

    Clauses that the reader does not use are not in the ontology, and so not in the file.
    """
    lines = ["format-version: 1.2"]
    if ontology.data_version:
        lines.append(f"data-version: {ontology.data_version}")
    statements = _statements(ontology)
    for row in ontology.terms.sort_values("term_id").itertuples(index=False):
        lines += ["", "[Term]", f"id: {row.term_id}", f"name: {_escape(str(row.name))}"]
        lines.append(f"namespace: {NAMESPACE_OF_ASPECT.get(str(row.aspect), str(row.aspect))}")
        lines += [f"alt_id: {other}" for other in split_ids(str(row.alt_ids))]
        if row.definition:
            lines.append(f'def: "{_escape(str(row.definition))}" []')
        lines += statements.get(str(row.term_id), [])
        if row.is_obsolete:
            lines.append("is_obsolete: true")
        lines += [f"replaced_by: {other}" for other in split_ids(str(row.replaced_by))]
    kinds = set(ontology.relations["relation"]).union(ontology.logic["relation"]) - {"is_a", ""}
    for kind in sorted(kinds):
        lines += ["", "[Typedef]", f"id: {kind}", f"name: {kind.replace('_', ' ')}"]
    write_text_atomic(path, "\n".join(lines) + "\n")


def _statements(ontology: Ontology) -> dict[str, list[str]]:
    """Return the lines of relations and logical clauses per term, in a fixed order."""
    statements: dict[str, list[str]] = {}
    for row in ontology.relations.sort_values(list(RELATION_COLUMNS)).itertuples(index=False):
        prefix = "is_a:" if row.relation == "is_a" else f"relationship: {row.relation}"
        statements.setdefault(str(row.child_id), []).append(f"{prefix} {row.parent_id}")
    for row in ontology.logic.sort_values(list(LOGIC_COLUMNS)).itertuples(index=False):
        prefix = f"{row.clause}: {row.relation}".rstrip()
        statements.setdefault(str(row.term_id), []).append(f"{prefix} {row.filler_id}")
    return statements


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
