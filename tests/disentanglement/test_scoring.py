"""What the scores of latents come to: who is judged, by whom, and the difference of kinds."""

import numpy as np
import pandas as pd
import pytest

from protsae.disentanglement.config import MonosemanticityConfig
from protsae.disentanglement.panels import Panel, annotation_panels, embedding_panels
from protsae.disentanglement.scoring import COLUMNS, score_latents, score_panels
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.metrics.monosemanticity import Groups, InnerProducts
from protsae.metrics.table import METRIC_COLUMNS
from protsae.ontology.obo import Ontology

RUN = Run("protsae", 4, "layers.1.resid_post", 8)


def panel(n=60):
    """Items of three kinds, alike within a kind only, each a cluster of its own."""
    items = np.array([f"P{i}" for i in range(n)], dtype=object)
    return Panel("lin", "BPO", items, InnerProducts(np.eye(3)[np.arange(n) % 3], Groups.of(items)))


def latents(kinds):
    """Return a dictionary of latents by kind, and the ids of the concepts of the defined ones."""
    index = np.array([i if kind == "defined" else -1 for i, kind in enumerate(kinds)])
    ids = np.array([f"GO:{i}" for i in range(len(kinds))], dtype=object)
    return EncodedDictionary(RUN, np.array(kinds, dtype=object), index, {}, {}), ids


def test_latents_of_one_kind_score_above_chance_given_enough_items():
    kind = np.arange(60) % 3
    generator = np.random.default_rng(0)
    few, heavy = (kind == 0) & (np.arange(60) < 24), np.where(kind == 0, 1e-3, 0)
    heavy[0] = 1.0
    columns = [kind == 0, generator.random(60), few, heavy, np.zeros(60)]
    activations = np.column_stack(columns).astype(float)
    table, rows = score_latents(
        *latents(["defined", "free", "free", "free", "free"]), activations, panel(), MonosemanticityConfig()
    )
    assert tuple(table.columns) == COLUMNS
    assert tuple(rows.columns) == METRIC_COLUMNS
    assert table["is_judged"].tolist() == [True, True, False, False, False]
    assert table["n_active"].tolist() == [20, 59, 8, 20, 0], "the least activation is scaled to 0"
    assert table.loc[0, "score"] == pytest.approx(1)
    assert table.loc[0, "q_value"] < 0.001
    assert abs(table.loc[1, "score"]) < 0.05
    assert table.loc[2:, ["raw", "score", "p_value", "q_value"]].isna().all(axis=None)
    values = rows.set_index(["metric", "stratum"])["value"]
    assert values["monosemanticity_judged_share", "free"] == pytest.approx(1 / 4)
    assert values["monosemanticity", "defined"] == pytest.approx(1)
    assert values["monosemanticity_above_chance", "defined"] == 1
    assert values["monosemanticity_above_chance", "free"] == 0
    assert values["monosemanticity_background", "free"] == pytest.approx(19 / 59)
    gap = rows.set_index("metric").loc["monosemanticity_defined_minus_free"]
    assert gap["value"] == pytest.approx(1 - table.loc[1, "score"])
    assert gap["low"] < gap["value"] < gap["high"]
    assert rows["seed"].tolist() == [4] * len(rows)
    about = rows.set_index("stratum")
    assert set(about.loc["defined", "supervision"]) == {"training"}
    assert set(about.loc["free", "supervision"]) == {"none"}


def test_mean_over_one_latent_has_the_interval_of_that_latent():
    from scipy.stats import t

    generator = np.random.default_rng(1)
    activations = np.where(np.arange(60) % 3 == 0, 1.0, 0.3 * generator.random(60))[:, None]
    table, rows = score_latents(*latents(["free"]), activations, panel(), MonosemanticityConfig())
    mean = rows.set_index("metric").loc["monosemanticity"]
    own, shared = (t.ppf(0.975, n) for n in (table.loc[0, "n_effective"] - 1, 59))
    assert mean["value"] == pytest.approx(table.loc[0, "score"])
    width = (table.loc[0, "high"] - table.loc[0, "low"]) * shared / own
    assert mean["high"] - mean["low"] == pytest.approx(width)


def test_panel_of_few_clusters_judges_no_latent_and_says_so():
    table, rows = score_latents(*latents(["free"] * 2), np.ones((6, 2)), panel(6), MonosemanticityConfig())
    assert not table["is_judged"].any()
    assert table["n_groups"].tolist() == [6, 6]
    assert rows.empty
    nobody, none = score_panels(*latents(["free"]), [], MonosemanticityConfig())
    assert (len(nobody), len(none)) == (0, 0)
    assert tuple(nobody.columns) == COLUMNS


def test_information_content_comes_from_training_proteins():
    terms = pd.DataFrame(
        {
            "term_id": ["r", "a", "b", "m"],
            "aspect": ["BPO", "BPO", "BPO", "motif"],
            "level": ["protein", "protein", "protein", "residue"],
            "is_obsolete": False,
        }
    )
    relations = pd.DataFrame(
        [("a", "is_a", "r"), ("b", "is_a", "a")], columns=["child_id", "relation", "parent_id"]
    )
    owners = {"t1": "a", "t2": "b", "t3": "r", "x": "b", "y": "a", "z": "m"}
    annotations = pd.DataFrame(list(owners.items()), columns=["protein_id", "concept_id"])
    split = {"x": "test", "y": "test", "z": "test"}
    proteins = pd.DataFrame(
        [(p, split.get(p, "train"), f"c{p}") for p in [*owners, "w"]],
        columns=["protein_id", "split", "cluster_id"],
    )
    (found,) = annotation_panels(annotations, Ontology(terms, relations), proteins, "test")
    assert (found.name, found.aspect, found.items.tolist()) == ("lin", "BPO", ["x", "y"])
    # of 3 training proteins a is on 2, b on 1: with one more, 3 and 2 of 4
    a, b = -np.log2(3 / 4), -np.log2(2 / 4)
    assert found.judge.rows(np.array([0]))[0, 1] == pytest.approx(2 * a / (a + b))


def test_embeddings_judge_the_proteins_of_the_split_that_have_one():
    proteins = pd.DataFrame(
        {"protein_id": ["a", "b", "c"], "split": ["test", "train", "test"], "cluster_id": [1, 1, 2]}
    )
    vectors = pd.DataFrame({"protein_id": ["a", "b"], "embedding": [[1.0, 0], [0, 1.0]], "model": "t5"})
    (found,) = embedding_panels(vectors, proteins, "test")
    assert (found.name, found.items.tolist()) == ("embeddings:t5", ["a"])
    assert embedding_panels(vectors.iloc[:0], proteins, "test") == []


def test_latents_take_the_names_of_their_concepts():
    table, _ = score_latents(
        *latents(["free", "defined"]), np.ones((60, 2)), panel(), MonosemanticityConfig()
    )
    assert table["concept_id"].tolist() == ["", "GO:1"]


def test_neurons_are_a_dictionary_without_concepts():
    activations = pd.DataFrame({"protein_id": ["a", "b"], "activation": [[1.0, 2, 3], [4, 5, 6]]})
    neurons = EncodedDictionary.neurons("h", activations, {"test": ["b"]})
    assert neurons.kind.tolist() == ["neuron"] * 3
    assert neurons.of_concepts(np.empty(0, object)).tolist() == ["", "", ""]
    assert neurons.pooled_of("test", ["b"]).tolist() == [[4, 5, 6]]
