"""Stanzas and clauses of OBO 1.2 and 1.4 text, one term at a time, with the line of everything."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

ASPECT_OF_NAMESPACE = {"biological_process": "BPO", "molecular_function": "MFO", "cellular_component": "CCO"}
ID_SEPARATOR = ";"
STANDARD_RELATIONS = {
    "BFO:0000050": "part_of",
    "BFO:0000051": "has_part",
    "BFO:0000062": "preceded_by",
    "BFO:0000063": "precedes",
    "BFO:0000066": "occurs_in",
    "RO:0000052": "inheres_in",
    "RO:0000057": "has_participant",
    "RO:0000087": "has_role",
    "RO:0001025": "located_in",
    "RO:0002092": "happens_during",
    "RO:0002160": "only_in_taxon",
    "RO:0002161": "never_in_taxon",
    "RO:0002202": "develops_from",
    "RO:0002211": "regulates",
    "RO:0002212": "negatively_regulates",
    "RO:0002213": "positively_regulates",
    "RO:0002233": "has_input",
    "RO:0002234": "has_output",
}
"""Id in the relation ontology to the name that GO's files use."""

_SINGLE_TAGS = frozenset({"id", "name", "namespace", "def", "is_obsolete"})
_LOGIC_TAGS = frozenset({"intersection_of", "union_of", "equivalent_to", "disjoint_from"})
_WHOLES = {"intersection_of": "a definition", "union_of": "a union"}
_NAMING_TAGS = frozenset({"id", "name", "namespace"})
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", "W": " ", "t": "\t"}


@dataclass(frozen=True)
class Stanza:
    """One `[Kind]` block, or the header (kind ""): its clauses as (line number, tag, value)."""

    kind: str
    line: int
    clauses: list[tuple[int, str, str]]


@dataclass(frozen=True)
class Term:
    """A term as its stanza gives it; dictionaries hold the line of each statement's first mention."""

    row: tuple[str, str, str, str, bool, str, str]
    """Values in the order of `obo.TERM_COLUMNS`."""
    relations: dict[tuple[str, str, str], int]
    """(term, relation, parent)."""
    logic: dict[tuple[str, str, str, str], int]
    """(term, clause, relation or '', filler)."""
    alternatives: dict[str, int]


@dataclass
class _Parts:
    """What a stanza's clauses have given so far."""

    single: dict[str, tuple[int, str]] = field(default_factory=dict)
    alternatives: dict[str, int] = field(default_factory=dict)
    replacements: set[str] = field(default_factory=set)
    parents: dict[tuple[str, str], int] = field(default_factory=dict)
    logic: dict[tuple[str, str, str], int] = field(default_factory=dict)


def stanzas(path: Path) -> Iterator[Stanza]:
    """Yield the header, then every stanza, reading the file as a stream.

    Raises:
        InputError: what `numbered_lines` raises, or a line that is no clause.
    """
    stanza = Stanza("", 1, [])
    for number, line in numbered_lines(path, "ontology"):
        text = line.strip()
        if not text or text.startswith("!"):
            continue
        if text.startswith("["):
            if not text.endswith("]"):
                raise InputError(f"{path}:{number}: {text[:80]!r} opens a stanza but has no closing bracket")
            yield stanza
            stanza = Stanza(text[1:-1], number, [])
            continue
        tag, colon, value = text.partition(":")
        value = value.strip()
        if not colon or not tag or not value or " " in tag:
            raise InputError(f"{path}:{number}: {text[:80]!r} is not a 'tag: value' line of OBO")
        stanza.clauses.append((number, tag, value))
    yield stanza


def default_namespace(header: dict[str, str]) -> str:
    """Return the aspect of terms that name none: that of the file; empty if it has none either."""
    return header.get("default-namespace") or header.get("ontology", "").partition("/")[0]


def prefix_of(term_id: str) -> str:
    """Return the ontology that an id belongs to: `GO` of `GO:0005737`."""
    return term_id.partition(":")[0].rstrip("\\")


def standard_relation(stanza: Stanza) -> tuple[str, str]:
    """Return the id of a relation that a `[Typedef]` declares, and its standard name, as its reference says.

    The name is that of a standard id among its `xref`, or of its own id, or its `name`; else the id itself.
    """
    values: dict[str, list[str]] = {}
    for _, tag, value in stanza.clauses:
        values.setdefault(tag, []).append(value.split(" !")[0].split(" {")[0].strip())
    relation = values.get("id", [""])[0]
    if relation in STANDARD_RELATIONS.values():
        return relation, relation
    names = [standard_name(xref) for xref in (*values.get("xref", []), relation)]
    names += [name.replace(" ", "_") for name in values.get("name", [])]
    known = (name for name in names if name in STANDARD_RELATIONS.values())
    return relation, next(known, relation)


def standard_name(relation: str) -> str:
    """Return the standard name of a relation that is written as a standard id, else what was given."""
    short = relation.rpartition("/")[2].replace("_", ":", 1) if "/" in relation else relation
    return STANDARD_RELATIONS.get(short, relation.removeprefix("OBO_REL:"))


def count_unused(stanza: Stanza, unused: Counter[str]) -> None:
    """Count the clauses, but for names, of a stanza that is no term, such as `Typedef/is_transitive`."""
    unused.update(f"{stanza.kind}/{tag}" for _, tag, _ in stanza.clauses if tag not in _NAMING_TAGS)


def metadata_relation(stanza: Stanza) -> str:
    """Return the relation that a stanza declares to be metadata; empty for any other stanza.

    Such as `never_in_taxon`: a relationship by it is a remark, and its term is not below anything for it.
    """
    values = {tag: value.split()[0] for _, tag, value in stanza.clauses}
    is_metadata = stanza.kind == "Typedef" and values.get("is_metadata_tag") == "true"
    return values.get("id", "") if is_metadata else ""


def read_term(path: Path, stanza: Stanza, default: str, unused: Counter[str]) -> Term:
    """Read a `[Term]`, adding the clauses without use to `unused`.

    A term without namespace is in the `default` one, or in that of its id's prefix.

    Raises:
        InputError: a clause cannot be read, a single one is given twice, the id is missing, or a definition
            is faulty.
    """
    parts = _Parts()
    for number, tag, value in stanza.clauses:
        if not _take(path, stanza, parts, (number, tag, value)):
            unused[tag] += 1
    single = parts.single
    if "id" not in single:
        raise InputError(f"{path}:{stanza.line}: this [Term] has no id")
    term_id = _identifiers(path, *single["id"], 1)[0]
    namespace = single["namespace"][1] if "namespace" in single else default or prefix_of(term_id)
    _check_logic(path, term_id, parts.logic)
    row = (
        term_id,
        _unescape(single["name"][1]) if "name" in single else "",
        ASPECT_OF_NAMESPACE.get(namespace, namespace),
        _definition(path, *single["def"]) if "def" in single else "",
        _boolean(path, *single["is_obsolete"]) if "is_obsolete" in single else False,
        ID_SEPARATOR.join(sorted(parts.alternatives)),
        ID_SEPARATOR.join(sorted(parts.replacements)),
    )
    relations = {(term_id, relation, parent): line for (relation, parent), line in parts.parents.items()}
    return Term(row, relations, {(term_id, *key): n for key, n in parts.logic.items()}, parts.alternatives)


def _take(path: Path, stanza: Stanza, parts: _Parts, clause: tuple[int, str, str]) -> bool:
    """Add one clause to `parts`; return whether it is of any use."""
    number, tag, value = clause
    if tag in _SINGLE_TAGS:
        if tag in parts.single:
            raise InputError(
                f"{path}:{number}: a second '{tag}' in the term that starts at line {stanza.line}"
            )
        parts.single[tag] = (number, value)
    elif tag == "is_a":
        parts.parents.setdefault(("is_a", _identifiers(path, number, value, 1)[0]), number)
    elif tag == "relationship":
        relation, parent = _identifiers(path, number, value, 2)
        parts.parents.setdefault((relation, parent), number)
    elif tag == "alt_id":
        parts.alternatives.setdefault(_identifiers(path, number, value, 1)[0], number)
    elif tag == "replaced_by":
        parts.replacements.add(_identifiers(path, number, value, 1)[0])
    elif tag in _LOGIC_TAGS:
        parts.logic.setdefault((tag, *_class_expression(path, clause)), number)
    else:
        return False
    return True


def _class_expression(path: Path, clause: tuple[int, str, str]) -> tuple[str, str]:
    """Return (relation or '', class) of a clause that names a class or, in definitions, a relation to one."""
    number, tag, value = clause
    words = value.split(maxsplit=2)
    is_relation = tag == "intersection_of" and len(words) > 1 and words[1][0] not in "!{"
    if not is_relation:
        return "", _identifiers(path, number, value, 1)[0]
    relation, filler = _identifiers(path, number, value, 2)
    return relation, filler


def _check_logic(path: Path, term_id: str, logic: dict[tuple[str, str, str], int]) -> None:
    """Refuse a definition or union of one part, and terms that name themselves."""
    for (clause, relation, filler), line in logic.items():
        if filler == term_id and not relation:
            raise InputError(f"{path}:{line}: {term_id} names itself in '{clause}'; take the line out")
    for clause, whole in _WHOLES.items():
        lines = [line for (tag, _, _), line in logic.items() if tag == clause]
        if len(lines) == 1:
            raise InputError(
                f"{path}:{lines[0]}: term {term_id} has one '{clause}' only; {whole} has two parts or more"
            )


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
