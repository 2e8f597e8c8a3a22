"""Families of latents that are active together, and their agreement with an ontology."""

import numpy as np
import pandas as pd
import pytest
from tests.code_store import stored_codes

from protsae.cards.activity import Activity
from protsae.cards.families import agreement, family_table, phi
from protsae.ontology.obo import Ontology


def acts_of_families() -> np.ndarray:
    """Return latents 0 to 2, nested; 3 and 4, the same; 5, alone; 6, dead [400, 7]."""
    acts = np.zeros((400, 7), np.float32)
    acts[:100, 0] = acts[:70, 1] = acts[:50, 2] = 1
    acts[200:240, 3] = acts[200:240, 4] = 1
    acts[300:303, 5] = 1
    return acts


def test_phi_is_the_correlation_of_activity():
    generator = np.random.default_rng(0)
    active = (generator.random((300, 5)) < [0.1, 0.5, 0.3, 0.9, 0]).astype(np.int32)
    found = phi(np.triu(active.T @ active), 300)
    expected = np.corrcoef(active[:, :4].T)
    np.testing.assert_allclose(found[:4, :4], expected - np.eye(4), atol=1e-12)
    assert found[4].tolist() == [0] * 5


@pytest.mark.parametrize("max_in_tree", [100, 7])
def test_families_and_parents_are_those_planted(tmp_path, max_in_tree):
    store = stored_codes(tmp_path / "codes", {"P": acts_of_families()}, {"P": "test"})
    found = family_table(store, Activity.of(store, {"P": "A" * 400}), 0.4, max_in_tree)
    assert found["family"].tolist() == [0, 0, 0, 1, 1, -1, -1]
    assert found["family_parent"].tolist() == [-1, 0, 1, -1, 3, -1, -1]
    correlation = np.corrcoef((acts_of_families()[:, :2] > 0).T)[0, 1]
    assert found["family_link"][1] == pytest.approx(correlation) and found["family_link"][4] == 1


def test_latents_beyond_the_limit_are_in_no_family(tmp_path):
    store = stored_codes(tmp_path / "codes", {"P": acts_of_families()}, {"P": "test"})
    found = family_table(store, Activity.of(store, {"P": "A" * 400}), 0.4, 2)
    assert found["family"].tolist() == [0, 0, -1, -1, -1, -1, -1]


@pytest.fixture
def ontology():
    """T:2 and T:3 below T:1; T:5 below T:4."""
    ids = [f"T:{i}" for i in range(1, 6)]
    terms = pd.DataFrame(
        {"term_id": ids, "name": ids, "aspect": "MFO", "definition": "", "is_obsolete": False}
    )
    pairs = [("T:2", "T:1"), ("T:3", "T:1"), ("T:5", "T:4")]
    relations = pd.DataFrame(
        [(c, "is_a", p) for c, p in pairs], columns=["child_id", "relation", "parent_id"]
    )
    return Ontology(terms.assign(alt_ids="", replaced_by=""), relations)


def test_agreement_counts_links_between_a_concept_and_its_ancestor(ontology):
    parent = np.array([-1, 0, 0, 0, 3, 0])
    concepts = ["T:1", "T:2", "T:4", "T:1", "T:3", ""]
    found = agreement(parent, concepts, ontology, "cafa", 0)
    # 1-0 and 4-3 are related, 2-0 is not, 3-0 is of one concept, 5 has none
    assert (found.share, found.n_links) == (pytest.approx(2 / 3), 3)
    assert 0 < found.floor < 0.6 and 0 < found.p_value <= 1


@pytest.mark.parametrize("concepts", [["", ""], ["T:1", ""], ["T:1", "T:1"]])
def test_agreement_without_links_between_concepts_is_missing(ontology, concepts):
    found = agreement(np.array([-1, 0]), concepts, ontology, "cafa", 0)
    assert np.isnan(found.share) and found.n_links == 0
