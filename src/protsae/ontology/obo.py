"""OBO 1.2 and 1.4 files, read strictly and written deterministically.

A parser of our own, because users need the line of what is wrong; `obonet` is its oracle in the tests. Of a
term it reads identity, names, alternative and replacing ids, `is_a` and `relationship`; every other clause
(`intersection_of`, `synonym`, ...) is counted in `Ontology.unused_clauses`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from protsae.core.errors import InputError
from protsae.core.files import write_text_atomic
from protsae.core.text import numbered_lines
from protsae.ontology.graph import depths, find_cycle

ASPECT_OF_NAMESPACE = {"biological_process": "BPO", "molecular_function": "MFO", "cellular_component": "CCO"}
NAMESPACE_OF_ASPECT = {aspect: namespace for namespace, aspect in ASPECT_OF_NAMESPACE.items()}
TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "is_obsolete", "alt_ids", "replaced_by")
RELATION_COLUMNS = ("child_id", "relation", "parent_id")
ACYCLIC_RELATIONS = ("is_a", "part_of")
ID_SEPARATOR = ";"

_SINGLE_TAGS = frozenset({"id", "name", "namespace", "def", "is_obsolete"})
_READ_TAGS = _SINGLE_TAGS | {"alt_id", "replaced_by", "is_a", "relationship"}
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "W": " ", "t": "\t"}
_SHOWN = 5


@dataclass(frozen=True)
class Ontology:
    """Terms and the relations between them.

    Attributes:
        terms: `term_id`, `name`, `aspect` (BPO, MFO, CCO; the text of the namespace for other ontologies),
            `definition`, `is_obsolete`, `alt_ids`, `replaced_by` (ids joined by `;`). Sorted by `term_id`.
        relations: `child_id`, `relation`, `parent_id`, one row per distinct statement, sorted.
        data_version: the file's `data-version`, empty where it has none.
        unused_clauses: number of clauses per tag that this reader has no use for.
    """

    terms: pd.DataFrame
    relations: pd.DataFrame
    data_version: str = ""
    unused_clauses: dict[str, int] = field(default_factory=dict)

    def subset(self, term_ids: Iterable[str]) -> "Ontology":
        """Return the terms named and the relations both of whose ends are named."""
        kept = set(term_ids)
        missing = sorted(kept.difference(self.terms["term_id"]))
        if missing:
            raise InputError(f"the ontology has no term {_some(missing)}")
        ends = self.relations["child_id"].isin(kept) & self.relations["parent_id"].isin(kept)
        return Ontology(
            terms=self.terms[self.terms["term_id"].isin(kept)].reset_index(drop=True),
            relations=self.relations[ends].reset_index(drop=True),
            data_version=self.data_version,
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
            "n_clauses_unused": self.unused_clauses,
        }


@dataclass(frozen=True)
class _Stanza:
    """One `[Kind]` block, or the header (kind ""): its clauses as (line number, tag, value)."""

    kind: str
    line: int
    clauses: list[tuple[int, str, str]]


def read_obo(path: str | Path) -> Ontology:
    """Read an OBO file, plain or gzip.

    Raises:
        InputError: the file is missing, empty, an HTML page or holds no `[Term]`; a clause cannot be read; a
            term without id or namespace; an id given twice; a parent that is absent or obsolete; a cycle over
            `is_a` and `part_of`. The message names file, line or ids, and the way out.
    """
    path = Path(path)
    stanzas = list(_stanzas(path, [line for _, line in numbered_lines(path, "ontology")]))
    header = {tag: value for _, tag, value in stanzas[0].clauses}
    unused: Counter[str] = Counter()
    terms: list[tuple[object, ...]] = []
    relations: set[tuple[str, str, str]] = set()
    line_of: dict[str, int] = {}
    for stanza in (s for s in stanzas if s.kind == "Term"):
        row, statements = _term(path, stanza, header.get("default-namespace", ""), unused)
        term_id = str(row[0])
        if term_id in line_of:
            raise InputError(
                f"{path}:{stanza.line}: term {term_id} is given again (first at line {line_of[term_id]})"
            )
        line_of[term_id] = stanza.line
        terms.append(row)
        relations.update(statements)
    if not terms:
        raise InputError(f"{path}: no [Term] in {len(stanzas) - 1} stanzas; is this an OBO file?")
    ontology = Ontology(
        terms=pd.DataFrame(sorted(terms), columns=list(TERM_COLUMNS)),
        relations=pd.DataFrame(sorted(relations), columns=list(RELATION_COLUMNS), dtype="str"),
        data_version=header.get("data-version", ""),
        unused_clauses=dict(sorted(unused.items())),
    )
    _check_parents(path, ontology)
    _check_alternatives(path, ontology)
    _check_cycles(path, ontology)
    return ontology


def write_obo(ontology: Ontology, path: str | Path) -> None:
    """Write OBO 1.2; equal ontologies give equal bytes, and `read_obo` gives them back."""
    lines = ["format-version: 1.2"]
    if ontology.data_version:
        lines.append(f"data-version: {ontology.data_version}")
    statements: dict[str, list[str]] = {}
    kinds = sorted(set(ontology.relations["relation"]) - {"is_a"})
    for row in ontology.relations.sort_values(list(RELATION_COLUMNS)).itertuples(index=False):
        prefix = "is_a:" if row.relation == "is_a" else f"relationship: {row.relation}"
        statements.setdefault(str(row.child_id), []).append(f"{prefix} {row.parent_id}")
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
    for kind in kinds:
        lines += ["", "[Typedef]", f"id: {kind}", f"name: {kind.replace('_', ' ')}"]
    write_text_atomic(path, "\n".join(lines) + "\n")


def split_ids(joined: str) -> list[str]:
    """Return the ids of a `;`-joined cell."""
    return joined.split(ID_SEPARATOR) if joined else []


def _stanzas(path: Path, lines: list[str]) -> Iterator[_Stanza]:
    """Yield the header, then every stanza."""
    stanza = _Stanza("", 1, [])
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith("!"):
            continue
        if text.startswith("["):
            if not text.endswith("]"):
                raise InputError(f"{path}:{number}: {text[:80]!r} opens a stanza but has no closing bracket")
            yield stanza
            stanza = _Stanza(text[1:-1], number, [])
            continue
        tag, colon, value = text.partition(":")
        value = value.strip()
        if not colon or not tag or not value or " " in tag:
            raise InputError(f"{path}:{number}: {text[:80]!r} is not a 'tag: value' line of OBO")
        stanza.clauses.append((number, tag, value))
    yield stanza


def _term(
    path: Path, stanza: _Stanza, default_namespace: str, unused: Counter[str]
) -> tuple[tuple[object, ...], list[tuple[str, str, str]]]:
    """Return a term's row in the order of TERM_COLUMNS and its statements."""
    single: dict[str, tuple[int, str]] = {}
    alternatives: set[str] = set()
    replacements: set[str] = set()
    parents: list[tuple[str, str]] = []
    for number, tag, value in stanza.clauses:
        if tag in _SINGLE_TAGS:
            if tag in single:
                raise InputError(
                    f"{path}:{number}: a second '{tag}' in the term that starts at line {stanza.line}"
                )
            single[tag] = (number, value)
        elif tag == "alt_id":
            alternatives.add(_identifiers(path, number, value, 1)[0])
        elif tag == "replaced_by":
            replacements.add(_identifiers(path, number, value, 1)[0])
        elif tag == "is_a":
            parents.append(("is_a", _identifiers(path, number, value, 1)[0]))
        elif tag == "relationship":
            relation, parent = _identifiers(path, number, value, 2)
            parents.append((relation, parent))
        else:
            unused[tag] += 1
    if "id" not in single:
        raise InputError(f"{path}:{stanza.line}: this [Term] has no id")
    term_id = _identifiers(path, *single["id"], 1)[0]
    namespace = single["namespace"][1] if "namespace" in single else default_namespace
    if not namespace:
        raise InputError(
            f"{path}:{stanza.line}: term {term_id} has no namespace; add it, or a default-namespace on top"
        )
    row = (
        term_id,
        _unescape(single["name"][1]) if "name" in single else "",
        ASPECT_OF_NAMESPACE.get(namespace, namespace),
        _definition(path, *single["def"]) if "def" in single else "",
        _boolean(path, *single["is_obsolete"]) if "is_obsolete" in single else False,
        ID_SEPARATOR.join(sorted(alternatives)),
        ID_SEPARATOR.join(sorted(replacements)),
    )
    return row, [(term_id, relation, parent) for relation, parent in parents]


def _identifiers(path: Path, number: int, value: str, n: int) -> list[str]:
    """Return the first `n` words; what follows may only be a `{modifier}` or a `! comment`."""
    words = value.split(maxsplit=n)
    if len(words) < n or (len(words) > n and words[n][0] not in "!{"):
        raise InputError(f"{path}:{number}: expected {n} id{'s' * (n > 1)}, found {value[:80]!r}")
    if any(ID_SEPARATOR in word for word in words[:n]):
        raise InputError(f"{path}:{number}: '{ID_SEPARATOR}' inside the id {value[:80]!r}")
    return words[:n]


def _definition(path: Path, number: int, value: str) -> str:
    match = _QUOTED.match(value)
    if match is None:
        raise InputError(f"{path}:{number}: the definition is not in double quotes: {value[:80]!r}")
    return _unescape(match[1])


def _boolean(path: Path, number: int, value: str) -> bool:
    word = _identifiers(path, number, value, 1)[0]
    if word not in ("true", "false"):
        raise InputError(f"{path}:{number}: is_obsolete is neither true nor false: {value[:80]!r}")
    return word == "true"


def _unescape(text: str) -> str:
    return _ESCAPE.sub(lambda match: _UNESCAPED.get(match[1], match[1]), text)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")


def _check_parents(path: Path, ontology: Ontology) -> None:
    """Refuse relations of current terms to ids that are absent or obsolete."""
    terms, relations = ontology.terms, ontology.relations
    obsolete = set(terms.loc[terms["is_obsolete"], "term_id"])
    lower = relations[~relations["child_id"].isin(obsolete)]
    dangling = lower[~lower["parent_id"].isin(set(terms["term_id"]) - obsolete)]
    if dangling.empty:
        return
    shown = [
        f"{row.child_id} {row.relation} {row.parent_id}"
        + (" (obsolete)" if row.parent_id in obsolete else "")
        for row in dangling.head(_SHOWN).itertuples(index=False)
    ]
    raise InputError(
        f"{path}: {len(dangling)} relations name a parent that the file does not hold as a current term: "
        f"{_some(shown, len(dangling))}; use a complete release of the ontology"
    )


def _check_alternatives(path: Path, ontology: Ontology) -> None:
    """Refuse an alternative id that two terms claim: it could not be resolved."""
    claims = ontology.terms[["term_id", "alt_ids"]].assign(alt_id=ontology.terms["alt_ids"].map(split_ids))
    claims = claims.explode("alt_id").dropna(subset="alt_id")
    twice = claims[claims["alt_id"].duplicated(keep=False)].sort_values(["alt_id", "term_id"])
    if not twice.empty:
        first = twice.iloc[0]["alt_id"]
        owners = twice.loc[twice["alt_id"] == first, "term_id"].tolist()
        raise InputError(
            f"{path}: the alternative id {first} is claimed by {_some(owners)}; keep one of them"
        )


def _check_cycles(path: Path, ontology: Ontology) -> None:
    """Refuse cycles over `is_a` and `part_of`, printing one."""
    edges = ontology.relations[ontology.relations["relation"].isin(ACYCLIC_RELATIONS)]
    cycle = cycle_of(edges)
    if cycle:
        raise InputError(
            f"{path}: the ontology has a cycle over {' and '.join(ACYCLIC_RELATIONS)}: {' -> '.join(cycle)}; "
            "use the basic (acyclic) release"
        )


def cycle_of(relations: pd.DataFrame) -> list[str]:
    """Return one cycle of `relations`, child to parent, its first id repeated at the end; [] if none."""
    ids, codes = np.unique(relations[["child_id", "parent_id"]].to_numpy(dtype=object), return_inverse=True)
    child, parent = codes.reshape(-1, 2).T
    return [str(ids[node]) for node in find_cycle(depths(len(ids), child, parent), child, parent)]


def _some(items: list[str], total: int | None = None) -> str:
    """Join the first few items, saying how many more there are."""
    more = (len(items) if total is None else total) - min(len(items), _SHOWN)
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more else "")
