"""Judges without a language model: against scikit-learn and by hand, and that they see no relatives."""

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import sqrtm
from scipy.spatial.distance import jensenshannon
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler
from tests.plm.tiny_esm2 import random_sequences, tiny_model

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder
from protsae.steering.judges import Known, ProbeJudge, kmers, mean_activations
from protsae.steering.naturalness import composition, composition_distance, frechet_distance
from protsae.steering.tabulating import KMER_COLUMNS, CrossJudge, with_kmer_scores


def drawn(n, seed, rich="W", share=0.5, length=40):
    """Return random sequences, whether each is rich in a letter, and of which that is known."""
    generator = np.random.default_rng(seed)
    has = generator.random(n) < share
    texts = [
        "".join(generator.choice(list(AMINO_ACIDS + (rich * 6 if one else "")), size=length)) for one in has
    ]
    return texts, has, generator.random(n) < 0.9


def known(n, seed):
    texts, has, labelled = drawn(n, seed)
    other = np.array([text.count("K") > 2 for text in texts])
    return Known(texts, np.stack([has, other], axis=1), np.stack([labelled, ~labelled | other], axis=1))


def test_kmers_by_hand():
    (row,) = kmers(["ACXAC"])
    index = AMINO_ACIDS.index
    expected = np.zeros(420)
    expected[[index("A"), index("C")]] = np.sqrt(0.5)
    expected[20 + 20 * index("A") + index("C")] = 1.0
    np.testing.assert_allclose(row, expected)
    assert kmers(["X"]).sum() == 0


def test_judge_equals_scikit_learn():
    train, held_out = known(150, 0), known(80, 1)
    judge = ProbeJudge.fit(kmers, ["w", "k"], train, held_out)
    sequences = ["W" * 20 + "ACDEFGHIKL", "ACDEFGHIKLMNPQRSTVY", *held_out.sequences[:20]]
    found = judge.scores(sequences)
    scaler = StandardScaler().fit(kmers(train.sequences))
    for i in range(2):
        rows = train.labelled[:, i]
        model = LogisticRegression(C=1 / (0.3 * rows.sum()), tol=1e-10, max_iter=10_000)
        model.fit(scaler.transform(kmers(train.sequences))[rows], train.labels[rows, i])
        held, wanted = (
            model.decision_function(scaler.transform(kmers(of))) for of in (held_out.sequences, sequences)
        )
        own = held_out.labelled[:, i]
        auc = roc_auc_score(held_out.labels[own, i], held[own])
        assert judge.held_out_auc[i] == pytest.approx(auc, abs=0.002)
        natural = held[own & held_out.labels[:, i]]
        expected = [(natural <= value).mean() for value in wanted]
        assert np.abs(found[:, i] - expected).max() < 1.5 / len(natural)
    has = np.array([text.count("W") > 6 for text in sequences])
    assert found[has, 0].mean() > found[~has, 0].mean() + 0.3
    assert judge.is_eligible.tolist() == (judge.held_out_auc >= 0.75).tolist()


def test_judge_refuses_a_concept_of_one_kind():
    train, held_out = known(50, 0), known(50, 1)
    none = Known(held_out.sequences, np.zeros_like(held_out.labels), held_out.labelled)
    with pytest.raises(InputError, match=r"w: 0 of .* held-out proteins have it"):
        ProbeJudge.fit(kmers, ["w", "k"], train, none)


def test_judge_by_embeddings_of_another_model(tmp_path):
    decoder = Decoder(tiny_model(tmp_path), "layers.0.resid_post", DecodingConfig())
    texts = random_sequences([30, 12])
    features = mean_activations(decoder)(texts)
    for row, text in zip(features, texts, strict=True):
        (alone,) = decoder.activations([text])
        np.testing.assert_allclose(row, alone.mean(dim=0).numpy(), rtol=1e-5)
    judge = ProbeJudge.fit(mean_activations(decoder), ["w", "k"], known(150, 0), known(80, 1))
    assert judge.held_out_auc[0] > 0.9


def test_composition_and_its_distance():
    assert composition(["AACX"])[0, [0, 1]].tolist() == pytest.approx([2 / 3, 1 / 3])
    background = composition(drawn(50, 0)[0]).mean(axis=0)
    texts = ["W" * 30, *drawn(3, 1)[0]]
    found = composition_distance(texts, background)
    expected = [jensenshannon(composition([text])[0], background, base=2) for text in texts]
    assert found.tolist() == pytest.approx(expected)
    assert found[0] > 2 * found[1:].max()


def test_frechet_distance_equals_the_formula():
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(200, 4)), generator.normal(1.0, 2.0, size=(300, 4))
    covariances = np.cov(a.T), np.cov(b.T)
    moved = a.mean(axis=0) - b.mean(axis=0)
    root = sqrtm(covariances[0] @ covariances[1]).real
    expected = moved @ moved + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


@pytest.fixture(scope="module")
def run():
    """Return the tables of a run: proteins in clusters of two, one of which is rich in tryptophan by its
    label, and a concept above it."""
    texts, has, _ = drawn(160, 3)
    ids = [f"P{i}" for i in range(160)]
    proteins = pd.DataFrame({"protein_id": ids, "sequence": texts, "split": "train"})
    proteins["cluster_id"] = [f"C{i // 2}" for i in range(160)]
    proteins.loc[150:, "split"] = "excluded"
    concepts = pd.DataFrame({"concept_idx": [0, 1, 2], "concept_id": ["w", "up", "noise"], "aspect": "MFO"})
    noise = np.random.default_rng(9).random(160) < 0.5
    pairs = [(name, i) for i, of in enumerate((has, has, noise)) for name in np.array(ids)[of]]
    labels = pd.DataFrame(pairs, columns=["protein_id", "concept_idx"])
    return proteins, concepts, labels, pd.DataFrame({"protein_id": ids, "aspect": "MFO"})


def test_each_protein_is_judged_by_the_judge_that_saw_no_relative(run):
    judge = CrossJudge.fit(*run)
    proteins = run[0]
    halves = proteins["protein_id"].map(judge.half_of)
    assert halves[150:].isna().all()
    assert (halves[:150].groupby(proteins["cluster_id"][:150]).nunique() == 1).all()
    assert 60 < (halves == 0).sum() < 90
    texts = proteins["sequence"].tolist()
    for side in (0, 1):
        seen = np.array(texts)[(halves == 1 - side).to_numpy()]
        np.testing.assert_allclose(judge.judges[side].probes.mean, kmers(seen.tolist()).mean(axis=0))
    second = next(name for name, half in judge.half_of.items() if half == 1)
    found = judge.scores(["P0", second, "new"], texts[:3])
    halves = (judge.half_of["P0"], 1, 0)
    expected = [judge.judges[half].scores(texts[:3])[i] for i, half in enumerate(halves)]
    assert found.tolist() == np.array(expected).tolist()
    assert judge.judges[0].scores(texts[:3])[1].tolist() != found[1].tolist()


def test_columns_of_designs(run):
    designs = pd.DataFrame(
        {
            "id": ["P0", "P1", "P0", "P0"],
            "go_id": ["w", "w", "noise", "latent 3"],
            "original_sequence": "ACDEFGHIKLMNPQRSTVY" * 2,
            "generated_sequence": ["W" * 38, "ACDEFGHIKLMNPQRSTVY" * 2, "W" * 38, "W" * 38],
        }
    )
    judge = CrossJudge.fit(*run)
    relations = pd.DataFrame({"child_id": ["w"], "parent_id": ["up"]})
    found = with_kmer_scores(designs, judge, relations)
    assert tuple(found.columns[-4:]) == KMER_COLUMNS
    assert found["kmer_auc"][:3].tolist() == pytest.approx([judge.auc[0], judge.auc[0], judge.auc[2]])
    assert judge.auc[0] > 0.9
    assert judge.auc[2] < 0.75
    assert found["kmer_score"].notna().tolist() == [True, True, False, False]
    assert found["kmer_score"][0] > 0.9 > 0.2 > found["original_kmer_score"][0]
    assert found["kmer_score"][1] == found["original_kmer_score"][1]
    assert found["kmer_off_target_change"][:2].isna().all()  # `up` is above it, `noise` has no judge
    assert found["kmer_off_target_change"][3] > 0.7
    assert with_kmer_scores(designs, judge, None)["kmer_off_target_change"][1] == 0
    assert with_kmer_scores(designs, None, None)[list(KMER_COLUMNS)].isna().all(axis=None)
    few = [run[0].head(20), *run[1:]]
    assert CrossJudge.fit(*few) is None
