"""Axioms of a whole ontology in EL normal form.

`is_a` gives NF1 ``C ⊑ D``, any other relation NF4 ``C ⊑ ∃R.D``. A logical definition ``C ≡ X1 ⊓ ... ⊓ Xn``
gives ``C ⊑ Xi`` the same way; for the other direction every ``∃R.F`` among the parts gets a fresh class above
it (NF3 ``∃R.C ⊑ D``), and the parts are joined two by two (NF2 ``C ⊓ D ⊑ E``), with a fresh class for all but
the last pair. `equivalent_to` is NF1 both ways, `union_of` NF1 from every operand (EL cannot say the
converse), `disjoint_from` the form DISJOINT ``C ⊓ D ⊑ ⊥``. (Names as in DeepGO-SE; the ELEmbeddings paper of
2019 swaps NF3 and NF4.)

Fresh classes are named after what they stand for, so that equal expressions share one and no order of input
matters. What follows between named classes is what followed before (a conservative extension).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import groupby

import pandas as pd

from protsae.core.errors import InputError
from protsae.ontology.closure import preset_relations
from protsae.ontology.obo import Ontology

AXIOM_COLUMNS = ("normal_form", "c_id", "d_id", "e_id", "relation_name")
NORMAL_FORMS = ("DISJOINT", "NF1", "NF2", "NF3", "NF4")
FRESH_PREFIX = "_:"

Axiom = tuple[str, str, str, str, str]
"""Values in the order of `AXIOM_COLUMNS`."""
_Part = tuple[str, str]
"""(relation, class): a class where the relation is empty, else ∃relation.class."""


def ontology_axioms(ontology: Ontology) -> pd.DataFrame:
    """Return what the current terms of an ontology state, in normal form.

    Returns:
        `normal_form`, `c_id`, `d_id`, `e_id`, `relation_name`: NF1 ``c ⊑ d``; NF2 ``c ⊓ d ⊑ e`` with
        c < d; NF3 ``∃relation.c ⊑ d``; NF4 ``c ⊑ ∃relation.d``; DISJOINT ``c ⊓ d ⊑ ⊥`` with c < d. What a
        form has no use for is empty. One row per distinct axiom, no tautologies, sorted.
    """
    current = set(ontology.terms.loc[~ontology.terms["is_obsolete"], "term_id"])
    relations = preset_relations(ontology, "deepgo")
    stated = zip(relations["child_id"], relations["relation"], relations["parent_id"], strict=True)
    axioms = {_below(c, ("" if relation == "is_a" else relation, d)) for c, relation, d in stated}
    logic = ontology.logic
    logic = logic[logic["term_id"].isin(current) & logic["filler_id"].isin(current)]
    namer = _Namer(set(ontology.terms["term_id"]))
    rows = sorted(logic[["term_id", "clause", "relation", "filler_id"]].itertuples(index=False, name=None))
    for (term, clause), group in groupby(rows, key=lambda row: row[:2]):
        axioms.update(_logical(clause, term, [(relation, filler) for _, _, relation, filler in group], namer))
    return axiom_frame(axioms)


def axiom_frame(axioms: Iterable[Axiom]) -> pd.DataFrame:
    """Return axioms as a sorted table without repetitions and tautologies; see `ontology_axioms`."""
    rows = sorted({_ordered(axiom) for axiom in axioms if not _says_nothing(axiom)})
    return pd.DataFrame(rows, columns=list(AXIOM_COLUMNS), dtype="str")


def axiom_counts(axioms: pd.DataFrame) -> dict[str, int]:
    """Return the number of axioms per form, and of fresh classes as `n_fresh_classes`."""
    counts = Counter(axioms["normal_form"])
    classes = set(axioms["c_id"]).union(axioms["d_id"], axioms["e_id"])
    return {
        **{form: counts[form] for form in NORMAL_FORMS},
        "n_fresh_classes": sum(name.startswith(FRESH_PREFIX) for name in classes),
    }


class _Namer:
    """Names of classes for expressions, kept apart from each other and from the terms."""

    def __init__(self, taken: set[str]) -> None:
        self._taken = taken
        self._meaning: dict[str, tuple[_Part, ...]] = {}

    def name(self, *parts: _Part) -> str:
        """Return the class that stands for the conjunction of `parts`.

        Raises:
            InputError: a term has that name, or another expression, its ids being as odd as that takes.
        """
        if len(parts) == 1 and not parts[0][0]:
            return parts[0][1]
        words = [f"some_{relation}_{c}" if relation else c for relation, c in parts]
        name = FRESH_PREFIX + "_and_".join(words).replace(":", "_")
        if name in self._taken or self._meaning.setdefault(name, parts) != parts:
            raise InputError(
                f"the normaliser needs the name {name} for an expression of "
                f"{', '.join(c for _, c in parts)}, but a term or another expression has it; rename the term"
            )
        return name


def _logical(clause: str, term: str, parts: list[_Part], namer: _Namer) -> Iterator[Axiom]:
    """Yield the axioms of one term's logical clauses of one kind."""
    for part in parts:
        if clause == "disjoint_from":
            yield ("DISJOINT", term, part[1], "", "")
        if clause in ("intersection_of", "equivalent_to"):
            yield _below(term, part)
        if clause in ("union_of", "equivalent_to"):
            yield _below(part[1], ("", term))
    if clause == "intersection_of":
        yield from _meet_below(parts, term, namer)


def _below(c: str, part: _Part) -> Axiom:
    """Return ``c ⊑ part``."""
    relation, d = part
    return ("NF4", c, d, "", relation) if relation else ("NF1", c, d, "", "")


def _meet_below(parts: list[_Part], term: str, namer: _Namer) -> Iterator[Axiom]:
    """Yield ``X1 ⊓ ... ⊓ Xn ⊑ term``, joining in the order of `parts`."""
    if len(parts) == 1:
        relation, c = parts[0]
        yield ("NF3", c, term, "", relation) if relation else ("NF1", c, term, "", "")
        return
    for relation, c in parts:
        if relation:
            yield ("NF3", c, namer.name((relation, c)), "", relation)
    joined = namer.name(parts[0])
    for n, part in enumerate(parts[1:], start=2):
        meet = term if n == len(parts) else namer.name(*parts[:n])
        yield ("NF2", joined, namer.name(part), meet, "")
        joined = meet


def _ordered(axiom: Axiom) -> Axiom:
    """Return the axiom with the two sides of a conjunction in order."""
    form, c, d, e, relation = axiom
    return (form, d, c, e, relation) if form in ("NF2", "DISJOINT") and d < c else axiom


def _says_nothing(axiom: Axiom) -> bool:
    form, c, d, e, _ = axiom
    return (form == "NF1" and c == d) or (form == "NF2" and e in (c, d))
