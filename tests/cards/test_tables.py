"""Classes of dense latents, and what cards join."""

import numpy as np
import pandas as pd

from protsae.cards.config import DenseConfig
from protsae.cards.dense import dense_classes
from protsae.cards.tables import amino_acid_shares, best_enriched, best_of_residues, monosemantic

NOTHING = {
    "density_test": 0.5,
    "position_correlation": np.nan,
    "residue_eta": np.nan,
    "pc_cosine": 0.1,
    "head_share": 0.1,
    "head_share_chance": 0.1,
    "antipode_score": 0.0,
}


def test_each_class_is_found_and_the_first_one_counts():
    planted = [
        {"position_correlation": -0.5, "residue_eta": 0.9},
        {"residue_eta": 0.6, "pc_cosine": 0.8},
        {"pc_cosine": 0.8, "head_share": 0.01},
        {"head_share": 0.019, "antipode_score": 0.9},
        {"antipode_score": 0.9},
        {"position_correlation": 0.4, "residue_eta": 0.5, "pc_cosine": 0.75, "antipode_score": 0.5},
        {"density_test": 0.1, "residue_eta": 0.9},
    ]
    table = pd.DataFrame([NOTHING | own for own in planted])
    names = ["position", "residue", "component", "nullspace", "antipodal", "unclassified", ""]
    assert dense_classes(table, DenseConfig()).tolist() == names


def test_concept_of_residues_is_chosen_on_validation():
    rows = [
        ("residue", 4, "a", 0.5, 0.9),
        ("residue", 4, "b", 0.6, 0.2),
        ("domain", 4, "c", 0.9, 0.9),
        ("residue", 1, "a", 0.1, 0.1),
    ]
    table = pd.DataFrame(rows, columns=["level", "latent", "concept_id", "f1_validation", "f1_test"])
    found = best_of_residues(table.assign(name="", threshold=0.5, f1_always_on=0.3, f1_identity=0.4))
    assert found["latent"].tolist() == [1, 4]
    assert found[["best_residue_concept_id", "residue_f1_test"]].values.tolist() == [["a", 0.1], ["b", 0.2]]
    assert found["residue_f1_test_always_on"].tolist() == [0.3, 0.3]


def test_first_enriched_concept_and_their_number():
    table = pd.DataFrame(
        {"latent": [2, 2, 5], "concept_id": ["a", "b", "c"], "name": "", "fold": 2.0, "q_value": 0.01}
    )
    found = best_enriched(table)
    assert found[["latent", "enriched_concept_id", "n_enriched"]].values.tolist() == [
        [2, "a", 2],
        [5, "c", 1],
    ]


def test_monosemanticity_is_the_mean_over_aspects_that_were_judged():
    rows = [(0, "lin", True, 0.2), (0, "lin", True, 0.4), (0, "lin", False, 9.0), (1, "windows", True, 0.7)]
    found = monosemantic(pd.DataFrame(rows, columns=["latent", "judge", "is_judged", "score"])).set_index(
        "latent"
    )
    assert (
        round(found.loc[0, "monosemanticity"], 12) == 0.3 and found.loc[1, "monosemanticity_windows"] == 0.7
    )
    assert found.isna().sum().sum() == 2


def test_shares_of_amino_acids_are_those_of_the_splits():
    proteins = pd.DataFrame({"sequence": ["AACX", "W"], "split": ["test", "train"]})
    found = amino_acid_shares(proteins, ("test",))
    assert found[:2].tolist() == [2 / 3, 1 / 3] and found[2:].sum() == 0
