"""What the explainer says of dictionaries whose latents stand for known concepts."""

import numpy as np
from tests.explanation.planted import PlantedDictionary

from protsae.explanation.config import ExplanationConfig
from protsae.explanation.evidence import sentence
from protsae.explanation.explainer import Explained, Explainer


def _scores(found, part, score):
    return np.array([getattr(getattr(of, part), score) for of in found if of.n_scored])


def test_nineteen_of_twenty_recovered_latents_get_their_concept(tmp_path):
    """Recovered: on test proteins, F1 of the latent with its planted concept exceeds the floor by .2."""
    named, recovered = 0, 0
    for seed in range(3):
        planted = PlantedDictionary(tmp_path / str(seed), seed, n=240, n_protein=12, n_residue=6)
        found = {of.evidence.latent: of for of in explain(planted)}
        for latent, concept in planted.concept_of.items():
            recovered += 1
            evidence = found[latent].evidence
            if evidence.concept_id == f"C:{concept}" and f"concept {concept} " in sentence(evidence):
                named += 1
        for latent in planted.noise:
            assert found[latent].evidence.concept_id == ""
            assert found[latent].confidence(ExplanationConfig()) == "low"
    assert recovered == 54
    assert named >= 0.95 * recovered


def explain(planted) -> list[Explained]:
    return Explainer(planted.codes, planted.latents, planted.proteins, ExplanationConfig()).explain()


def test_shuffled_explanations_are_at_chance(explained):
    for score, chance in (("detection", 0.5), ("fuzzing", 0.5), ("intruder", 0.2)):
        floors = _scores(explained, "floor", score)
        assert abs(floors.mean() - chance) < 0.04, score
        assert _scores(explained, "test", score).mean() > floors.mean() + 0.15, score


def test_latents_of_no_concept_are_at_chance(planted, explained):
    noise = [of for of in explained if of.evidence.latent in planted.noise]
    assert abs(_scores(noise, "test", "detection").mean() - 0.5) < 0.03
    assert abs(_scores(noise, "test", "fuzzing").mean() - 0.5) < 0.06


def test_rules_name_concept_and_motif(planted, explained):
    by_latent = {of.evidence.latent: of for of in explained}
    for latent, concept in planted.concept_of.items():
        text = by_latent[latent].evidence.rule.text
        if concept >= 8:
            assert text.startswith(f"inside concept {concept}")
        elif concept % 2:
            assert "W-x-C" in text or "on W" in text
        else:
            assert text == f"in proteins with concept {concept}"
        assert by_latent[latent].confidence(ExplanationConfig()) != "low"
        assert by_latent[latent].test.detection > 0.75


def test_the_result_is_the_same_every_time(planted, explained):
    again = explain(planted)
    for one, other in zip(explained, again, strict=True):
        assert sentence(one.evidence) == sentence(other.evidence)
        assert np.array_equal(one.test, other.test, equal_nan=True)
        assert np.array_equal(one.floor, other.floor, equal_nan=True)


def test_no_label_of_a_test_protein_changes_an_explanation(planted, explained, tmp_path):
    """Test labels may move scores; sentences, rules and confidence come from validation alone."""
    proteins = planted.proteins
    test = proteins.labels["test"]
    flipped = type(test)(test.protein_ids, ~test.labels, test.labelled)
    spoilt = type(proteins)(**{**vars(proteins), "labels": {**proteins.labels, "test": flipped}})
    config = ExplanationConfig()
    again = Explainer(planted.codes, planted.latents, spoilt, config).explain()
    assert [sentence(of.evidence) for of in again] == [sentence(of.evidence) for of in explained]
    assert [of.confidence(config) for of in again] == [of.confidence(config) for of in explained]
    assert [of.test for of in again] != [of.test for of in explained]
