"""Absorption on latents that absorb, that do not, and that are merely bad; by counting by hand."""

import pandas as pd
import pytest
from tests.disentanglement.dictionaries import ONTOLOGY, proteins, subject

from protsae.disentanglement.absorption import absorption
from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.nesting import COLUMNS, nearest_pairs
from protsae.ontology.obo import Ontology

CONFIG = AbsorptionConfig(n_resamples=50)


def measured(latents, kind, own=(-1, -1)):
    table, rows = absorption(subject(latents, kind, own), proteins(), ONTOLOGY, CONFIG)
    return table, rows.set_index(["metric", "stratum"])


def test_parent_latent_silent_under_its_child_is_absorbed():
    """The child's fires on 24 of its 30, the parent's on all that is left: silent on 24, both on 24."""
    table, rows = measured([range(24, 60), range(24)], ["free", "free"])
    (row,) = table.to_dict("records")
    assert tuple(table.columns) == COLUMNS
    assert (row["child_id"], row["parent_id"], row["kind"], row["n_carriers"]) == ("GO:c", "GO:p", "free", 30)
    assert (row["child_latent"], row["parent_latent"], row["is_judged"]) == (1, 0, True)
    assert row["absorption"] == row["parent_silent"] == row["child_fires"] == pytest.approx(0.8)
    assert row["expected"] == pytest.approx(0.64)
    assert row["child_f1_test"] == pytest.approx(2 * 24 / (24 + 30))
    assert rows.loc[("absorption", "free"), "value"] == pytest.approx(0.8)
    assert rows.loc[("absorption_excess", "free"), "value"] == pytest.approx(0.16)
    assert rows.loc[("absorption", "free"), "low"] < 0.8 < rows.loc[("absorption", "free"), "high"]
    assert rows.loc[("absorption_judged_share", "free"), "value"] == 1


def test_a_parents_latent_that_is_silent_at_random_shows_no_excess():
    """Silent on every other carrier, whether or not the child's latent fires (on the first 20 of 30)."""
    table, rows = measured([[i for i in range(60) if i % 2 or i >= 30], range(20)], ["free", "free"])
    assert table.loc[0, "absorption"] == pytest.approx(10 / 30)
    assert table.loc[0, "expected"] == pytest.approx(15 / 30 * 20 / 30)
    assert rows.loc[("absorption_excess", "free"), "value"] == pytest.approx(0)


def test_defined_latents_are_judged_alone_and_against_free_ones():
    latents = [range(60), range(30), range(24, 60), range(24)]
    table, rows = measured(latents, ["defined", "defined", "free", "free"], own=(0, 1))
    by_kind = table.set_index("kind")
    assert by_kind.loc["defined", ["child_latent", "parent_latent", "absorption"]].tolist() == [1, 0, 0]
    assert by_kind.loc["free", ["child_latent", "parent_latent"]].tolist() == [3, 2]
    assert by_kind.loc["free", "absorption"] == pytest.approx(0.8)
    assert rows.loc[("absorption", "defined"), "supervision"] == "training"
    assert rows.loc[("absorption", "free"), "supervision"] == "selection"


def test_free_latents_are_chosen_on_validation_and_judged_on_test():
    """On validation latent 0 is the parent's, on test latent 2 would be."""
    latents = [range(60), range(30), range(50)]
    chosen = subject(latents, ["free"] * 3, test=[range(50), range(30), range(60)])
    table, _ = absorption(chosen, proteins(), ONTOLOGY, CONFIG)
    assert table.loc[0, "parent_latent"] == 0
    assert table.loc[0, "parent_f1_test"] == pytest.approx(2 * 50 / 110)


def test_pairs_that_cannot_be_judged_are_counted_with_their_reason():
    shared, rows = measured([range(45), []], ["free", "free"])
    assert shared["reason"].tolist() == ["one latent"]
    assert rows.loc[("absorption_one_latent_share", "free"), "value"] == 1
    assert ("absorption", "free") not in rows.index
    useless, _ = measured([range(60), range(60, 90)], ["defined", "defined"], own=(0, 1))
    assert useless["reason"].tolist() == ["a latent below the floor"]
    few = AbsorptionConfig(min_carriers=31)
    table, _ = absorption(subject([range(60), range(30)], ["free"] * 2), proteins(), ONTOLOGY, few)
    assert table["reason"].tolist() == ["fewer than 31 carriers"]


def test_without_pairs_there_is_an_empty_table():
    flat = Ontology(ONTOLOGY.terms, ONTOLOGY.relations.head(0))
    table, rows = absorption(subject([range(60)], ["free"]), proteins(), flat, CONFIG)
    assert tuple(table.columns) == COLUMNS
    assert (len(table), len(rows)) == (0, 0)


def test_pairs_are_nearest_within_the_vocabulary():
    """d below c below b below a; c is no concept, so d hangs below b, and a is not repeated for it."""
    terms = pd.DataFrame({"term_id": list("abcd"), "aspect": "BPO", "is_obsolete": False})
    relations = pd.DataFrame(
        [("b", "is_a", "a"), ("c", "part_of", "b"), ("d", "is_a", "c")],
        columns=["child_id", "relation", "parent_id"],
    )
    concepts = pd.DataFrame({"concept_id": ["d", "a", "b"]})
    assert nearest_pairs(concepts, Ontology(terms, relations)).tolist() == [[0, 2], [2, 1]]
    assert nearest_pairs(concepts.iloc[:0], Ontology(terms, relations)).shape == (0, 2)
