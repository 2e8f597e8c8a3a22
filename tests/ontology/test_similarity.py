"""Lin's similarity and best-match averages: a case by hand, a slow version in sets, and the laws."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.toy_ontology import ancestors_of

from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology
from protsae.ontology.similarity import annotation_similarity, lin_similarity, term_information


def ontology(n_terms: int, edges: list[tuple[int, int]], aspect: str = "BPO") -> Ontology:
    """Terms t00, t01, ... and `is_a` from child to parent."""
    ids = [f"t{i:02d}" for i in range(n_terms)]
    terms = pd.DataFrame({"term_id": ids, "name": ids, "aspect": aspect, "is_obsolete": False})
    rows = sorted({(ids[child], "is_a", ids[parent]) for child, parent in edges})
    return Ontology(terms, pd.DataFrame(rows, columns=["child_id", "relation", "parent_id"], dtype="str"))


def pairs(annotations: dict[str, str]) -> pd.DataFrame:
    rows = [(protein, term) for protein, terms in annotations.items() for term in terms.split()]
    return pd.DataFrame(rows, columns=["protein_id", "concept_id"], dtype="str")


# t00 is the root; t01 and t02 below it; t03 and t04 below t01; t05 below t02 and t01
TOY = ontology(6, [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2), (5, 1)])


def test_a_case_by_hand():
    trained = pairs({"a": "t03", "b": "t04", "c": "t02", "d": "t04", "e": "t05", "f": "t02", "g": "t02"})
    closure = ancestor_closure(TOY)
    terms = closure.term_ids
    found = annotation_similarity(
        pairs({"p": "t03", "q": "t04 t01", "r": "t05", "s": "t02"}), trained, closure, terms
    )
    assert found.protein_ids == ["p", "q", "r", "s"]
    # shares of 7 proteins, one more thought to have all: t01 5 of 8, t02 5, t03 2, t04 3, t05 2
    i01, i02, i03, i04, i05 = (-np.log2(k / 8) for k in (5, 5, 2, 3, 2))
    expected = np.array(
        [
            [1, 2 * i01 / (i03 + i04), 2 * i01 / (i03 + i05), 0],
            [0, 1, 2 * i01 / (i04 + i05), 0],
            [0, 0, 1, 2 * i02 / (i05 + i02)],
            [0, 0, 0, 1],
        ]
    )
    expected = np.maximum(expected, expected.T)
    np.testing.assert_allclose(found.rows(np.arange(4)), expected, atol=1e-6)


def test_best_matches_are_averaged_from_both_sides():
    """p has one term, q the same and one that shares the root only: 1 from p, 1/2 from q."""
    closure = ancestor_closure(TOY)
    trained = pairs({"a": "t03", "b": "t02"})
    found = annotation_similarity(pairs({"p": "t03", "q": "t03 t02"}), trained, closure, closure.term_ids)
    np.testing.assert_allclose(found.rows(np.array([0])), [[1, 0.75]], atol=1e-6)


def slow_similarity(first, second, above, information):
    def lin(t, u):
        if t == u:
            return 1.0
        both = information[t] + information[u]
        return 2 * max((information[x] for x in above[t] & above[u]), default=0.0) / both if both else 0.0

    def one_way(ours, theirs):
        return np.mean([max(lin(t, u) for u in theirs) for t in ours])

    ours, theirs = (
        {t for t in terms if not any(t != u and t in above[u] for u in terms)} for terms in (first, second)
    )
    return (one_way(ours, theirs) + one_way(theirs, ours)) / 2


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_random_ontologies_equal_a_slow_version_in_sets(data):
    n = data.draw(st.integers(2, 12))
    edges = [
        (child, parent)
        for child in range(1, n)
        for parent in data.draw(st.sets(st.integers(0, child - 1), min_size=1, max_size=3))
    ]
    closure = ancestor_closure(ontology(n, edges))
    draw = st.lists(st.sets(st.integers(0, n - 1), min_size=1, max_size=4), min_size=2, max_size=6)
    trained, compared = (
        {f"p{i}": {f"t{t:02d}" for t in terms} for i, terms in enumerate(data.draw(draw))} for _ in range(2)
    )
    tables = [pairs({p: " ".join(sorted(terms)) for p, terms in of.items()}) for of in (trained, compared)]
    found = annotation_similarity(tables[1], tables[0], closure, closure.term_ids)

    above = {t: ancestors_of(closure, [t]) for t in closure.term_ids}
    having = {t: sum(any(t in above[u] for u in terms) for terms in trained.values()) for t in above}
    information = {t: -np.log2((having[t] + 1) / (len(trained) + 1)) for t in above}
    full = {p: set().union(*(above[t] for t in terms)) for p, terms in compared.items()}
    expected = [
        [slow_similarity(full[p], full[q], above, information) for q in found.protein_ids]
        for p in found.protein_ids
    ]
    rows = found.rows(np.arange(len(found.protein_ids)))
    np.testing.assert_allclose(rows, expected, atol=1e-6)
    np.testing.assert_allclose(rows, rows.T, atol=1e-6)
    np.testing.assert_allclose(np.diag(rows), 1, atol=1e-6)
    assert (rows >= -1e-6).all()
    assert (rows <= 1 + 1e-6).all()


def test_other_aspects_and_proteins_without_terms_are_left_out():
    closure = ancestor_closure(TOY)
    trained = pairs({"a": "t03", "b": "t02"})
    found = annotation_similarity(
        pairs({"p": "t03 t02", "q": "t02", "r": "gone t03"}), trained, closure, np.array(["t01", "t03"])
    )
    assert found.protein_ids == ["p", "r"]
    np.testing.assert_allclose(found.rows(np.arange(2)), 1, atol=1e-6)


def test_information_is_finite_for_terms_without_proteins():
    np.testing.assert_allclose(term_information(np.array([0, 1, 7]), 7), [3, 2, 0])


def test_a_term_that_all_proteins_have_is_like_itself_alone():
    closure = ancestor_closure(ontology(2, [(1, 0)]))
    similarity = lin_similarity(np.array([0, 1]), closure.ancestors, np.zeros(2))
    assert similarity.tolist() == [[1, 0], [0, 1]]


def test_categorical_or_foreign_annotations_give_no_proteins():
    closure = ancestor_closure(TOY)
    table = pairs({"p": "x1", "q": "x2"}).astype({"protein_id": "category"})
    found = annotation_similarity(table, table, closure, closure.term_ids)
    assert found.protein_ids == []
    assert found.rows(np.zeros(0, np.int64)).shape == (0, 0)
    assert pytest.approx(0) == found.described.sum()
