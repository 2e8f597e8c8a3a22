"""Conditions of rules against slow loops over letters, and rules as text."""

import numpy as np
import pytest

from protsae.core.letters import AMINO_ACIDS
from protsae.explanation.panel import N_LETTERS, largest_activations, read_panel
from protsae.explanation.rules import (
    Concept,
    Letters,
    Motif,
    Place,
    Rule,
    letters_of,
    motif_scores,
    motifs_of,
    place_of,
)
from protsae.explanation.tables import read_rule, rule_text
from protsae.explanation.windows import peaks

GAP = 4


@pytest.fixture(scope="module")
def panel(planted):
    ids = planted.proteins.ids["test"]
    cut = 0.3 * largest_activations(planted.codes, planted.proteins.ids["validation"])
    return read_panel(planted.codes, planted.proteins, ids, "test", cut, GAP)


def everywhere(panel):
    return np.arange(len(panel.letters))


def residues(planted, panel):
    """Yield row, protein id, 0-based position and sequence, protein by protein."""
    sequences = planted.table.set_index("protein_id")["sequence"]
    row = 0
    for name in panel.protein_ids:
        row += GAP
        for position in range(len(sequences[name])):
            yield row, name, position, sequences[name]
            row += 1
    assert row + GAP == len(panel.letters)


def test_the_panel_holds_every_residue_and_nothing_else(planted, panel):
    is_residue = np.zeros(len(panel.letters), bool)
    for row, name, position, sequence in residues(planted, panel):
        is_residue[row] = True
        assert AMINO_ACIDS[panel.letters[row]] == sequence[position]
        assert (panel.protein_ids[panel.protein[row]], panel.position[row]) == (name, position)
    assert np.array_equal(panel.is_residue, is_residue)
    assert (panel.letters[~is_residue] == N_LETTERS).all()


def test_firing_residues_and_peaks_are_those_of_the_activations(planted, panel):
    largest = {
        latent: max(planted.acts[p][:, latent].max() for p in planted.proteins.ids["validation"])
        for latent in (0, 5)
    }
    for latent, of_latent in largest.items():
        rows, best = [], {}
        for row, name, position, _ in residues(planted, panel):
            act = planted.acts[name][position, latent]
            if act >= 0.3 * of_latent:
                rows.append(row)
                if act > best.get(name, (0.0, 0))[0]:
                    best[name] = act, row
        assert panel.firing(latent)[0].tolist() == rows
        assert panel.fires_on(latent, everywhere(panel)).sum() == len(rows)
        assert peaks(panel, latent).tolist() == [row for _, row in best.values()]


def test_concepts_hold_where_proteins_or_spans_carry_them(planted, panel):
    carried = set(map(tuple, planted.labels["protein_labels"].to_numpy().tolist()))
    spans = planted.labels["residue_labels"]
    rows = everywhere(panel)
    of_protein = Concept(2, "concept 2", "protein").holds(panel, rows)
    of_residue = Concept(9, "concept 9", "residue").holds(panel, rows)
    at = {
        (r.protein_id, i)
        for r in spans[spans["concept_idx"] == 9].itertuples()
        for i in range(r.start, r.end)
    }
    for row, name, position, _ in residues(planted, panel):
        assert of_protein[row] == ((name, 2) in carried)
        assert of_residue[row] == ((name, position) in at)
    assert not of_protein[~panel.is_residue].any() and not of_residue[~panel.is_residue].any()


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        (Place("start", 0, 5), lambda i, n: i < 5),
        (Place("end", 0, 3), lambda i, n: i >= n - 3),
        (Place("between", 0.2, 0.4), lambda i, n: 0.2 <= i / n < 0.4),
    ],
)
def test_places_hold_in_their_part_of_a_protein(planted, panel, place, inside):
    holds = place.holds(panel, everywhere(panel))
    for row, _, position, sequence in residues(planted, panel):
        assert holds[row] == inside(position, len(sequence))


def test_motif_scores_are_sums_of_log_odds_of_neighbours(planted, panel):
    log_odds = np.random.default_rng(0).normal(size=(5, N_LETTERS + 1))
    log_odds[:, -1] = 0
    scores = motif_scores(log_odds, panel, everywhere(panel))
    for row, _, position, sequence in residues(planted, panel):
        expected = sum(
            log_odds[2 + offset, AMINO_ACIDS.index(sequence[position + offset])]
            for offset in range(-2, 3)
            if 0 <= position + offset < len(sequence)
        )
        assert scores[row] == pytest.approx(expected)


def latent_of(planted, concept):
    return next(latent for latent, c in planted.concept_of.items() if c == concept)


def test_a_planted_motif_is_found_with_thresholds_of_falling_strictness(planted, panel):
    latent = latent_of(planted, 1)
    motifs = motifs_of(panel, latent, flank=4)
    assert [motif.consensus for motif in motifs] == ["W-x-C"] * len(motifs)
    assert len(motifs) >= 2
    thresholds = [motif.threshold for motif in motifs]
    assert thresholds == sorted(thresholds)
    reached = [motif.holds(panel, peaks(panel, latent)).mean() for motif in motifs]
    assert reached == sorted(reached, reverse=True)
    assert reached[0] >= 0.85
    assert motifs_of(panel, latent_of(planted, 0), flank=4) == [], "random residues have no motif"


def test_enriched_letters_are_twice_as_common_where_a_latent_fires(planted, panel):
    found = letters_of(panel, latent_of(planted, 1))
    assert found is not None and found.letters == "W"
    assert letters_of(panel, latent_of(planted, 0)) is None
    holds = found.holds(panel, everywhere(panel))
    for row, _, position, sequence in residues(planted, panel):
        assert holds[row] == (sequence[position] == "W")


def test_places_are_the_smallest_part_with_four_fifths_of_the_peaks(planted, panel):
    assert place_of(panel, latent_of(planted, 0)) is None
    latent = latent_of(planted, 0)

    def moved(rows):
        """The panel with one firing residue per protein, all for one latent."""
        indptr = np.where(np.arange(len(panel.indptr)) > latent, len(rows), 0)
        return type(panel)(
            **{**vars(panel), "indptr": indptr, "rows": rows, "acts": np.ones(len(rows), np.float32)}
        )

    first, lengths = panel.first_row, panel.lengths
    assert place_of(moved(first + 6), latent) == Place("start", 0.0, 7.0)
    assert place_of(moved(first + lengths - 10), latent) == Place("end", 0.0, 10.0)
    assert place_of(moved(first + (lengths * 0.55).astype(int)), latent) == Place("between", 0.5, 0.6)
    spread = moved(first + (lengths * np.linspace(0.05, 0.95, len(first))).astype(int))
    assert place_of(spread, latent) is None


def test_all_conditions_of_a_rule_have_to_hold(panel):
    rows = everywhere(panel)
    one, other = Letters("AC"), Place("start", 0, 20)
    expected = one.holds(panel, rows) & other.holds(panel, rows) & panel.is_residue
    assert np.array_equal(Rule((one, other)).holds(panel, rows), expected)
    assert expected.any()
    assert np.array_equal(Rule().holds(panel, rows), panel.is_residue)
    assert Rule((one, other)).text == "on A or C, in the first 20 residues"


def test_a_rule_written_as_text_predicts_the_same(planted, panel):
    rows = everywhere(panel)
    motif = motifs_of(panel, latent_of(planted, 1), flank=4)[0]
    rule = Rule(
        (motif, Concept(1, 'a "quoted" concept', "protein"), Place("between", 0.1, 0.9), Letters("W"))
    )
    again = read_rule(rule_text(rule))
    assert np.array_equal(again.holds(panel, rows), rule.holds(panel, rows))
    assert rule.holds(panel, rows).any()
    assert again.text == rule.text
    assert read_rule(rule_text(Rule())) == Rule()
    assert isinstance(again.conditions[0], Motif)
