"""Two slow reasoners for EL with bottom, independent of each other and of the normaliser.

`entailed_by_statements` reads an ontology as it was stated and closes a subsumption relation over all its
class expressions. `entailed_by_normal_forms` completes tables in normal form by the rules CR1 to CR5 of
Baader, Brandt and Lutz (2005).
"""

from itertools import product

import pandas as pd

from protsae.ontology.obo import Ontology

BOTTOM = ("bottom",)


def entailed_by_statements(ontology: Ontology) -> set[tuple[str, str]]:
    """Return the pairs (C, D) of distinct current terms with C below D; an unsatisfiable C is below all."""
    names, axioms = _statements(ontology)
    expressions = {("class", name) for name in names} | {BOTTOM} | {e for axiom in axioms for e in axiom}
    expressions |= {part for e in expressions if e[0] == "and" for part in e[1]}
    expressions |= {("class", e[2]) for e in expressions if e[0] == "some"}
    below = {(e, e) for e in expressions} | {(BOTTOM, e) for e in expressions} | set(axioms)
    below |= {(e, part) for e in expressions if e[0] == "and" for part in e[1]}
    while True:
        above = {e: [d for c, d in below if c == e] for e in expressions}
        more = {(a, d) for a, b in below for d in above[b]}
        for e in expressions:
            if e[0] == "and":
                more |= {(a, e) for a in expressions if all((a, part) in below for part in e[1])}
            if e[0] == "some":
                filler = ("class", e[2])
                more |= {
                    (e, f)
                    for f in expressions
                    if f[0] == "some" and f[1] == e[1] and (filler, ("class", f[2])) in below
                }
                if (filler, BOTTOM) in below:
                    more.add((e, BOTTOM))
        if more <= below:
            break
        below |= more
    return {(a, b) for a, b in product(names, names) if a != b and (("class", a), ("class", b)) in below}


def _statements(ontology: Ontology):
    """Return the current terms and the axioms (left, right) as expressions."""
    names = set(ontology.terms.loc[~ontology.terms["is_obsolete"], "term_id"])

    def expression(relation, name):
        return ("some", relation, name) if relation else ("class", name)

    axioms = []
    for child, relation, parent in ontology.relations.itertuples(index=False, name=None):
        if child in names and parent in names:
            axioms.append((("class", child), expression("" if relation == "is_a" else relation, parent)))
    definitions = {}
    for term, clause, relation, filler in ontology.logic.itertuples(index=False, name=None):
        if term not in names:
            continue
        a, b = ("class", term), expression(relation, filler)
        if clause == "intersection_of":
            definitions.setdefault(a, set()).add(b)
        elif clause == "equivalent_to":
            axioms += [(a, b), (b, a)]
        elif clause == "union_of":
            axioms.append((b, a))
        else:
            axioms.append((("and", frozenset((a, b))), BOTTOM))
    for a, parts in definitions.items():
        axioms += [(a, ("and", frozenset(parts))), (("and", frozenset(parts)), a)]
    return names, axioms


def entailed_by_normal_forms(axioms: pd.DataFrame, names: set[str]) -> set[tuple[str, str]]:
    """Return the pairs (C, D) of `names` with C below D by the axioms; an unsatisfiable C is below all."""
    rows = list(
        axioms[["normal_form", "c_id", "d_id", "e_id", "relation_name"]].itertuples(index=False, name=None)
    )
    classes = (set(axioms["c_id"]) | set(axioms["d_id"]) | set(axioms["e_id"]) | names) - {""}
    above = {name: {name} for name in classes}
    edges: set[tuple[str, str, str]] = set()
    changed = True
    while changed:
        before = sum(map(len, above.values())) + len(edges)
        for name, supers in above.items():
            for form, c, d, e, relation in rows:
                if form == "NF1" and c in supers:
                    supers.add(d)
                elif form == "NF2" and c in supers and d in supers:
                    supers.add(e)
                elif form == "NF4" and c in supers:
                    edges.add((name, relation, d))
                elif form == "NF3" and any(
                    a == name and r == relation and c in above[b] for a, r, b in edges
                ):
                    supers.add(d)
                elif form == "DISJOINT" and c in supers and d in supers:
                    supers.add("bottom")
            if any(a == name and "bottom" in above[b] for a, _, b in edges):
                supers.add("bottom")
        changed = sum(map(len, above.values())) + len(edges) > before
    return {(a, b) for a, b in product(names, names) if a != b and (b in above[a] or "bottom" in above[a])}
