"""OBO 1.2 and 1.4 files, read strictly and written deterministically.

A parser of our own, because users need the line of what is wrong; `obonet` is its oracle in the tests. Of a
term it reads identity, names, alternative and replacing ids, `is_a`, `relationship` and the logical clauses
`intersection_of`, `union_of`, `equivalent_to`, `disjoint_from`; every other clause (`synonym`, `xref`, ...)
is counted in `Ontology.unused_clauses`.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import InputError
from protsae.core.files import write_text_atomic
from protsae.ontology.obo_checks import Statements, some
from protsae.ontology.obo_clauses import (
    ASPECT_OF_NAMESPACE,
    ID_SEPARATOR,
    count_unused,
    metadata_relation,
    read_term,
    stanzas,
)

NAMESPACE_OF_ASPECT = {aspect: namespace for namespace, aspect in ASPECT_OF_NAMESPACE.items()}
TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "is_obsolete", "alt_ids", "replaced_by")
RELATION_COLUMNS = ("child_id", "relation", "parent_id")
LOGIC_COLUMNS = ("term_id", "clause", "relation", "filler_id")
_WHOLE_CLAUSES = ("intersection_of", "union_of")


def _no_logic() -> pd.DataFrame:
    return pd.DataFrame(columns=list(LOGIC_COLUMNS), dtype="str")


@dataclass(frozen=True)
class Ontology:
    """Terms and the relations between them.

    Attributes:
        terms: `term_id`, `name`, `aspect` (BPO, MFO, CCO; the text of the namespace for other ontologies),
            `definition`, `is_obsolete`, `alt_ids`, `replaced_by` (ids joined by `;`). Sorted by `term_id`.
        relations: `child_id`, `relation`, `parent_id`, one row per distinct statement, sorted.
        data_version: the file's `data-version`, empty where it has none.
        unused_clauses: number of clauses per tag that this reader has no use for; those of other stanzas than
            terms as `Typedef/is_transitive`, and relationships that the file declares to be metadata as
            `relationship/never_in_taxon`.
        logic: `term_id`, `clause`, `relation`, `filler_id`, sorted. The rows `intersection_of` of a term are
            together its definition, each a class (`relation` empty) or "some relation to a class"; the rows
            `union_of` likewise, of classes only. `equivalent_to` and `disjoint_from` stand for themselves.
    """

    terms: pd.DataFrame
    relations: pd.DataFrame
    data_version: str = ""
    unused_clauses: dict[str, int] = field(default_factory=dict)
    logic: pd.DataFrame = field(default_factory=_no_logic)

    @classmethod
    def empty(cls) -> "Ontology":
        """Return an ontology without terms: for vocabularies that are made of other sources alone."""
        texts = {column: pd.Series(dtype="str") for column in TERM_COLUMNS}
        terms = pd.DataFrame({**texts, "is_obsolete": pd.Series(dtype="bool")})
        return cls(terms=terms, relations=pd.DataFrame(columns=list(RELATION_COLUMNS), dtype="str"))

    def subset(self, term_ids: Iterable[str]) -> "Ontology":
        """Return the terms named, and what is stated between them alone.

        A definition or union stays whole or goes: a part of it would say something else.
        """
        kept = set(term_ids)
        missing = sorted(kept.difference(self.terms["term_id"]))
        if missing:
            raise InputError(f"the ontology has no term {some(missing)}")
        ends = self.relations["child_id"].isin(kept) & self.relations["parent_id"].isin(kept)
        inside = self.logic["term_id"].isin(kept) & self.logic["filler_id"].isin(kept)
        of_one = inside.groupby([self.logic["term_id"], self.logic["clause"]]).transform("all")
        whole = inside & (of_one.astype(bool) | ~self.logic["clause"].isin(_WHOLE_CLAUSES))
        return Ontology(
            terms=self.terms[self.terms["term_id"].isin(kept)].reset_index(drop=True),
            relations=self.relations[ends].reset_index(drop=True),
            data_version=self.data_version,
            logic=self.logic[whole].reset_index(drop=True),
        )

    def report(self) -> dict[str, Any]:
        """Return the release and what the file holds, in counts."""
        current = self.terms[~self.terms["is_obsolete"]]
        return {
            "data_version": self.data_version,
            "n_terms_current": len(current),
            "n_terms_obsolete": len(self.terms) - len(current),
            "n_terms_per_aspect": current["aspect"].value_counts().sort_index().to_dict(),
            "n_relations": self.relations["relation"].value_counts().sort_index().to_dict(),
            "n_logical_clauses": self.logic["clause"].value_counts().sort_index().to_dict(),
            "n_clauses_unused": self.unused_clauses,
        }


def read_obo(path: str | Path) -> Ontology:
    """Read an OBO file, plain or compressed, as a stream.

    Raises:
        InputError: the file is missing, empty, an HTML page or holds no `[Term]`; a clause cannot be read; a
            term without id or namespace; an id given twice; a parent or a class in a logical clause that is
            absent or obsolete; a definition of one part; an alternative id that is ambiguous; a cycle over
            `is_a` and `part_of`. The message names file, line and ids, and the way out.
    """
    path = Path(path)
    header: dict[str, str] = {}
    unused: Counter[str] = Counter()
    found = Statements()
    metadata: set[str] = set()
    n_stanzas = 0
    for stanza in stanzas(path):
        if not stanza.kind:
            header = {tag: value for _, tag, value in stanza.clauses}
            continue
        n_stanzas += 1
        if stanza.kind == "Term":
            term = read_term(path, stanza, header.get("default-namespace", ""), unused)
            found.add(path, stanza.line, term)
        else:
            count_unused(stanza, unused)
            metadata.add(metadata_relation(stanza))
    if not found.rows:
        raise InputError(f"{path}: no [Term] in {n_stanzas} stanzas; is this an OBO file?")
    unused.update(found.leave_out(metadata))
    found.check(path)
    return Ontology(
        terms=pd.DataFrame(sorted(found.rows), columns=list(TERM_COLUMNS)),
        relations=pd.DataFrame(sorted(found.relations), columns=list(RELATION_COLUMNS), dtype="str"),
        data_version=header.get("data-version", ""),
        unused_clauses=dict(sorted(unused.items())),
        logic=pd.DataFrame(sorted(found.logic), columns=list(LOGIC_COLUMNS), dtype="str"),
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


def split_ids(joined: str) -> list[str]:
    """Return the ids of a `;`-joined cell."""
    return joined.split(ID_SEPARATOR) if joined else []


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
