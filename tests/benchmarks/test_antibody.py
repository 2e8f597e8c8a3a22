"""Where antibodies carry concepts, how residues are ranked within them, and floors of perplexity: by hand."""

from collections import Counter
from math import log

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from tests.benchmarks.scripts import load_script
from tests.sequences.rearrangements import PARTS, SEQUENCE, heavy, table

from helpers.antibodies import Antibody, mutations_left_out, read_antibodies
from helpers.germline_floors import GermlineFloors, masked_guesses
from helpers.localisation import Placed, evaluate, localise, position_scores, rate_scores
from protsae.core.letters import AMINO_ACIDS
from protsae.pretraining.config import PerplexityConfig, ShapeConfig
from protsae.pretraining.evaluation import masked_scores
from protsae.pretraining.model import build_module
from protsae.probing.estimates import Estimate, Key, MethodEvaluation

ALLELES = {"IGHV3-23*01": "QVQGFTWVRISYYCAK", "IGHV1-2*01": "QV"}
CLASSES = ["v_gene", "j_gene"]


def antibody(sequence=SEQUENCE, v=("IGHV3-23*01",), j="IGHJ4*02", n_mutations=0):
    """A chain with the regions of `PARTS`: 3, 3, 3, 2, 3, 4 and 3 residues."""
    return Antibody(sequence, (0, 3, 6, 9, 11, 14, 18, 21), v, j, n_mutations)


def marks(text):
    return [letter == "x" for letter in text]


def test_evidence_of_each_class_of_concept():
    found = antibody("AVQGFTWVAISYYCARDYWGQ").evidence(ALLELES)
    assert found["v"].tolist() == marks("xxxxxxxxxxxxxx.......")
    assert found["cdr3"].tolist() == marks("..............xxxx...")
    assert found["j"].tolist() == marks("..............xxxxxxx")
    assert found["mutated"].tolist() == marks("x.......x............")  # the D of CDR3 is not of the V gene
    long = Antibody("AAAAAAACDEFGHWW", (0, 1, 2, 3, 4, 5, 13, 15), (), "", 0)
    assert long.evidence({})["j"].tolist() == marks(".........xxxxxx")


def test_of_tied_v_alleles_the_first_that_is_known_counts():
    tied = antibody(v=("IGHV9-9*01", "IGHV1-2*01", "IGHV3-23*01"))
    assert tied.germline(ALLELES) == "QV"
    assert antibody().germline(ALLELES) == "QVQGFTWVRISYYC"  # to the end of FR3
    some = [tied, antibody("A" + SEQUENCE[1:]), antibody(v=("IGHV9-9*01",))]
    assert mutations_left_out(some, ALLELES) == {"n_without_allele": 1, "n_without_difference": 1}


def test_chains_that_regions_do_not_fill_are_counted(tmp_path):
    rows = [
        heavy("a", v_call="IGHV1-2*01,IGHV3-23*01", n_mutations="3"),
        heavy("b", fwr4_aa="WG"),
        heavy("other"),
    ]
    ids = pd.DataFrame({"protein_id": ["a", "b"], "aliases": "", "sequence": SEQUENCE})
    found, n_left_out = read_antibodies(table(tmp_path / "t.tsv", rows), ids)
    assert n_left_out == 1
    assert found == {"a": antibody(v=("IGHV1-2*01", "IGHV3-23*01"), n_mutations=3)}
    assert found["a"].sequence[found["a"].region("CDR3")] == PARTS[5]


@pytest.fixture
def placed():
    """Three antibodies, of which the second has another length; the third has no J gene."""
    second = Antibody("QVGFWVISYYARWG", (0, 2, 4, 6, 8, 10, 12, 14), (), "", 0)
    positive = np.array([[1, 1], [1, 1], [1, 0]], bool)
    return Placed.of([antibody(), second, antibody()], ALLELES, positive, CLASSES)


def test_residues_are_ranked_within_each_protein(placed):
    scores = np.round(np.random.default_rng(0).normal(size=(56, 2)), 0)  # many ties
    drawn = placed.drawn(["v", "j"], 200, 0)
    assert drawn.tolist() == placed.positive.tolist()
    found = localise(scores, placed, drawn, scores > 0)
    parts = {0: slice(0, 21), 1: slice(21, 35), 2: slice(35, 56)}
    for (protein, at), (column, name) in [(p, c) for p in parts.items() for c in enumerate(CLASSES)]:
        truth, own = placed.evidence[name][at], scores[at, column]
        if not drawn[protein, column]:
            assert all(np.isnan(values[protein, column]) for values in found.values())
            continue
        assert found["auc"][protein, column] == pytest.approx(roc_auc_score(truth, own))
        expected = average_precision_score(truth, own)
        assert found["average_precision"][protein, column] == pytest.approx(expected)
        assert found["fires_inside"][protein, column] == pytest.approx((own[truth] > 0).mean())
        assert found["fires_outside"][protein, column] == pytest.approx((own[~truth] > 0).mean())


def test_proteins_are_drawn_among_those_that_differ_in_evidence(placed):
    assert placed.drawn(["v", "j"], 1, 0).sum(axis=0).tolist() == [1, 1]
    unmutated = Placed.of([antibody()], ALLELES, np.ones((1, 1), bool), ["mutation_load"])
    assert not unmutated.drawn(["load"], 200, 0).any()


def test_means_over_proteins_then_over_concepts():
    values = np.array([[0.2, np.nan, 0.5], [0.6, 0.9, np.nan], [np.nan, 0.5, 0.1]])
    weights = np.array([[1, 1, 1], [2, 0, 1], [0, 3, 0]])
    found = evaluate({"auc": values}, np.array(["v_gene", "v_gene", "j_gene"], object), weights)
    assert found["auc", "v_gene"].value == pytest.approx((0.4 + 0.7) / 2)
    assert found["auc", "v_gene"].n == 2
    np.testing.assert_allclose(
        found["auc", "v_gene"].samples, [0.55, (0.2 + 0.5) / 2, (0.6 + 0.9) / 2], atol=1e-12
    )
    assert found["auc", "j_gene"].value == pytest.approx(0.3)
    np.testing.assert_allclose(found["auc", "j_gene"].samples, [0.3, (2 * 0.5 + 0.1) / 3, np.nan])


def test_shares_of_training_residues_in_the_same_place(placed):
    bins = placed.bins()
    assert bins["from_start"][20:23].tolist() == [20, 0, 1]
    assert bins["from_end"][20:23].tolist() == [0, 13, 12]
    rates = rate_scores(placed, bins["from_start"], np.array([0, 11, 12, 20, 21]))
    # Residue 11 is of the V gene in two of three antibodies; in one of the two with a J gene it is of that.
    assert rates[:, 0].tolist() == pytest.approx([1, 2 / 3, 2 / 3, 0, 0])
    assert rates[:, 1].tolist() == pytest.approx([0, 1 / 2, 1 / 2, 1, 0])


@pytest.mark.parametrize("end", ["from_start", "from_end"])
def test_position_is_counted_from_the_better_end(end):
    chains = []
    for n in (0, 0, 0, 10, 20):
        before, after = (0, n) if end == "from_start" else (n, 0)
        first, *others = antibody().bounds
        bounds = (first, *(bound + before for bound in others[:-1]), others[-1] + n)
        chains.append(Antibody("A" * before + SEQUENCE + "G" * after, bounds, (), "", 0))
    lined_up = Placed.of(chains, {}, np.ones((5, 2), bool), CLASSES)
    scores = position_scores(lined_up, lined_up, lined_up.positive, lined_up)
    bins = lined_up.bins()[end]
    np.testing.assert_array_equal(scores, rate_scores(lined_up, bins, bins))
    assert (localise(scores, lined_up, lined_up.positive)["auc"] == 1).all()


def test_floors_of_perplexity_by_hand():
    train = [antibody(), antibody("A" + SEQUENCE[1:], n_mutations=5), antibody(j="IGHJ6*01", n_mutations=1)]
    floors = GermlineFloors(train, {"IGHV3-23*01": ALLELES["IGHV3-23*01"]})
    letters = Counter("".join(chain.sequence for chain in train))
    frequency = {letter: (letters[letter] + 1) / (63 + 20) for letter in AMINO_ACIDS}
    judged = antibody("CVQGFTWVRISYYCWRDYWGQ")
    guessed = {name: np.exp(-values) for name, values in floors.guess(judged).items()}
    assert guessed["residue_frequencies"].tolist() == pytest.approx([frequency[x] for x in judged.sequence])
    by_position = guessed["position_frequencies"]
    assert by_position[0] == pytest.approx(frequency["C"] / 4)  # not seen there
    assert by_position[1] == pytest.approx((3 + frequency["V"]) / 4)
    germline = guessed["germline"]
    e = (1 + 1) / (9 + 2)  # FR1: one of nine residues differs
    assert floors.mutated["FR1"] == pytest.approx(e)
    assert "CDR3" not in floors.mutated
    assert germline[0] == pytest.approx(e * frequency["C"] / (1 - frequency["Q"]))
    assert germline[1] == pytest.approx(1 - e)
    assert germline[14:18].tolist() == by_position[14:18].tolist()  # CDR3
    # FR4: the consensus of IGHJ4*02 is of the one training antibody without mutations.
    assert germline[20] == pytest.approx(1 - 1 / (6 + 2))
    unknown = antibody(v=("IGHV9-9*01",), j="IGHJ6*01")  # training has IGHJ6*01 with mutations only
    guess = floors.guess(unknown)
    assert guess["germline"].tolist() == guess["position_frequencies"].tolist()
    assert guess["residue_frequencies"][0] == pytest.approx(-log(frequency["Q"]))


def test_the_model_and_the_floors_guess_the_same_residues():
    module = build_module(ShapeConfig(n_layers=1, d_model=16, n_heads=2), 0)
    chains, config = [antibody(), antibody("A" + SEQUENCE[1:])], PerplexityConfig(mask_probability=0.4)
    floors = GermlineFloors(chains, {})
    regions, found = masked_guesses(module, floors, chains, config)
    together = masked_scores(module, [chain.sequence for chain in chains], config, torch.device("cpu"))
    assert found["language_model"].sum() == pytest.approx(together.cross_entropy.sum(), rel=1e-5)
    expected = -np.log(floors.frequencies)[together.residue]
    np.testing.assert_allclose(found["residue_frequencies"], expected)
    assert len(regions) == len(expected)


def test_a_row_per_method_class_and_metric():
    def evaluation(auc):
        estimates = {
            Key.of(metric, name): Estimate(auc, n, np.full(10, auc))
            for metric, n in (("auc", 3), ("fmax", 80))
            for name in ("j_gene", "mean")
        }
        return MethodEvaluation(estimates, pd.DataFrame())

    evaluations = [
        {("position", "test"): evaluation(0.5), ("topk_latent", "test"): evaluation(0.6)},
        {("topk_latent", "test"): evaluation(0.8)},
    ]
    found = load_script("antibody").table(evaluations, ("auc", "fmax"), 0.95)
    assert found["class"].unique().tolist() == ["j_gene"]
    rows = found.set_index(["method", "metric"])
    assert rows.loc[("topk_latent", "fmax"), "mean"] == pytest.approx(0.7)
    assert rows.loc[("topk_latent", "fmax"), "sd"] == pytest.approx(np.std([0.6, 0.8], ddof=1))
    assert rows.loc[("topk_latent", "fmax"), ["n_seeds", "n_concepts"]].tolist() == [2, 3]
    assert np.isnan(rows.loc[("position", "auc"), "sd"])


def test_genes_also_count_together():
    concepts = pd.DataFrame({"aspect": ["j_gene", "mutation_load", "locus", "j_gene"]})
    columns = load_script("antibody").GeneVocabulary(concepts, {}, None).columns()
    assert {name: index.tolist() for name, index in columns.items()} == {
        "j_gene": [0, 3],
        "locus": [2],
        "mutation_load": [1],
        "all": [0, 1, 2, 3],
        "gene": [0, 2, 3],
    }
