"""What must hold between the terms of an OBO file; every error names the line of a statement at fault."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.ontology.graph import cycle_of
from protsae.ontology.obo_clauses import ID_SEPARATOR, Term, prefix_of, standard_name

ACYCLIC_RELATIONS = ("is_a", "part_of")
_WHOLE_CLAUSES = ("intersection_of", "union_of")
_ALT_IDS = 5
_SHOWN = 5


@dataclass
class Statements:
    """All that the terms of one file state, with lines."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    line_of: dict[str, int] = field(default_factory=dict)
    current: set[str] = field(default_factory=set)
    relations: dict[tuple[str, str, str], int] = field(default_factory=dict)
    logic: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    owners_of: dict[str, list[str]] = field(default_factory=dict)
    """Terms of every alternative id."""
    names: dict[str, str] = field(default_factory=dict)
    """Relation of the file to its standard name."""

    def add(self, path: Path, line: int, term: Term) -> None:
        """Add a term.

        Raises:
            InputError: its id is taken.
        """
        term_id = term.row[0]
        if term_id in self.line_of:
            raise InputError(
                f"{path}:{line}: term {term_id} is given again (first at line {self.line_of[term_id]})"
            )
        for other in term.alternatives:
            self.owners_of.setdefault(other, []).append(term_id)
        self.line_of[term_id] = line
        self.rows.append(term.row)
        if not term.row[4]:
            self.current.add(term_id)
        self.relations.update(term.relations)
        self.logic.update(term.logic)

    def leave_out(self, relations: set[str]) -> Counter[str]:
        """Take the statements by `relations` out; return how many of each there were."""
        gone = [statement for statement in self.relations if statement[1] in relations]
        for statement in gone:
            del self.relations[statement]
        return Counter(f"relationship/{relation}" for _, relation, _ in gone)

    def settle(self, ontology: str) -> Counter[str]:
        """Give relations their standard names, and leave out what refers to nothing in the file by design.

        Left out are statements about terms of other ontologies that the file does not hold as current terms:
        releases name such terms and leave them to their own files. A definition with such a class is left out
        whole. So are relationships of a term to itself, and alternative ids that several terms claim or that
        are current terms.

        Args:
            ontology: the header's `ontology`, such as `cl`.

        Returns:
            How many statements of each kind were left out.
        """
        self.relations = {(s[0], self._name(s[1]), s[2]): line for s, line in self.relations.items()}
        self.logic = {(s[0], s[1], self._name(s[2]), s[3]): line for s, line in self.logic.items()}
        prefixes = Counter(map(prefix_of, self.line_of))
        own = ontology.partition("/")[0].upper()
        own = next(
            (prefix for prefix in prefixes if prefix.upper() == own), max(prefixes, key=prefixes.__getitem__)
        )

        def is_foreign(term_id: str, other: str) -> bool:
            return other not in self.current and {prefix_of(term_id), prefix_of(other)} != {own}

        gone: Counter[str] = Counter()
        for relation in [s for s in self.relations if is_foreign(s[0], s[2])]:
            del self.relations[relation]
            gone[f"{'is_a' if relation[1] == 'is_a' else 'relationship'}/other ontologies"] += 1
        for relation in [s for s in self.relations if s[0] == s[2] and s[1] != "is_a"]:
            del self.relations[relation]
            gone["relationship/of a term to itself"] += 1
        broken = {s[:2] for s in self.logic if s[1] in _WHOLE_CLAUSES and is_foreign(s[0], s[3])}
        for clause in [s for s in self.logic if s[:2] in broken or is_foreign(s[0], s[3])]:
            del self.logic[clause]
            gone[f"{clause[1]}/other ontologies"] += 1
        ambiguous = {o for o, owners in self.owners_of.items() if len(owners) > 1 or o in self.current}
        gone["alt_id/ambiguous"] = len(ambiguous)
        if ambiguous:
            self.rows = [_without(row, ambiguous) for row in self.rows]
        return +gone

    def _name(self, relation: str) -> str:
        return self.names.get(relation) or standard_name(relation)

    def check(self, path: Path) -> None:
        """Refuse what could not be resolved: ids that are absent or obsolete, cycles.

        Raises:
            InputError: naming file, line, ids and the fix.
        """
        self._check_ends(path, "relations name a parent", self.relations)
        self._check_ends(path, "logical clauses name a class", self.logic)
        self._check_cycles(path)

    def _check_ends(self, path: Path, what: str, statements: dict[Any, int]) -> None:
        """Refuse statements (tuples of str) of current terms whose other end is absent or obsolete."""
        dangling = sorted(s for s in statements if s[-1] not in self.current and s[0] in self.current)
        if not dangling:
            return
        obsolete = [" (obsolete)" * (s[-1] in self.line_of) for s in dangling]
        shown = [" ".join(filter(None, s)) + o for s, o in zip(dangling, obsolete, strict=True)]
        line = min(statements[s] for s in dangling)
        raise InputError(
            f"{path}:{line}: {len(dangling)} {what} that the file does not hold as a current term: "
            f"{some(shown)}; use a complete release of the ontology"
        )

    def _check_cycles(self, path: Path) -> None:
        """Refuse cycles over `is_a` and `part_of`, printing one."""
        edges = {(s[0], s[2]): line for s, line in self.relations.items() if s[1] in ACYCLIC_RELATIONS}
        cycle = cycle_of(sorted(edges))
        if cycle:
            raise InputError(
                f"{path}:{edges[cycle[0], cycle[1]]}: the ontology has a cycle over "
                f"{' and '.join(ACYCLIC_RELATIONS)}: {' -> '.join(cycle)}; use the basic (acyclic) release"
            )


def _without(row: tuple[object, ...], ids: set[str]) -> tuple[object, ...]:
    """Return the row of a term without some of its alternative ids."""
    kept = (other for other in str(row[_ALT_IDS]).split(ID_SEPARATOR) if other not in ids)
    return (*row[:_ALT_IDS], ID_SEPARATOR.join(kept), *row[_ALT_IDS + 1 :])


def some(items: list[str]) -> str:
    """Join the first few items, saying how many more there are."""
    more = len(items) - min(len(items), _SHOWN)
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more else "")
