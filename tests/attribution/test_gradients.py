"""Gradients against fair-esm's own modules, finite differences, and cases computed by hand."""

import numpy as np
import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, N_LAYERS, random_sequences, tiny_model

from protsae.attribution.components import (
    ERROR,
    Components,
    ablations,
    node_attributions,
    value_attributions,
)
from protsae.attribution.differentiable import EMBEDDING, DifferentiableModel
from protsae.attribution.faithfulness import Curve, curve, learned_mask
from protsae.attribution.scores import latent_score, logit_score, predictor_score, seen_from
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.plm.hook_points import LAYER_KINDS
from protsae.sae.config import ProtSaeConfig, TopKConfig, shaped_config
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

POINTS = [*(f"layers.{i}.{kind}" for i in range(N_LAYERS) for kind in LAYER_KINDS), "final_norm"]
(TEXT,) = random_sequences([17])
HOOK_POINT = "layers.1.resid_post"


@pytest.fixture(scope="module")
def plm(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(plm):
    return DifferentiableModel(plm)


def masked_at(*positions):
    found = torch.zeros(len(TEXT), dtype=torch.bool)
    found[list(positions)] = True
    return found


def topk(seed=0):
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(seed))
    sae.set_input_statistics(torch.linspace(-1, 1, D_MODEL), 40.0)
    with torch.no_grad():
        sae.b_dec.normal_(generator=torch.Generator().manual_seed(1))
    return sae.eval()


def protsae(concept_ids=("GO:1", "GO:2"), **guidance):
    settings = {"guidance": guidance}
    config = shaped_config(ProtSaeConfig, settings, d_model=D_MODEL, d_sae=32, k=4, concept_ids=concept_ids)
    sae = ProtSae(config, torch.Generator().manual_seed(0))
    sae.set_input_statistics(torch.linspace(-1, 1, D_MODEL), 40.0)
    with torch.no_grad():
        sae.W_pred.normal_(generator=torch.Generator().manual_seed(2))
        sae.gate_logit.fill_(-1.0)
    return sae.eval()


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("masked", [masked_at(), masked_at(3, 9)], ids=["whole", "masked"])
def test_walk_equals_the_packed_forward_pass_at_every_hook_point(plm, model, point, masked):
    forward = Esm2Forward(plm, POINTS)
    plain = forward.run([TEXT], logits=True, masked=masked)
    place = model.place(TEXT, point, masked)
    scale = plain[point].abs().max()
    assert (place.values - plain[point]).abs().max() / scale < 1e-5
    changed = plain[point].double().flip(0)
    patched = forward.run([TEXT], {point: lambda x: x.flip(0)}, logits=True, masked=masked)
    found = model.logits(place, torch.stack([changed, place.values]))
    assert (found[0] - patched[LOGITS]).abs().max() / patched[LOGITS].abs().max() < 1e-5
    assert (found[1] - plain[LOGITS]).abs().max() / plain[LOGITS].abs().max() < 1e-5
    assert (found[0] - found[1]).abs().max() > 0.01
    later = model.values(place, changed[None], "final_norm")[0]
    assert (later - patched["final_norm"]).abs().max() / patched["final_norm"].abs().max() < 1e-5


def test_a_hook_point_that_lies_before_is_refused(model):
    place = model.place(TEXT, HOOK_POINT)
    with pytest.raises(InputError, match="lies before"):
        model.values(place, place.values[None], "layers.0.mlp_out")
    with pytest.raises(InputError, match="they have to be"):
        model.logits(place, place.values[None, 1:])


def scores_of(model):
    place = model.place(TEXT, HOOK_POINT, masked_at(3, 9))
    yield "logit", place, logit_score(model, place, [9, 3], "AC")
    yield "difference", place, logit_score(model, place, [3], "A", "C")
    plain = model.place(TEXT, HOOK_POINT)
    yield "predictor", plain, predictor_score(protsae(), "GO:2")
    yield "log_sum_exp", plain, predictor_score(protsae(annotation_pooling="log_sum_exp"), "GO:1")
    for pooling in ("mean", "top", "max"):
        yield f"defined {pooling}", plain, latent_score(protsae(), 1, pooling)
    sae = topk()
    with torch.no_grad():
        strongest = sae.encode(plain.values.float()).sum(dim=0).argmax()
    yield "free", plain, latent_score(sae, int(strongest), "mean")


@pytest.mark.parametrize("number", range(8))
def test_gradients_equal_finite_differences(model, number):
    _, place, score = list(scores_of(model))[number]
    x = place.values.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(score(x[None])[0], x)
    directions = torch.randn(5, *x.shape, generator=torch.Generator().manual_seed(number)).double()
    step = 1e-6
    with torch.no_grad():
        ahead, behind = (score(x[None] + sign * step * directions) for sign in (1, -1))
    slow = (ahead - behind) / (2 * step)
    assert (directions * gradient).sum(dim=(1, 2)).tolist() == pytest.approx(
        slow.tolist(), rel=1e-5, abs=1e-9
    )
    assert gradient.abs().max() > 0


def test_logit_score_by_hand(plm, model):
    masked = masked_at(3, 9)
    logits = Esm2Forward(plm, []).run([TEXT], logits=True, masked=masked)[LOGITS].double()
    token = {letter: plm.module.alphabet.get_idx(letter) for letter in AMINO_ACIDS}
    logs = torch.log_softmax(logits[:, [token[letter] for letter in AMINO_ACIDS]], dim=1)
    place = model.place(TEXT, HOOK_POINT, masked)
    wanted = (logs[9, AMINO_ACIDS.index("A")] + logs[3, AMINO_ACIDS.index("C")]) / 2
    assert float(logit_score(model, place, [9, 3], "AC")(place.values[None])) == pytest.approx(
        float(wanted), abs=1e-5
    )
    other = logits[3, token["A"]] - logits[3, token["C"]]
    assert float(logit_score(model, place, [3], "A", "C")(place.values[None])) == pytest.approx(
        float(other), abs=1e-4
    )
    with pytest.raises(InputError, match="one letter per position"):
        logit_score(model, place, [3], "AC")
    with pytest.raises(InputError, match="none of the twenty"):
        logit_score(model, place, [3], "X")
    with pytest.raises(InputError, match="position 18 lies outside"):
        logit_score(model, place, [17], "A")


def test_scores_of_concepts_are_those_of_the_dictionary(model):
    sae, place = protsae(annotation_pooling="noisy_or"), model.place(TEXT, HOOK_POINT)
    x = place.values.float()
    segment = torch.zeros(len(x), dtype=torch.int64)
    with torch.no_grad():
        wanted = sae.protein_logits(x, sae.predictor_logits(x), segment, 1)[0]
        codes = sae.encode(x)
    for i, name in enumerate(sae.concept_ids):
        found = predictor_score(sae, name)(place.values[None])
        assert float(found) == pytest.approx(float(wanted[i]), rel=1e-4)
    ranked = codes[:, 1].sort(descending=True).values
    assert ranked[0] > 0
    for pooling, n in {"mean": len(x), "top": 2, "max": 1}.items():  # a tenth of 17, rounded up
        found = latent_score(sae, 1, pooling)(place.values[None])
        assert float(found) == pytest.approx(float(ranked[:n].mean()), rel=1e-4)
    with pytest.raises(InputError, match="did you mean 'GO:1'"):
        predictor_score(sae, "GO:11")
    with pytest.raises(InputError, match="no predictor"):
        predictor_score(_with_ids(topk()), "GO:1")
    with pytest.raises(InputError, match="latents 0 to 31"):
        latent_score(sae, 32)


def _with_ids(sae):
    sae.config.__dict__["concept_ids"] = ("GO:1",)
    return sae


def test_components_add_up_to_the_values(model):
    sae, values = topk(), model.place(TEXT, HOOK_POINT).values
    components = Components.of(sae, values)
    ones = torch.ones(1, len(components), dtype=torch.float64)
    assert (components.kept(ones)[0] - values).abs().max() < 1e-12
    with torch.no_grad():
        codes = sae.encode(values.float())
        assert components.latents == (*codes.any(dim=0).nonzero().flatten().tolist(), ERROR)
        ones[0, -1] = 0
        assert (components.kept(ones)[0] - sae.decode(codes)).abs().max() < 1e-4
        codes[:, components.latents[2]] = 0
        ones[0, 2] = 0
        assert (components.kept(ones)[0] - sae.decode(codes)).abs().max() < 1e-4


def hand_made():
    """Two residues of three values; latents 3 and 7 along the first two axes; the error along the third."""
    codes = torch.tensor([[2.0, 0.0], [1.0, 3.0]], dtype=torch.float64)
    error = torch.tensor([[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    directions = torch.eye(3, dtype=torch.float64)[:2]
    bias = torch.tensor([10.0, 10.0, 10.0], dtype=torch.float64)
    return Components((3, 7, ERROR), codes, directions, error, bias)


def linear(x):
    """The first value - 2 x the second + 4 x the third of every residue, the second residue twice."""
    weights = torch.tensor([[1.0, -2.0, 4.0], [2.0, -4.0, 8.0]], dtype=torch.float64)
    return (x * weights).sum(dim=(1, 2))


def test_all_methods_agree_on_a_linear_score_computed_by_hand():
    components = hand_made()
    nodes = [[2.0, 0.0, 20.0], [2.0, -12.0, 0.0]]
    assert node_attributions(linear, components).tolist() == nodes
    assert node_attributions(linear, components, 3) == pytest.approx(np.array(nodes), abs=1e-12)
    assert ablations(linear, components).tolist() == [4.0, -12.0, 20.0]
    assert components.ends(linear) == (90.0, 102.0)
    assert value_attributions(linear, components.error).tolist() == [20.0, 0.0]
    assert value_attributions(linear, components.error, 2) == pytest.approx(np.array([20.0, 0.0]), abs=1e-12)


def test_gradient_x_activation_fails_where_integrated_gradients_do_not():
    """A score that saturates: at the protein its gradient is 0."""
    components = hand_made()

    def saturated(x):
        return torch.clamp(x[:, 0, 0], max=11.0)

    assert node_attributions(saturated, components).sum() == 0.0
    assert node_attributions(saturated, components, 200)[0, 0] == pytest.approx(1.0, abs=0.02)
    assert ablations(saturated, components).tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("number", range(4))
def test_integrated_gradients_add_up_to_the_score(model, number):
    _, place, score = list(scores_of(model))[number]
    components = Components.of(topk(), place.values)
    empty, full = components.ends(score)
    total = node_attributions(score, components, 128).sum()
    assert total == pytest.approx(full - empty, abs=2e-3 * abs(full - empty) + 1e-6)
    assert abs(full - empty) > 0.01


def test_attributions_at_the_input_add_up_to_the_score(model):
    masked = masked_at(3, 9)
    entrance = model.place(TEXT, EMBEDDING, masked)
    score = seen_from(model, entrance, HOOK_POINT, predictor_score(protsae(), "GO:1"))
    found = value_attributions(score, entrance.values, 256)
    ends = score(torch.stack([entrance.values, torch.zeros_like(entrance.values)])).tolist()
    assert found.sum() == pytest.approx(ends[0] - ends[1], rel=1e-3)
    assert found[[3, 9]].tolist() == [0.0, 0.0]  # the model does not see what is masked


def test_ablation_equals_a_patched_run_of_the_packed_forward_pass(plm, model):
    sae, masked = topk(), masked_at(3)
    place = model.place(TEXT, HOOK_POINT, masked)
    components = Components.of(sae, place.values)
    found = ablations(logit_score(model, place, [3], "A", "C"), components)
    forward = Esm2Forward(plm, [])
    tokens = [plm.module.alphabet.get_idx(letter) for letter in "AC"]

    def without(latent):
        def patch(x):
            codes = sae.encode(x)
            changed = codes.clone()
            changed[:, latent] = 0
            return x + sae.decode(changed) - sae.decode(codes)

        logits = forward.run([TEXT], {HOOK_POINT: patch}, logits=True, masked=masked)[LOGITS][3, tokens]
        return float(logits[0] - logits[1])

    plain = forward.run([TEXT], logits=True, masked=masked)[LOGITS][3, tokens]
    slow = [float(plain[0] - plain[1]) - without(latent) for latent in components.latents[:-1]]
    assert found[:-1] == pytest.approx(np.array(slow), abs=2e-4)
    assert np.abs(found).max() > 0.05


def test_curve_by_hand():
    found = curve(linear, hand_made(), np.array([4.0, -12.0, 20.0]))
    assert found.order.tolist() == [2, 1, 0]
    assert found.faithfulness == pytest.approx(np.array([0, 20, 8, 12]) / 12)
    assert found.completeness == pytest.approx(np.array([12, -8, 4, 0]) / 12)
    assert (found.n_kept(0.9), found.n_kept(0.6)) == (3, 2)
    assert (found.n_kept(0.3), found.n_settled(0.3)) == (1, 1)
    assert (found.n_kept(0.6), found.n_settled(0.6)) == (2, 2)
    swinging = Curve(found.order, np.array([0.0, 0.95, 1.8, 1.0]), found.completeness)
    assert (swinging.n_kept(0.9), swinging.n_settled(0.9)) == (1, 3)
    falling = curve(lambda x: -linear(x), hand_made(), -np.array([4.0, -12.0, 20.0]))
    assert falling.order.tolist() == [2, 1, 0]
    assert falling.faithfulness == pytest.approx(found.faithfulness)


def test_running_sums_give_the_scores_of_the_gates():
    generator = torch.Generator().manual_seed(3)
    n = 150  # more than are scored at once
    components = Components(
        (*range(n), -1),
        torch.rand(5, n, generator=generator).double(),
        torch.randn(n, 4, generator=generator).double(),
        torch.randn(5, 4, generator=generator).double(),
        torch.randn(4, generator=generator).double(),
    )
    order = torch.randperm(n + 1, generator=generator)
    gates = torch.zeros(n + 2, n + 1).double()
    for number, component in enumerate(order.tolist(), 1):
        gates[number:, component] = 1

    def score(x):
        return x.square().sum(dim=(1, 2))

    first, rest = components.cumulative_scores(score, order.tolist())
    assert first == pytest.approx(components.scores(score, gates))
    assert rest == pytest.approx(components.scores(score, 1 - gates))


def test_learned_mask_keeps_the_one_component_that_suffices():
    def only_second(x):
        return torch.tanh(x[:, :, 1] - 10).sum(dim=1)

    components = hand_made()
    mask = learned_mask(only_second, components, 0.9)
    assert mask.argmax() == 1
    assert mask[1] > 0.4  # tanh(3 x 0.48) is 0.9 of tanh(3)
    assert mask[[0, 2]].max() < 0.05
    assert curve(only_second, components, mask).n_kept(0.9) == 1
    negative = learned_mask(lambda x: -only_second(x), components, 0.9)
    assert curve(lambda x: -only_second(x), components, negative).n_kept(0.9) == 1
    with pytest.raises(InputError, match="no latent carries it"):
        learned_mask(lambda x: 0 * x.sum(dim=(1, 2)), components, 0.9)
