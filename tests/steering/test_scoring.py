"""Scores of arms by hand, and the germline judge."""

import numpy as np
import pytest

from protsae.core.errors import InputError
from protsae.steering.germline import GermlineJudge, j_consensus
from protsae.steering.scoring import Judged, harmonic_mean, naturalness, scores, smallest_difference

V = {
    "IGHV1-2*01": "QVQLVQSGAEVKKPGASVKVSCKASGYTFTGYYMHWVRQAPGQGLEWMGWINPNSGGTNYAQKF"
    "QGRVTMTRDTSISTAYMELSRLRSDDTAVYYCAR",
    "IGHV3-9*01": "EVQLVESGGGLVQPGRSLRLSCAASGFTFDDYAMHWVRQAPGKGLEWVSGISWNSGSIGYADSV"
    "KGRFTISRDNAKNSLYLQMNSLRAEDTALYYCAK",
}
J = {"IGHJ4*02": "FDYWGQGTLVTVSS", "IGHJ6*02": "YYYGMDVWGQGTTVTVSS"}
IDS = (
    "locus:IGH",
    "v_subgroup:IGHV1",
    "v_gene:IGHV3-9",
    "j_gene:IGHJ6",
    "mutation_load:low",
    "cdr3_length_heavy:long",
)


def test_scores_by_hand():
    plain = Judged(*np.array([[0.0, 1, 0, 0], [0.8, 0.8, 0.8, 0.8], [1, 1, 1, 1.0]]))
    found = Judged(*np.array([[1.0, 1, 0, np.nan], [0.4, 0.4, 0.4, np.nan], [0.5, 0.5, 0.5, np.nan]]))
    own = scores(found, plain)
    hit, base = 2 / 3, 1 / 4
    gain = (hit - base) / (1 - base)
    assert own["gain"] == pytest.approx(gain)
    assert own["isolation"] == pytest.approx(0.5)
    assert own["score"] == pytest.approx(3 / (1 / gain + 1 / 0.5 + 1 / 0.5))
    assert scores(plain, plain)["score"] == 0
    weighted = scores(found, plain, np.array([[1, 1, 1, 1], [2, 0, 0, 0]]))
    assert weighted["gain"] == pytest.approx([gain, 1.0])
    assert harmonic_mean(0.0, 1.0) == 0


def test_naturalness_by_hand():
    natural = np.array([1.0, 2, 3, 4])
    assert naturalness(np.array([0.5, 2.5, 3.5, 9]), natural).tolist() == [1, 1, 0.5, 0]


def test_smallest_difference_is_2_8_standard_errors():
    samples = np.random.default_rng(0).normal(size=100_000)
    assert smallest_difference(samples) == pytest.approx(1.95996 + 0.84162, rel=0.01)


def test_germline_judge_names_genes_mutations_and_cdr3():
    judge = GermlineJudge(V, J, IDS, load=(2, 8), cdr3={"heavy": (8, 14)})
    one = V["IGHV1-2*01"][:-2] + "ARDRGG" + J["IGHJ4*02"]
    other = V["IGHV3-9*01"][:-2] + "AKDRGGRSTA" + J["IGHJ6*02"]
    assert judge.scores([one, other]).tolist() == [[1, 1, 0, 0, 1, 0], [1, 0, 1, 1, 1, 1]]
    mutated = list(one)
    for place in (2, 10, 44):
        mutated[place] = "P"
    call = judge.call("".join(mutated))
    assert (call.v_differences, call.conserved, call.cdr3_length) == (3, 1.0, 9)
    assert call.v_identity == pytest.approx(1 - 3 / 96)
    lost = judge.call(one[:21] + "S" + one[22:])
    assert lost.conserved == pytest.approx(2 / 3)
    shifted = judge.call(one[:30] + "GG" + one[30:])  # an insertion is aligned, not counted as mutations
    assert shifted.v_differences == 0
    assert judge.identity_to(one, "IGHV1-") == 1
    with pytest.raises(InputError, match="'taxon:x' cannot be judged"):
        GermlineJudge(V, J, ["taxon:x"])


def test_j_genes_are_what_sequences_end_with():
    chains = [("J*01", text + "WGQG") for text in ("AC", "CC", "DC", "ED")]
    assert j_consensus(chains) == {"J*01": "CWGQG"}
