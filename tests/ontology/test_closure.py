"""Ancestors: the golden example, networkx as the reference, and the laws of a closure."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.toy_ontology import ancestors_of

from protsae.core.errors import InputError
from protsae.ontology.closure import ancestor_closure, preset_relations, reachable, relations_not_found
from protsae.ontology.graph import cycle_of, depths
from protsae.ontology.obo import Ontology


def make_ontology(n_terms: int, edges: list[tuple[int, str, int]], aspects: str = "B") -> Ontology:
    """Terms t00, t01, ... with relations from child to parent; `aspects` is repeated over the terms."""
    ids = [f"t{i:02d}" for i in range(n_terms)]
    terms = pd.DataFrame(
        {
            "term_id": ids,
            "name": ids,
            "aspect": [aspects[i % len(aspects)] for i in range(n_terms)],
            "definition": "",
            "is_obsolete": False,
            "alt_ids": "",
            "replaced_by": "",
        }
    )
    rows = sorted({(ids[child], relation, ids[parent]) for child, relation, parent in edges})
    return Ontology(terms, pd.DataFrame(rows, columns=["child_id", "relation", "parent_id"], dtype="str"))


def networkx_graph(ontology: Ontology, preset: str) -> nx.DiGraph:
    """The definition of a preset, written a second time."""
    terms = ontology.terms[~ontology.terms["is_obsolete"]]
    aspect = dict(zip(terms["term_id"], terms["aspect"], strict=True))
    graph = nx.DiGraph()
    graph.add_nodes_from(aspect)
    for child, relation, parent in ontology.relations.itertuples(index=False, name=None):
        if preset == "deepgo" or (relation in ("is_a", "part_of") and aspect[child] == aspect[parent]):
            graph.add_edge(child, parent)
    return graph


def test_golden_example_of_the_cafa_evaluation(toy: Ontology):
    closure = ancestor_closure(toy, "cafa")
    one, two, three, four, five = (f"GO:100000{i}" for i in range(1, 6))
    assert ancestors_of(closure, [one]) == {one}
    assert ancestors_of(closure, [two]) == {one, two}
    assert ancestors_of(closure, [three]) == {one, two, three}
    assert ancestors_of(closure, [four]) == {one, two, four}
    assert ancestors_of(closure, [five]) == {one, five}
    assert ancestors_of(closure, ["GO:2000002"]) == {"GO:2000001", "GO:2000002"}
    assert set(closure.term_ids[closure.is_root()]) == {one, "GO:2000001", "GO:3000001"}


def test_deepgo_follows_regulates_and_crosses_aspects(toy: Ontology):
    closure = ancestor_closure(toy, "deepgo")
    assert ancestors_of(closure, ["GO:1000005"]) == {f"GO:100000{i}" for i in (1, 2, 3, 5)}
    assert ancestors_of(closure, ["GO:2000002"]) == {"GO:2000001", "GO:2000002", "GO:1000001", "GO:1000002"}


def test_obsolete_terms_are_not_in_it(toy: Ontology):
    closure = ancestor_closure(toy, "cafa")
    assert len(closure.term_ids) == 9
    assert closure.index(["GO:9000001", "GO:1000001", "x"]).tolist() == [-1, 0, -1]


def test_a_term_without_relations_is_no_root():
    closure = ancestor_closure(make_ontology(3, [(1, "is_a", 0)]), "cafa")
    assert closure.term_ids[closure.is_root()].tolist() == ["t00"]


def test_cycle_over_other_relations_stops_deepgo_only():
    ontology = make_ontology(2, [(0, "has_part", 1), (1, "is_a", 0)])
    assert ancestors_of(ancestor_closure(ontology, "cafa"), ["t01"]) == {"t00", "t01"}
    with pytest.raises(InputError, match=r"preset 'deepgo' .* cycle: t00 -> t01 -> t00; .* or preset 'cafa'"):
        ancestor_closure(ontology, "deepgo")


@pytest.mark.parametrize("preset", ["cafa", "deepgo"])
def test_reachable_is_the_closure_between_the_terms_asked_for(toy: Ontology, preset):
    asked = ["GO:1000005", "GO:1000001", "GO:2000002", "GO:1000002", "GO:9000001"]
    found = reachable(toy, preset, asked)
    closure = ancestor_closure(toy, preset)
    expected = [[above in ancestors_of(closure, [term]) for above in asked] for term in asked[:4]]
    assert found[:4].tolist() == expected
    assert found[4].tolist() == [False] * 4 + [True]  # obsolete: above itself only


def test_reachable_follows_cycles_around():
    ontology = make_ontology(3, [(0, "has_part", 1), (1, "is_a", 0), (2, "is_a", 1)])
    assert reachable(ontology, "deepgo", ["t00", "t02"]).tolist() == [[True, False], [True, True]]
    assert reachable(ontology, "deepgo", ["t00", "t01"]).all()


EDGE = st.tuples(st.integers(0, 11), st.integers(0, 11), st.sampled_from(["is_a", "part_of", "regulates"]))
# An edge from the higher to the lower number makes no cycle.
DAGS = st.lists(EDGE, max_size=30).map(
    lambda edges: [(max(a, b), relation, min(a, b)) for a, b, relation in edges if a != b]
)


@settings(max_examples=100, deadline=None)
@given(DAGS, st.sampled_from(["cafa", "deepgo"]), st.sampled_from(["B", "BM"]))
def test_random_dags_equal_networkx_in_topological_order(edges, preset, aspects):
    ontology = make_ontology(12, edges, aspects)
    closure = ancestor_closure(ontology, preset)
    graph = networkx_graph(ontology, preset)
    assert {t: ancestors_of(closure, [t]) for t in closure.term_ids} == {
        t: nx.descendants(graph, t) | {t} for t in graph
    }
    parents = preset_relations(ontology, preset)
    assert (closure.index(parents["parent_id"]) < closure.index(parents["child_id"])).all()
    twice = closure.ancestors @ closure.ancestors
    assert (twice != closure.ancestors).nnz == 0


@settings(max_examples=60, deadline=None)
@given(DAGS, DAGS)
def test_more_relations_never_take_an_ancestor_away(edges, more):
    fewer = ancestor_closure(make_ontology(12, edges), "deepgo")
    all_of_them = ancestor_closure(make_ontology(12, edges + more), "deepgo")
    for term_id in fewer.term_ids:
        assert ancestors_of(fewer, [term_id]) <= ancestors_of(all_of_them, [term_id])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=20))
def test_a_cycle_is_found_where_networkx_sees_one(edges):
    child, parent = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    depth = depths(8, child, parent)
    cycle = cycle_of(edges)
    graph = nx.DiGraph(edges)
    assert bool(cycle) == (not nx.is_directed_acyclic_graph(graph))
    assert all(step in graph.edges for step in pairwise(cycle))
    assert cycle[:1] == cycle[-1:]
    if not cycle:
        for node in range(8):
            above = [depth[b] for a, b in edges if a == node]
            assert depth[node] == max(above, default=-1) + 1


@pytest.mark.shared
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_reading_and_closing_the_whole_gene_ontology_stays_small(shared_data: Path):
    code = (
        "import sys; from protsae.ontology import closure, obo;"
        "closure.ancestor_closure(obo.read_obo(sys.argv[1]), 'cafa');"
        # The peak of getrusage would count the process that started this one, up to the exec.
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, shared_data / "go" / "go.obo.gz"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert int(printed) < 400_000  # kB


@pytest.mark.shared
@pytest.mark.parametrize("preset", ["cafa", "deepgo"])
def test_whole_gene_ontology_equals_networkx(gene_ontology: Ontology, shared_data: Path, preset):
    closure = ancestor_closure(gene_ontology, preset)
    assert closure.term_ids[closure.is_root()].tolist() == ["GO:0003674", "GO:0005575", "GO:0008150"]
    graph = networkx_graph(gene_ontology, preset)
    for term_id in np.random.default_rng(0).choice(closure.term_ids, 1000, replace=False):
        assert ancestors_of(closure, [term_id]) == nx.descendants(graph, term_id) | {term_id}


def test_a_preset_that_finds_none_of_its_relations_says_so():
    only_is_a = make_ontology(3, [(1, "is_a", 0), (2, "is_a", 1)])
    both = make_ontology(3, [(1, "is_a", 0), (2, "part_of", 1), (2, "near", 0)])
    foreign = make_ontology(3, [(1, "is_a", 0), (2, "inside", 1), (2, "near", 0)])
    assert relations_not_found(only_is_a, "cafa") == relations_not_found(both, "cafa") == []
    assert relations_not_found(foreign, "deepgo") == []
    (warning,) = relations_not_found(foreign, "cafa")
    assert "the ontology has no part_of, but inside (1), near (1)" in warning
