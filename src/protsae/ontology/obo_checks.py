"""What must hold between the terms of an OBO file; every error names the line of a statement at fault."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.ontology.graph import cycle_of
from protsae.ontology.obo_clauses import Term

ACYCLIC_RELATIONS = ("is_a", "part_of")
_SHOWN = 5


@dataclass
class Statements:
    """All that the terms of one file state, with lines."""

    rows: list[tuple[object, ...]] = field(default_factory=list)
    line_of: dict[str, int] = field(default_factory=dict)
    current: set[str] = field(default_factory=set)
    relations: dict[tuple[str, str, str], int] = field(default_factory=dict)
    logic: dict[tuple[str, str, str, str], int] = field(default_factory=dict)
    owner_of: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Term and line of every alternative id."""

    def add(self, path: Path, line: int, term: Term) -> None:
        """Add a term.

        Raises:
            InputError: its id is taken, or an alternative id of it belongs to another term.
        """
        term_id = term.row[0]
        if term_id in self.line_of:
            raise InputError(
                f"{path}:{line}: term {term_id} is given again (first at line {self.line_of[term_id]})"
            )
        for other, at in term.alternatives.items():
            if other in self.owner_of:
                owner, first = self.owner_of[other]
                raise InputError(
                    f"{path}:{at}: the alternative id {other} is claimed by {owner} (line {first}) and "
                    f"{term_id}; keep one of them"
                )
            self.owner_of[other] = (term_id, at)
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

    def check(self, path: Path) -> None:
        """Refuse what could not be resolved: ids that are absent or obsolete, chains of ids, cycles.

        Raises:
            InputError: naming file, line, ids and the fix.
        """
        self._check_ends(path, "relations name a parent", self.relations)
        self._check_ends(path, "logical clauses name a class", self.logic)
        for other, (owner, line) in self.owner_of.items():
            if other in self.current:
                raise InputError(
                    f"{path}:{line}: {other} is an alternative id of {owner} and a current term "
                    f"(line {self.line_of[other]}) too; keep one of them"
                )
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


def some(items: list[str]) -> str:
    """Join the first few items, saying how many more there are."""
    more = len(items) - min(len(items), _SHOWN)
    return ", ".join(items[:_SHOWN]) + (f" and {more} more" if more else "")
