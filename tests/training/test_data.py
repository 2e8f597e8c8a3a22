"""Labels and the closed ontology."""

import networkx as nx
import numpy as np
import pandas as pd
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.sae.axioms import AxiomIndices
from protsae.training.data import Labels, Ontology, labels_of


def test_rates_count_labelled_proteins_with_one_pseudo_count_of_each_kind():
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    labelled = torch.tensor([[True, True], [True, True], [True, False]])
    assert Labels(labels, labelled).rates().tolist() == [torch.tensor(3 / 5).item(), 1 / 4]


def test_ancestors_close_over_zero_concepts():
    nf1 = torch.tensor([[0, 3], [3, 1], [1, 4], [4, 2]])  # 0 below 1 below 2, through 3 and 4
    ontology = Ontology.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 5, 0), ["BPO", "BPO", "MFO"])
    assert ontology.is_ancestor.tolist() == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14), st.integers(0, 7))
def test_ancestors_equal_networkx_on_any_pairs_cycles_too(pairs: list[tuple[int, int]], n_concepts: int):
    nf1 = torch.tensor(pairs).reshape(-1, 2).long()
    ontology = Ontology.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 7, 0), ["BPO"] * n_concepts)
    graph = nx.DiGraph(pairs)
    graph.add_nodes_from(range(7))
    closed = nx.transitive_closure(graph, reflexive=False)
    expected = [[closed.has_edge(c, d) for d in range(n_concepts)] for c in range(n_concepts)]
    assert ontology.is_ancestor.tolist() == expected
    assert ontology.is_ancestor.dtype == bool


def test_ancestors_follow_nf1_alone():
    forms = [("NF1", 0, -1, 1, -1), ("NF2", 1, -1, 0, 2), ("NF3", 1, 0, 2, -1), ("NF4", 2, 0, 0, -1)]
    table = pd.DataFrame(
        [*forms, ("DISJOINT", 0, -1, 2, -1)], columns=["normal_form", "c", "relation", "d", "e"]
    )
    ontology = Ontology.of(AxiomIndices.from_table(table, 3), ["BPO"] * 3)
    assert np.argwhere(ontology.is_ancestor).tolist() == [[0, 1]]


def test_no_axioms_no_ancestors():
    empty = AxiomIndices(torch.empty(0, 2).long(), torch.empty(0, 3).long(), 2, 0)
    assert not Ontology.of(empty, ["BPO", "BPO"]).is_ancestor.any()


def test_label_matrices_become_tensors():
    labels = labels_of((np.array([[1, 0]], dtype=np.float32), np.array([[True, False]])))
    assert labels.labels.dtype == torch.float32
    assert labels.labelled.tolist() == [[True, False]]
