"""Candidates, and the evidence beside them."""

import numpy as np
import pandas as pd
import pytest
from tests.missing.missing_example import Example

from protsae.missing.candidates import (
    COLUMNS,
    Decision,
    Similar,
    latents_of_concepts,
    missing_annotations,
    share_below,
    stretches,
)
from protsae.missing.config import CandidatesConfig


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return Example(tmp_path_factory.mktemp("missing") / "codes")


@pytest.fixture(scope="module")
def similar(example):
    activations = example.judge.features(example.activations, "activation")
    return Similar(example.neighbours, activations, example.judge.splits)


@pytest.fixture(scope="module")
def table(example, similar):
    latents = latents_of_concepts(example.judge, example.encoding, ["mean"] * 3, guided=True)
    given = "sae", example.scores(), example.judge, latents, similar, example.codes
    return missing_annotations(*given, CandidatesConfig())


def test_candidates_fire_as_annotated_proteins_do_and_lack_the_concept(example, table):
    """Written out pair by pair: threshold by F1 on validation, half of the annotated ones below."""
    scores = example.scores().values["sae_latent"]
    validation = example.judge.splits["validation"]
    decision = Decision.of(scores, validation)
    expected = set()
    for split in ("validation", "test"):
        labels = example.judge.splits[split]
        for c, concept in enumerate(("GO:0", "GO:1")):  # the latent of the coin is not reliable
            known = validation.labels[:, c] & validation.labelled[:, c]
            annotated = scores["validation"][known, c]
            for i, name in enumerate(labels.protein_ids):
                lacks = not (labels.labels[i, c] and labels.labelled[i, c])
                fires = decision.probabilities[split][i, c] > decision.threshold[c]
                if lacks and fires and (annotated < scores[split][i, c]).mean() >= 0.5:
                    expected.add((name, concept))
    assert set(zip(table["protein_id"], table["concept_id"], strict=True)) == expected
    assert len(expected) > 3
    assert list(table.columns) == list(COLUMNS)
    assert table["rank"].tolist() == list(range(1, len(table) + 1))
    assert table["probability"].is_monotonic_decreasing
    assert set(table["split"]) <= {"validation", "test"}
    unlabelled = {name for i, name in enumerate(example.ids) if not i % 10}
    assert (table["is_labelled"] == ~table["protein_id"].isin(unlabelled)).all()


def test_evidence_stands_beside_each_candidate(example, table):
    latent = table["concept_id"].map({"GO:0": 0, "GO:1": 1})
    assert (table["latent"] == latent).all()
    assert set(table["residues"]) == {"4-6"}
    assert (table["f1_validation"] >= table["f1_validation_always_on"] + 0.2).all()
    place = {name: i for i, name in enumerate(example.ids)}
    column = table["concept_id"].map({"GO:0": 0, "GO:1": 1})
    truth = [example.has[place[p], c] for p, c in zip(table["protein_id"], column, strict=True)]
    assert table["predictor_agrees"].tolist() == [bool(of) for of in truth]
    assert set(table["predictor"]) == {"sae_predictor"}
    carriers = {example.ids[i] for i in np.flatnonzero(example.has[:, 0])}
    assert set(table["nearest_annotated_id"]) <= carriers


def test_the_nearest_annotated_protein_is_by_alignment_else_by_activations(example, similar):
    name, other = example.ids[1], example.ids[0]
    train = example.judge.splits["train"]
    first = train.protein_ids.index(other)
    for concept in range(3):
        found = similar.nearest(name, concept)
        if train.labels[first, concept] and train.labelled[first, concept]:
            assert found == {
                "nearest_annotated_id": other,
                "nearest_annotated_by": "sequence",
                "nearest_similarity": 0.41,
            }
        else:
            assert found["nearest_annotated_by"] == "activations"
    values = dict(zip(example.ids, example.activations["activation"], strict=True))
    centre = np.mean([values[p] for p in train.protein_ids], axis=0)
    query = example.ids[2]
    best, name = max(
        (
            np.dot(values[p] - centre, values[query] - centre)
            / np.linalg.norm(values[p] - centre)
            / np.linalg.norm(values[query] - centre),
            p,
        )
        for i, p in enumerate(train.protein_ids)
        if train.labels[i, 0] and train.labelled[i, 0]
    )
    found = similar.nearest(query, 0)
    assert found["nearest_annotated_id"] == name
    assert found["nearest_similarity"] == pytest.approx(best, abs=1e-5)


def test_thresholds_are_the_best_of_the_quantiles(example):
    from sklearn.metrics import f1_score, precision_score

    scores, validation = example.scores().values["sae_latent"], example.judge.splits["validation"]
    decision = Decision.of(scores, validation)
    for c in range(3):
        kept = validation.labelled[:, c]
        p, y = decision.probabilities["validation"][kept, c], validation.labels[kept, c]
        tried = [
            0,
            *np.quantile(decision.probabilities["validation"][:, c], [0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]),
        ]
        best = max(f1_score(y, p > t) for t in tried)
        assert decision.f1[c] == pytest.approx(best)
        assert f1_score(y, p > decision.threshold[c]) == pytest.approx(best)
        assert decision.precision[c] == pytest.approx(precision_score(y, p > decision.threshold[c]))


def test_shares_of_annotated_proteins_that_score_lower(example):
    scores, validation = example.scores().values["sae_latent"], example.judge.splits["validation"]
    found = share_below(scores, validation, "test")
    annotated = scores["validation"][validation.labels[:, 1] & validation.labelled[:, 1], 1]
    assert found[5, 1] == (annotated < scores["test"][5, 1]).mean()


def test_latents_of_an_unguided_dictionary_are_the_best_by_auc(example):
    found = latents_of_concepts(example.judge, example.encoding, ["mean"] * 3, guided=False)
    assert found[:2].tolist() == [0, 1]
    assert latents_of_concepts(example.judge, example.encoding, [], guided=True).tolist() == [0, 1, 3]


def test_stretches_are_named_from_one_and_the_strongest_first(tmp_path):
    from tests.code_store import stored_codes

    acts = np.zeros((20, 2))
    acts[[1, 2, 3, 9, 15, 16], 1] = [1, 1, 1, 5, 2, 0.5]
    codes = stored_codes(tmp_path / "codes", {"P": acts, "Q": acts}, {"P": "test", "Q": "test"})
    assert stretches(codes, "Q", 1, CandidatesConfig()) == "10, 16"
    every = CandidatesConfig(carried_at=0.0)
    assert stretches(codes, "P", 1, every) == "10, 2-4, 16-17"
    assert stretches(codes, "P", 1, CandidatesConfig(carried_at=0.0, n_stretches=2)) == "10, 2-4"
    assert stretches(codes, "P", 0, every) == ""


def test_an_example_without_candidates_gives_an_empty_table_with_types(example, similar):
    latents = np.array([0, 1, 3])
    strict = CandidatesConfig(min_margin=1.0)
    given = "sae", example.scores(), example.judge, latents, similar, example.codes
    table = missing_annotations(*given, strict)
    assert len(table) == 0 and list(table.columns) == list(COLUMNS)
    assert table["is_labelled"].dtype == bool and isinstance(table, pd.DataFrame)
