"""Windows, and the three tests on cases counted by hand."""

import numpy as np
import pytest

from protsae.core.errors import InputError
from protsae.explanation.config import ExplanationConfig
from protsae.explanation.explainer import Explainer, choose_rule
from protsae.explanation.rules import Concept, Letters, Rule
from protsae.explanation.scoring import (
    Answers,
    answers_of,
    detection_and_fuzzing,
    intruder_credit,
    score_rule,
)
from protsae.explanation.windows import draw_windows, peaks


def test_windows_fire_or_are_silent_as_they_say(explainer):
    panel, config = explainer.test, explainer.config
    n_seen = 0
    for latent in explainer.latents["latent"]:
        windows = draw_windows(panel, latent, config, "test")
        if windows is None:
            continue
        n_seen += 1
        fires = panel.fires_on(latent, np.arange(len(panel.letters)))
        assert windows.firing.shape == windows.silent.shape
        assert windows.firing.shape[0] == config.n_draws
        assert np.array_equal(windows.marks, fires[windows.firing])
        assert windows.marks[..., config.flank].all()
        assert not fires[windows.silent].any()
        assert panel.is_residue[windows.silent[..., config.flank]].all()
        assert not (windows.false_marks & windows.marks).any()
        assert not windows.false_marks[~panel.is_residue[windows.firing]].any()
        free = (panel.is_residue[windows.firing] & ~windows.marks).sum(axis=-1)
        expected = np.minimum(windows.marks.sum(axis=-1), free)
        assert np.array_equal(windows.false_marks.sum(axis=-1), expected)
        centres = windows.firing[..., config.flank]
        for draw in centres:
            assert len(set(panel.protein[draw])) == len(draw), "one window of a protein"
            assert set(draw) <= set(peaks(panel, latent))
        for rows in windows.firing.reshape(-1, windows.firing.shape[-1]):
            assert len(set(panel.protein[rows]) - {-1}) == 1
        for draw in windows.companions:
            assert all(len(set(of)) == config.n_shown - 1 for of in draw)
        assert windows.companions.max() < windows.firing.shape[1]
    assert n_seen >= 12


def test_latents_with_too_few_windows_are_not_scored(planted, explainer):
    config = ExplanationConfig(n_windows=50, min_windows=50)
    assert draw_windows(explainer.test, 0, config, "test") is None


def test_detection_and_fuzzing_counted_by_hand():
    yes, no = True, False
    answers = Answers(
        fires=np.array([[yes, yes, yes, no], [no, no, no, no]]),
        fires_in_silent=np.array([[no, no, yes, no], [no, no, no, no]]),
        accepts=np.array([[yes, yes, no, no], [yes, yes, yes, yes]]),
        accepts_false=np.array([[no, no, yes, yes], [no, no, no, no]]),
        can_fuzz=np.array([[yes, yes, yes, no], [no, no, no, no]]),
    )
    detection, fuzzing = detection_and_fuzzing(answers)
    assert detection.tolist() == [(3 / 4 + 3 / 4) / 2, 0.5]
    assert fuzzing[0] == pytest.approx((2 / 3 + 2 / 3) / 2)
    assert np.isnan(fuzzing[1])


def test_the_intruder_is_guessed_among_the_least_likely():
    fires = np.array([[1, 1, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 0]], bool)
    in_silent = np.array([0, 0, 1, 1, 0], bool)
    assert intruder_credit(fires, in_silent).tolist() == [1, 1 / 2, 1 / 5, 0, 1 / 5]


def test_what_a_rule_knows_shows_in_the_test_that_asks_for_it(planted, explainer):
    """A concept of residues passes all tests, one of proteins says nothing of residues."""
    panel = explainer.test
    latent, concept = next((latent, c) for latent, c in planted.concept_of.items() if c >= 8)
    windows = draw_windows(panel, latent, explainer.config, "test")
    inside = score_rule(Rule((Concept(concept, "", "residue"),)), panel, windows)
    # A firing window in 20 is none of the concept's: four companions are all right in .95^4 of the cases.
    assert inside.detection > 0.9 and inside.fuzzing > 0.9 and inside.intruder > 0.95**4
    predicted = Rule().holds(panel, windows.firing), Rule().holds(panel, windows.silent)
    undecided = answers_of(*predicted, panel, windows)
    partly = windows.false_marks.any(axis=-1)
    assert not undecided.accepts[partly].any(), "a tie does not accept marks"
    nothing = score_rule(Rule(), panel, windows)
    assert nothing == (0.5, 0.5, pytest.approx(0.2))
    latent, concept = next((latent, c) for latent, c in planted.concept_of.items() if c < 8 and c % 2 == 0)
    windows = draw_windows(panel, latent, explainer.config, "test")
    of_protein = score_rule(Rule((Concept(concept, "", "protein"),)), panel, windows)
    assert of_protein.detection > 0.75
    assert of_protein.fuzzing == 0.5


def test_scores_against_a_loop_over_windows(planted, explainer):
    panel, rule = explainer.test, Rule((Letters("WC"),))
    latent = next(latent for latent, c in planted.concept_of.items() if c == 1)
    windows = draw_windows(panel, latent, explainer.config, "test")

    def predicted(rows):
        return [row for row in rows if panel.is_residue[row] and chr_of(panel, row) in "WC"]

    def accepted(rows, marks):
        share = {}
        for kind in (True, False):
            of_kind = [row for row, m in zip(rows, marks, strict=True) if m == kind and panel.is_residue[row]]
            hits = [row for row in of_kind if chr_of(panel, row) in "WC"]
            share[kind] = len(hits) / len(of_kind) if of_kind else 0.0
        return share[True] > share[False]

    detections, fuzzings = [], []
    for draw in range(len(windows.firing)):
        firing, silent = windows.firing[draw], windows.silent[draw]
        sensitivity = np.mean([bool(predicted(rows)) for rows in firing])
        detections.append((sensitivity + np.mean([not predicted(rows) for rows in silent])) / 2)
        true = [accepted(rows, m) for rows, m in zip(firing, windows.marks[draw], strict=True)]
        false = [accepted(rows, m) for rows, m in zip(firing, windows.false_marks[draw], strict=True)]
        fuzzings.append((np.mean(true) + 1 - np.mean(false)) / 2)
    found = score_rule(rule, panel, windows)
    assert found.detection == pytest.approx(np.mean(detections))
    assert found.fuzzing == pytest.approx(np.mean(fuzzings))


def chr_of(panel, row):
    return "ACDEFGHIKLMNPQRSTVWY."[panel.letters[row]]


def test_conditions_that_add_little_are_left_out(planted, explainer):
    latent, concept = next((latent, c) for latent, c in planted.concept_of.items() if c >= 8)
    windows = explainer.windows(latent, "choose")
    right, wrong = Concept(concept, "right", "residue"), Letters("ACDEFGHIKLMNPQRSTVWY")
    config = explainer.config
    assert choose_rule([wrong, right], explainer.choosing, windows, config) == Rule((right,))
    assert choose_rule([wrong], explainer.choosing, windows, config) == Rule()
    assert choose_rule([], explainer.choosing, windows, config) == Rule()


def test_halves_part_clusters_and_share_no_protein(planted, explainer):
    one, other = explainer.halves
    assert sorted(one + other) == planted.proteins.ids["validation"]
    clusters = planted.proteins.clusters
    assert not {clusters[name] for name in one} & {clusters[name] for name in other}
    assert min(len(one), len(other)) > 30


def test_proteins_that_are_not_stored_whole_are_refused(planted):
    proteins = planted.proteins
    name = proteins.ids["test"][0]
    longer = {**proteins.letters, name: np.append(proteins.letters[name], proteins.letters[name][:1])}
    spoilt = type(proteins)(**{**vars(proteins), "letters": longer})
    broken = Explainer(planted.codes, planted.latents, spoilt, ExplanationConfig())
    with pytest.raises(InputError, match=name):
        _ = broken.test
