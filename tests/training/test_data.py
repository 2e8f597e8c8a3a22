"""Labels and the closed ontology."""

import networkx as nx
import numpy as np
import pandas as pd
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from protsae.activations.sampler import ResidueBatch
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.sae.axioms import AxiomIndices
from protsae.training.data import ConceptAxioms, Labels, labels_of


def test_rates_count_labelled_proteins_with_pseudo_counts():
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    labelled = torch.tensor([[True, True], [True, True], [True, False]])
    assert Labels(labels, labelled).rates().tolist() == [torch.tensor(3 / 5).item(), 1 / 4]


def test_ancestors_close_over_zero_concepts():
    nf1 = torch.tensor([[0, 3], [3, 1], [1, 4], [4, 2]])  # 0 below 1 below 2, through 3 and 4
    ontology = ConceptAxioms.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 5, 0), ["BPO", "BPO", "MFO"])
    assert ontology.is_ancestor.tolist() == [
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14), st.integers(0, 7))
def test_ancestors_equal_networkx_on_any_pairs_cycles_too(pairs: list[tuple[int, int]], n_concepts: int):
    nf1 = torch.tensor(pairs).reshape(-1, 2).long()
    ontology = ConceptAxioms.of(AxiomIndices(nf1, torch.empty(0, 3).long(), 7, 0), ["BPO"] * n_concepts)
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
    ontology = ConceptAxioms.of(AxiomIndices.from_table(table, 3), ["BPO"] * 3)
    assert np.argwhere(ontology.is_ancestor).tolist() == [[0, 1]]


def test_no_axioms_no_ancestors():
    empty = AxiomIndices(torch.empty(0, 2).long(), torch.empty(0, 3).long(), 2, 0)
    assert not ConceptAxioms.of(empty, ["BPO", "BPO"]).is_ancestor.any()


def test_label_matrices_become_tensors():
    tables = LabelTables(
        pd.DataFrame(
            {"concept_idx": [0, 1], "concept_id": ["a", "b"], "aspect": ["BPO", "MFO"], "level": "protein"}
        ),
        pd.DataFrame({"protein_id": ["P"], "concept_idx": [0]}),
        pd.DataFrame({"protein_id": ["P"], "aspect": ["BPO"]}),
        pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
    )
    labels = labels_of(tables, ["P"], {"P": 3})
    assert labels.labels.dtype == torch.float32
    assert labels.labels.tolist() == [[1, 0]]
    assert labels.labelled.tolist() == [[True, False]]
    assert labels.residues is None


MIXED = LabelTables(
    pd.DataFrame(
        {
            "concept_idx": [0, 1, 2],
            "concept_id": ["a", "b", "c"],
            "aspect": ["BPO", "motif", "site"],
            "level": ["protein", "residue", "residue"],
        }
    ),
    pd.DataFrame({"protein_id": ["P", "P", "Q", "R"], "concept_idx": [0, 1, 1, 2]}),
    pd.DataFrame(
        [("P", "BPO"), ("Q", "BPO"), ("P", "motif"), ("Q", "motif"), ("R", "motif"), ("R", "site")],
        columns=["protein_id", "aspect"],
    ),
    pd.DataFrame(
        [("P", 1, 0, 0, 3), ("P", 1, 1, 2, 4), ("Q", 1, 0, 5, 6), ("R", 2, 0, 0, 1)],
        columns=list(RESIDUE_LABEL_COLUMNS),
    ),
)
LENGTHS = {"P": 5, "Q": 7, "R": 2}


def test_rates_of_residue_level_concepts_count_residues():
    """b: 4 residues of P and 1 of Q, of 5 + 7 + 2; c: 1 of the 2 residues of R, the only one labelled."""
    labels = labels_of(MIXED, ["R", "P", "Q"], LENGTHS)
    assert labels.is_residue_level.tolist() == [False, True, True]
    expected = torch.tensor([(1 + 1) / (2 + 2), (5 + 1) / (14 + 2), (1 + 1) / (2 + 2)])
    assert torch.equal(labels.rates(), expected)


def test_labels_of_a_batch_follow_proteins_and_positions():
    labels = labels_of(MIXED, ["R", "P", "Q"], LENGTHS)
    batch = ResidueBatch(
        x=torch.zeros(5, 1),
        segment=torch.tensor([0, 0, 1, 1, 1]),
        proteins=torch.tensor([2, 1]),  # Q, then P
        residue_index=torch.tensor([5, 0, 4, 3, 2]),
    )
    assert labels.of_residues(batch).tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert labels_of(MIXED, ["R"], LENGTHS).of_residues(
        ResidueBatch(torch.zeros(1, 1), torch.tensor([0]), torch.tensor([0]), torch.tensor([0]))
    ).tolist() == [[0, 0, 1]]
    assert Labels(labels.labels, labels.labelled).of_residues(batch) is None
