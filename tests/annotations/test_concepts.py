"""The vocabulary: counts, reasons and information content against tables counted by hand."""

import math
import re
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csc_array, csr_array

from protsae.annotations.concepts import SplitMinimum, VocabularyConfig, choose_concepts
from protsae.annotations.merging import merge_sources
from protsae.annotations.sources import ConceptTables
from protsae.annotations.spans import span_table
from protsae.core.errors import InputError
from protsae.ontology.closure import Preset
from protsae.ontology.information import cafa_information, deepgo_information
from protsae.ontology.obo import Ontology
from protsae.selection import read_params

ONE = SplitMinimum(train=1, validation=1, test=1)
TWO, THREE, FOUR, FIVE, FUNCTION = "GO:1000002", "GO:1000003", "GO:1000004", "GO:1000005", "GO:2000002"
PROTEINS = pd.DataFrame(
    [
        ("A1", "train", "c1"),
        ("A2", "train", "c1"),
        ("A3", "train", "c2"),
        ("A4", "train", "c3"),
        ("A5", "train", "c3"),
        ("A6", "train", "c4"),
        ("A7", "train", "c4"),
        ("T1", "test", "c7"),
        ("T2", "test", "c8"),
        ("V1", "validation", "c5"),
        ("V2", "validation", "c6"),
        ("X1", "excluded", "c9"),
    ],
    columns=["protein_id", "split", "cluster_id"],
).assign(length=10)
HELD = {
    "A1": (TWO, THREE),
    "A2": (TWO, THREE),
    "A3": (TWO, FOUR),
    "A4": (FIVE,),
    "A5": (FIVE,),
    "A6": (FUNCTION,),
    "T1": (TWO, THREE),
    "T2": (FIVE,),
    "V1": (TWO, THREE),
    "V2": (FIVE,),
    "X1": (TWO, FOUR, FIVE, FUNCTION, "GO:3000002"),
}


def pairs(held: dict[str, tuple[str, ...]]) -> pd.DataFrame:
    rows = [(protein, concept, True) for protein, concepts in held.items() for concept in concepts]
    return pd.DataFrame(rows, columns=["protein_id", "concept_id", "is_direct"])


def config(**changes: object) -> VocabularyConfig:
    values = {"min_positives": ONE, "min_clusters": ONE, "max_prevalence": 1.0, **changes}
    return VocabularyConfig.model_validate(values)


def no_sources() -> ConceptTables:
    def empty(*columns: str) -> pd.DataFrame:
        return pd.DataFrame(columns=list(columns), dtype="str")

    return ConceptTables(
        empty("term_id", "name", "aspect", "definition", "level"),
        empty("child_id", "relation", "parent_id"),
        empty("protein_id", "concept_id", "is_direct"),
        empty("protein_id", "aspect"),
    )


def choose(
    toy: Ontology,
    settings: VocabularyConfig,
    held: dict[str, tuple[str, ...]] = HELD,
    backwards: bool = False,
    sources: ConceptTables | None = None,
    spans: tuple[tuple[object, ...], ...] = (),
    needed: bool = True,
    preset: Preset = "cafa",
) -> SimpleNamespace:
    step = -1 if backwards else 1
    annotations = merge_sources(toy, pairs(held)[::step], sources or no_sources())
    tables = choose_concepts(annotations, span_table(spans), PROTEINS[::step], preset, settings, needed)
    return SimpleNamespace(concepts=tables[0], concepts_left_out=tables[1])


def reasons(
    toy: Ontology, settings: VocabularyConfig, held: dict[str, tuple[str, ...]] = HELD
) -> dict[str, str]:
    left_out = choose(toy, settings, held).concepts_left_out
    return dict(zip(left_out["concept_id"], left_out["reason"], strict=True))


def test_concepts_and_left_out_are_exactly_these(toy: Ontology):
    vocabulary = choose(toy, config(max_prevalence=0.5))
    counts = {"train": [2, 2], "validation": [1, 1], "test": [1, 1]}
    expected = pd.DataFrame(
        {
            "concept_idx": np.array([0, 1], np.int32),
            "concept_id": [THREE, FIVE],
            "name": ["three, with a ! mark", "five"],
            "aspect": ["BPO", "BPO"],
            "level": ["protein", "protein"],
            **{f"n_{split}": np.array(n, np.int32) for split, n in counts.items()},
            **{f"n_clusters_{split}": np.array([1, 1], np.int32) for split in counts},
            "prevalence_train": [2 / 5, 2 / 5],  # A6 and A7 have no process
            # three: its two holders among the three of its parent two; five: among the five under the root
            "information_content": [math.log2(3 / 2), math.log2(5 / 2)],
            "information_content_deepgo": [math.log2(3 / 2), math.log2(5 / 2)],
            "definition": ["", ""],
        }
    )
    pd.testing.assert_frame_equal(vocabulary.concepts, expected)
    assert vocabulary.concepts_left_out.to_numpy().tolist() == [
        [TWO, "two", "BPO", "protein", "prevalence above 0.5", 3, 1, 1],
        [FOUR, "four", "BPO", "protein", "fewer than 1 positives in validation", 1, 0, 0],
        [FUNCTION, "function", "MFO", "protein", "fewer than 1 positives in validation", 1, 0, 0],
    ]  # GO:3000002 is held by an excluded protein only: no candidate


def test_bounds_are_inclusive_and_reasons_come_in_order(toy: Ontology):
    assert reasons(toy, config(max_prevalence=0.6)).keys() == {FOUR, FUNCTION}
    assert reasons(toy, config(max_prevalence=0.59))[TWO] == "prevalence above 0.59"
    three_in_train = SplitMinimum(train=3, validation=1, test=1)
    assert reasons(toy, config(min_positives=three_in_train))[THREE] == "fewer than 3 positives in train"
    two_clusters = SplitMinimum(train=2, validation=1, test=1)
    assert reasons(toy, config(min_clusters=two_clusters)) == {
        THREE: "fewer than 2 clusters in train",
        FOUR: "fewer than 1 positives in validation",
        FIVE: "fewer than 2 clusters in train",
        FUNCTION: "fewer than 1 positives in validation",
    }


def test_aspects_include_and_bound(toy: Ontology):
    assert reasons(toy, config(aspects=["BPO"]))[FUNCTION] == "aspect is not one of BPO"
    assert reasons(toy, config(aspects=None))[FUNCTION] == "fewer than 1 positives in validation"
    assert reasons(toy, config(include=[FIVE]))[TWO] == "not in the include list"
    only_two = reasons(toy, config(max_concepts=2))
    assert only_two[FIVE] == "beyond max_concepts 2"  # as frequent as three, with the later id
    assert THREE not in only_two
    with pytest.raises(InputError, match=r"include names 1 ids .* ontology: GO:9000001"):
        reasons(toy, config(include=[FIVE, "GO:9000001"]))


def test_of_terms_with_the_same_proteins_the_most_specific_stays(toy: Ontology):
    held = HELD | {"A3": (FIVE,)}
    assert reasons(toy, config(), held)[TWO] == f"same positives as {THREE}"
    assert TWO not in reasons(toy, config(drop_redundant=False), held)


def test_equal_terms_that_are_not_related_both_stay(toy: Ontology):
    held = HELD | {"A4": (FIVE, FUNCTION), "A5": (FIVE, FUNCTION), "A6": ()}
    held |= {"T2": (FIVE, FUNCTION), "V2": (FIVE, FUNCTION)}
    assert not {FIVE, FUNCTION} & set(reasons(toy, config(), held))


def test_deepgo_follows_relations_across_aspects(toy: Ontology):
    held = {name: (TWO, FUNCTION) if TWO in terms else () for name, terms in HELD.items()}
    left_out = {
        preset: choose(toy, config(), held, preset=preset).concepts_left_out["concept_id"].tolist()
        for preset in ("cafa", "deepgo")
    }
    assert left_out == {"cafa": [], "deepgo": [TWO]}  # GO:2000002 part_of GO:1000002


def test_an_equal_descendant_that_is_left_out_itself_removes_nothing(toy: Ontology):
    held = HELD | {"A3": (FIVE,)}
    assert TWO not in reasons(toy, config(include=[TWO, FIVE]), held)


def test_terms_of_little_information_are_left_out(toy: Ontology):
    # Three has log2(3 / 2) = .58 bits, five log2(5 / 2) = 1.32, two log2(5 / 3) = .74.
    found = reasons(toy, config(min_information_content=0.7))
    assert found[THREE] == "information content below 0.7"
    assert not {TWO, FIVE} & set(found)
    assert reasons(toy, config(min_information_content=0.8))[TWO] == "information content below 0.8"


def test_no_concept_left_says_which_bound_removed_how_many(toy: Ontology):
    ten = SplitMinimum(train=10, validation=1, test=1)
    with pytest.raises(
        InputError,
        match=r"left of 5 terms .* \(fewer than 10 positives in train: 4; aspect is not one of BPO: 1\)",
    ):
        choose(toy, config(aspects=["BPO"], min_positives=ten))
    with pytest.raises(InputError, match="no concept is left of 0 terms"):
        choose(toy, config(), {})


@pytest.mark.parametrize(
    "changes",
    [
        {"min_positives": SplitMinimum(train=40, validation=10, test=10)},
        {
            "min_positives": SplitMinimum(train=40, validation=10, test=10),
            "min_clusters": SplitMinimum(train=3, validation=3, test=3),
        },
        {"min_clusters": SplitMinimum(train=1, validation=2, test=3), "max_prevalence": 0.1},
    ],
)
def test_the_bounds_that_a_message_names_let_a_concept_pass(toy: Ontology, changes: dict[str, object]):
    with pytest.raises(InputError, match="Nearest is GO:") as caught:
        choose(toy, config(**changes))
    given = read_params(None, None, str(caught.value).split('--params "')[1].split('"')[0])
    accepted = given["labelling"]["vocabulary"]
    assert set(accepted) == set(changes)
    assert len(choose(toy, config(**accepted)).concepts) >= 1
    for name in {"min_positives", "min_clusters"} & set(accepted):  # one more of anything is too much
        for split, n in accepted[name].items():
            asked = getattr(changes[name], split)
            assert n <= asked


def test_a_message_gives_what_was_found_in_every_split(toy: Ontology):
    bounds = {"min_positives": SplitMinimum(train=40, validation=10, test=10)}
    with pytest.raises(
        InputError,
        match=re.escape(
            f"Nearest is {TWO} with min_positives train: 3, validation: 1, test: 1 "
            "(asked: train: 40, validation: 10, test: 10), min_clusters train: 2, validation: 1, test: 1"
        ),
    ):
        choose(toy, config(**bounds))
    alone = {"A1": (TWO,), "T1": (FIVE,)}
    with pytest.raises(InputError, match="No term that is asked for has a positive protein in every split"):
        choose(toy, config(), alone)


def test_without_guided_dictionaries_none_is_needed(toy: Ontology, caplog: pytest.LogCaptureFixture):
    bounds = config(min_positives=SplitMinimum(train=40, validation=10, test=10))
    found = choose(toy, bounds, needed=False)
    assert found.concepts.empty and list(found.concepts) == list(choose(toy, config()).concepts)
    assert len(found.concepts_left_out) == 5
    assert "The run goes on without concepts" in caplog.text and "It passes with --params" in caplog.text
    with pytest.raises(InputError, match=r"plain dictionaries alone.*dictionaries: \{protsae: null\}"):
        choose(toy, bounds)


def test_order_of_rows_changes_nothing(toy: Ontology):
    one = choose(toy, config())
    other = choose(toy, config(), backwards=True)
    pd.testing.assert_frame_equal(one.concepts, other.concepts)
    pd.testing.assert_frame_equal(one.concepts_left_out, other.concepts_left_out)


def test_test_and_validation_proteins_do_not_move_information_content(toy: Ontology):
    before = choose(toy, config()).concepts
    more = HELD | {"T2": (TWO, THREE, FIVE), "V2": (TWO, FIVE), "X1": (TWO,)}
    after = choose(toy, config(), more).concepts
    pd.testing.assert_series_equal(before["information_content"], after["information_content"])


def test_a_concept_of_residues_has_its_prevalence_among_residues(toy: Ontology):
    terms = [("m:one", "one", "motif", "", "residue"), ("m:two", "two", "motif", "", "residue")]
    listed = PROTEINS.loc[PROTEINS["protein_id"] != "A7", ["protein_id"]].assign(aspect="motif")
    spans = tuple(
        (protein, concept, instance, start, end)
        for protein in ("A1", "A2", "V1", "T1", "X1")
        for concept, instance, start, end in (("m:one", 0, 0, 3), ("m:one", 1, 2, 5), ("m:two", 0, 0, 10))
    )
    held = sorted({(protein, concept, True) for protein, concept, *_ in spans})
    sources = ConceptTables(
        pd.DataFrame(terms, columns=["term_id", "name", "aspect", "definition", "level"]),
        no_sources().relations,
        pd.DataFrame(held, columns=["protein_id", "concept_id", "is_direct"]),
        listed,
    )
    found = choose(toy, config(), sources=sources, spans=spans).concepts.set_index("concept_id")
    # A1 and A2 carry 5 and 10 of 10 residues; A1 to A6 are labelled, 60 residues.
    assert found.loc["m:one", ["level", "n_train", "prevalence_train"]].tolist() == ["residue", 2, 10 / 60]
    assert found.loc["m:two", "prevalence_train"] == 20 / 60
    assert found.loc[THREE, ["level", "prevalence_train"]].tolist() == ["protein", 2 / 5]
    bounded = choose(toy, config(max_prevalence=0.32), sources=sources, spans=spans).concepts_left_out
    assert bounded.set_index("concept_id").loc["m:two", "reason"] == "prevalence above 0.32"


# The diamond: root 0; 1 and 2 below it; 3 below both; 4 on its own.
DIAMOND = csr_array((np.ones(4, bool), ([1, 2, 3, 3], [0, 0, 1, 2])), shape=(5, 5))
HOLDERS = {0: range(8), 1: (0, 1, 2), 2: (1, 2, 3, 4), 3: (1,), 4: ()}


def test_the_two_information_contents_differ_on_a_diamond():
    dense = np.zeros((8, 5), bool)
    for term, holders in HOLDERS.items():
        dense[list(holders), term] = True
    terms = np.arange(5)
    cafa = cafa_information(csc_array(dense), DIAMOND, terms)
    deepgo = deepgo_information(csc_array(dense), DIAMOND, terms)
    # Proteins 1 and 2 hold both parents of 3; the rarer parent has three proteins.
    assert cafa.tolist() == [0.0, math.log2(8 / 3), 1.0, 1.0, math.inf]
    assert deepgo.tolist() == [0.0, math.log2(8 / 3), 1.0, math.log2(3), math.inf]


def test_information_contents_equal_a_slow_version():
    rng = np.random.default_rng(0)
    dense = rng.random((30, 7)) < 0.6
    dense[:, 0] = True
    edges = [(c, p) for c, p in product(range(1, 7), range(6)) if p < c and (p == 0 or rng.random() < 0.4)]
    parents = csr_array((np.ones(len(edges), bool), tuple(zip(*edges, strict=True))), shape=(7, 7))
    above = {c: [p for child, p in edges if child == c] for c in range(7)}
    cafa = [
        math.log2(sum(all(row[p] for p in above[c]) for row in dense) / dense[:, c].sum()) for c in range(7)
    ]
    deepgo = [
        math.log2(min((dense[:, p].sum() for p in above[c]), default=dense[:, c].sum()) / dense[:, c].sum())
        for c in range(7)
    ]
    np.testing.assert_allclose(cafa_information(csc_array(dense), parents, np.arange(7)), cafa, rtol=1e-12)
    np.testing.assert_allclose(
        deepgo_information(csc_array(dense), parents, np.arange(7)), deepgo, rtol=1e-12
    )
