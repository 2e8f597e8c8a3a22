"""OBO 1.2 and 1.4 files, read strictly.

A parser of our own, because errors have to name the line; `obonet` is its oracle in the tests. Of a
term it reads identity, names, alternative and replacing ids, `is_a`, `relationship` and the logical clauses
`intersection_of`, `union_of`, `equivalent_to`, `disjoint_from`; every other clause (`synonym`, `xref`, ...)
is counted in `Ontology.unused_clauses`.
"""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import InputError
from protsae.ontology.obo_checks import Statements
from protsae.ontology.obo_clauses import (
    ID_SEPARATOR,
    count_unused,
    default_namespace,
    metadata_relation,
    read_term,
    standard_relation,
    stanzas,
)

TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "is_obsolete", "alt_ids", "replaced_by")
RELATION_COLUMNS = ("child_id", "relation", "parent_id")
LOGIC_COLUMNS = ("term_id", "clause", "relation", "filler_id")


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
            terms as `Typedef/is_transitive`, relationships that the file declares to be metadata as
            `relationship/never_in_taxon`, statements about terms of other ontologies as
            `is_a/other ontologies`, alternative ids of several terms as `alt_id/ambiguous`.
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

    Relations are called by their standard names, whatever id the file gives them. What a complete release may
    hold and no reader can use is left out and counted: see `obo_checks.Statements.settle`.

    Raises:
        InputError: the file is missing, empty, an HTML page or holds no `[Term]`; a clause cannot be read; a
            term without id; an id given twice; a parent or a class in a logical clause that is of this
            ontology and absent or obsolete; a definition of one part; a cycle over `is_a` and `part_of`. It
            names file, line, ids and the fix.
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
            term = read_term(path, stanza, default_namespace(header), unused)
            found.add(path, stanza.line, term)
        else:
            count_unused(stanza, unused)
            metadata.add(metadata_relation(stanza))
            if stanza.kind == "Typedef":
                found.names.update([standard_relation(stanza)])
    if not found.rows:
        raise InputError(f"{path}: no [Term] in {n_stanzas} stanzas; is this an OBO file?")
    unused.update(found.leave_out(metadata))
    unused.update(found.settle(header.get("ontology", "")))
    found.check(path)
    return Ontology(
        terms=pd.DataFrame(sorted(found.rows), columns=list(TERM_COLUMNS)),
        relations=pd.DataFrame(sorted(found.relations), columns=list(RELATION_COLUMNS), dtype="str"),
        data_version=header.get("data-version", ""),
        unused_clauses=dict(sorted(unused.items())),
        logic=pd.DataFrame(sorted(found.logic), columns=list(LOGIC_COLUMNS), dtype="str"),
    )


def split_ids(joined: str) -> list[str]:
    """Return the ids of a `;`-joined cell."""
    return joined.split(ID_SEPARATOR) if joined else []
