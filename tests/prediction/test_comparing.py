"""Variants against wild types: slow computations, and fair-esm's own logits."""

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import tiny_esm2
from tests.prediction.small import HOOK_POINT, plan_of, small_release

from protsae.plm.forward import Esm2Forward
from protsae.prediction.proteins import Proteins
from protsae.prediction.result import Prediction
from protsae.prediction.variants import Substitution, Variant

WILD = Proteins(("P1", "P2"), ("", ""), ("MKTAYIAKQRQISFVKSHFSRQLEERLGLIEV", "GAVLIGAVLIMKTAYIAK"), {})


def variant(protein_id, text, line, score=None):
    parts = [Substitution(part[0], int(part[1:-1]), part[-1]) for part in text.split(":")]
    return Variant(protein_id, text, tuple(parts), line, score)


VARIANTS = [
    variant("P2", "G1A", 2),
    variant("P1", "K2W", 3),
    variant("P1", "Y5C:S13W", 4),
    variant("P1", "V32D", 5),
    variant("P1", "M1M", 6),
]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("variants")
    release = small_release(folder)
    plan = plan_of(release, WILD, VARIANTS, proteins_per_shard=2, variants_compared={"min_change": 0.001})
    plan.run(folder / "out")
    return release, Prediction(folder / "out")


def fair_esm_log_probabilities(sequence, masked=None):
    """Return fair-esm's log probabilities [length, vocabulary], a residue masked or none."""
    module = tiny_esm2()
    _, _, tokens = module.alphabet.get_batch_converter()([("x", sequence)])
    if masked is not None:
        tokens[0, masked] = module.alphabet.mask_idx  # after the start token: 1-based
    with torch.no_grad():
        found = module(tokens)["logits"][0, 1:-1]
    return found.log_softmax(dim=-1), module.alphabet


def test_ratios_are_those_of_fair_esm(case):
    table = case[1].table("variants").set_index(["protein_id", "variant"])
    for given in VARIANTS:
        sequence = WILD.by_id[given.protein_id]
        masked = unmasked = 0.0
        whole, alphabet = fair_esm_log_probabilities(sequence)
        for wild, position, letter in given.substitutions:
            alone, _ = fair_esm_log_probabilities(sequence, position)
            new, old = alphabet.get_idx(letter), alphabet.get_idx(wild)
            masked += (alone[position - 1, new] - alone[position - 1, old]).item()
            unmasked += (whole[position - 1, new] - whole[position - 1, old]).item()
        row = table.loc[(given.protein_id, given.name)]
        assert row["llr"] == pytest.approx(masked, abs=1e-4)
        assert row["llr_wild_type"] == pytest.approx(unmasked, abs=1e-4)
    assert (table["llr"] - table["llr_wild_type"]).abs().max() > 0.05


def test_a_long_wild_type_is_read_in_the_window_nearest_to_the_position(tmp_path):
    extraction = {"max_residues": 20, "window_overlap": 8}
    plan_of(small_release(tmp_path), WILD, VARIANTS[1:4], extraction).run(tmp_path / "out")
    table = Prediction(tmp_path / "out").table("variants").set_index("variant")
    sequence = WILD.by_id["P1"]  # of 32: windows 0-20 and 12-32, the border at 16
    for name, position, start in [("K2W", 2, 0), ("V32D", 32, 12)]:
        alone, alphabet = fair_esm_log_probabilities(sequence[start : start + 20], position - start)
        at = alone[position - start - 1]
        expected = (at[alphabet.get_idx(name[-1])] - at[alphabet.get_idx(name[0])]).item()
        assert table.loc[name, "llr"] == pytest.approx(expected, abs=1e-4)


def slow(release, sequence):
    """Return activations and codes of a sequence."""
    x = Esm2Forward(release.load_plm(), [HOOK_POINT]).run([sequence])[HOOK_POINT].half().float()
    with torch.no_grad():
        return x, release.load_sae().encode(x).numpy()


def test_latents_gained_and_lost_are_those_that_cross_a_quarter_of_their_maximum(case):
    release, prediction = case
    maxima = release.latents["max_act"].to_numpy()
    variants, latents = prediction.table("variants"), prediction.table("variant_latents")
    n_changed = 0
    for given in VARIANTS:
        before = slow(release, WILD.by_id[given.protein_id])[1] / maxima
        after = slow(release, given.sequence(WILD.by_id[given.protein_id]))[1] / maxima
        was, now = before.max(axis=0) > 0.25, after.max(axis=0) > 0.25
        row = variants[variants["variant"] == given.name].iloc[0]
        gained, lost = np.flatnonzero(now & ~was), np.flatnonzero(was & ~now)
        assert {int(i) for i in row["gained"].split(";") if i} == set(gained.tolist())
        assert {int(i) for i in row["lost"].split(";") if i} == set(lost.tolist())
        assert (row["n_gained"], row["n_lost"]) == (len(gained), len(lost))
        of = latents[latents["variant"] == given.name].set_index("latent")
        assert set(of.index) == {*gained, *lost}
        for latent, change in of.iterrows():
            assert change["strength_variant"] == pytest.approx(after[:, latent].max(), rel=1e-5)
            assert change["strength_wild_type"] == pytest.approx(before[:, latent].max(), rel=1e-5)
            state = after if change["change"] == "gained" else before
            assert change["peak"] == state[:, latent].argmax() + 1
        n_changed += len(of)
    assert n_changed and variants.set_index("variant").loc["M1M", ["n_gained", "n_lost"]].sum() == 0


def test_concepts_are_listed_that_change_or_cross_their_threshold(case, tmp_path):
    release, prediction = case
    mutants = [v.sequence(WILD.by_id[v.protein_id]) for v in VARIANTS]
    names = tuple(v.name for v in VARIANTS)
    everyone = Proteins((*WILD.ids, *names), ("",) * 7, (*WILD.sequences, *mutants), {})
    plan_of(release, everyone).run(tmp_path / "out")
    alone = Prediction(tmp_path / "out").table("concept_scores").set_index(["protein_id", "concept_id"])
    found = prediction.table("variant_concepts").set_index(["variant", "by", "concept_id"])
    n = 0
    for given in VARIANTS:
        for concept in release.concept_scorers["concept_id"].unique():
            for kind in ("predictor", "latent"):
                was, now = alone.loc[(given.protein_id, concept)], alone.loc[(given.name, concept)]
                change = now[f"{kind}_probability"] - was[f"{kind}_probability"]
                crossed = now[f"{kind}_reached"] != was[f"{kind}_reached"]
                key = (given.name, kind, concept)
                assert (key in found.index) == (abs(change) >= 0.001 or crossed)
                if key in found.index:
                    assert found.loc[key, "change"] == pytest.approx(change, abs=1e-6)
                    n += 1
    assert n


def test_scored_variants_are_probed_and_others_are_not(case, tmp_path):
    assert "variant_probes" not in case[1].tables
    letters = "ACDEFGHIKLMNPQRSTVWY"
    sequence = WILD.by_id["P1"]
    scored = [
        variant("P1", f"{sequence[i % 30]}{i % 30 + 1}{letters[(7 * i + i // 30) % 20]}", i, float(i % 30))
        for i in range(60)
    ]
    config = {"probes": {"sizes": (24,), "n_draws": 2}}
    plan_of(small_release(tmp_path), WILD, scored, proteins_per_shard=25, **config).run(tmp_path / "out")
    prediction = Prediction(tmp_path / "out")
    table = prediction.table("variant_probe_summary").set_index(["features", "n_train"])
    assert set(table.index) == {
        *((name, 0) for name in ("llr", "llr_wild_type")),
        *((name, n) for name in ("latents", "activations", "one_hot") for n in (24, 48)),
    }
    assert (prediction.table("variants")["score"] == [float(i % 30) for i in range(60)]).all()
    assert len(prediction.table("variants")) == 60
