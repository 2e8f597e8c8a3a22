"""Every switch of ProtSAE's guidance does what it says, by value; gradients hold under all of them."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from protsae.sae.axiom_sampling import AxiomSampler
from protsae.sae.axioms import axiom_loss
from protsae.sae.guidance import masked_bce
from protsae.sae.pooling import pool_logits

M = 4
SWITCHES = [
    {"annotation_pooling": "attention"},
    {"annotation_pooling": "log_sum_exp"},
    {"annotation_pooling": "noisy_or", "class_balance": 0.5, "focal_gamma": 1.5},
    {"annotation_pooling": "residue", "bce_reduction": "sum"},
    {"lambda_hierarchy": 0.7, "radius": "bias"},
    {"predictor_input": "whitened", "lambda_norm": 0.3},
    {"axiom_batch_norm": True, "nf4": "containment", "lambda_axiom": 2.0},
    {"axiom_batch": 1, "axiom_negatives": 3, "lambda_axiom": 1.0},
    {"forced_share": "root", "forced_scale": 0.6, "forced_limit": 2},
    {"topk_scope": "after"},
    {"topk_scope": "before"},
    {"loss_scale": "raw", "defined_bias": "free", "unit_decoder": False},
    {"forced_activation": False, "scales": False, "defined_bias": "none"},
]


@pytest.mark.parametrize("guidance", SWITCHES, ids=str)
def test_gradients_equal_finite_differences(make_protsae, batch, guidance):
    """Without the stop-gradient, which is meant to make them differ."""
    sae = make_protsae(detach=False, **guidance)
    sae.step_output(batch).losses["loss/total"].backward()
    generator = torch.Generator().manual_seed(3)
    step, n_seen = 1e-6, 0
    for name, parameter in sae.named_parameters():
        if parameter.grad is None or not parameter.grad.any():
            continue
        n_seen += 1
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        values = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(sign * step * direction)
                values.append(float(sae.step_output(batch).losses["loss/total"]))
                parameter.sub_(sign * step * direction)
        numeric = (values[0] - values[1]) / (2 * step)
        assert float((parameter.grad * direction).sum()) == pytest.approx(numeric, rel=1e-5, abs=1e-8), name
    assert n_seen >= 6


@pytest.mark.parametrize("pooling", ["mean", "residue", "noisy_or", "attention", "log_sum_exp"])
def test_annotation_loss_and_protein_score_share_their_pooling(make_protsae, batch, x, pooling):
    sae = make_protsae(annotation_pooling=pooling)
    logits = sae.predictor_logits(x)
    weights = None
    if pooling == "attention":
        weights = sae.scale_input(x) @ sae.W_attention.T
    elif pooling == "log_sum_exp":
        weights = sae.log_sharpness.exp()
    pooled = pool_logits(logits, batch.segment, 3, pooling, weights)
    torch.testing.assert_close(sae.protein_logits(x, logits, batch.segment, 3), pooled)
    expected = masked_bce(pooled, batch.labels, batch.labelled)
    if pooling == "residue":
        expected = masked_bce(logits, batch.labels[batch.segment], batch.labelled[batch.segment])
    torch.testing.assert_close(sae.step_output(batch).losses["loss/annotation"], expected)


@pytest.mark.parametrize("pooling", ["attention", "log_sum_exp"])
def test_only_a_pooling_that_learns_has_weights(make_protsae, pooling):
    name = {"attention": "W_attention", "log_sum_exp": "log_sharpness"}[pooling]
    sae = make_protsae(annotation_pooling=pooling, predictor_rate=4.0, attention_rate=0.5)
    assert name in sae.state_dict()
    assert sae.rate_factors()[name] == 2.0
    assert sae.rate_factors()["W_pred"] == 4.0
    assert name not in {**make_protsae().state_dict(), **make_protsae().rate_factors()}


def test_a_sum_over_concepts_weighs_their_number(make_protsae, batch):
    mean, total = make_protsae(), make_protsae(bce_reduction="sum")
    one, other = mean.step_output(batch).losses, total.step_output(batch).losses
    assert one["loss/annotation"] == other["loss/annotation"]
    difference = other["loss/total"] - one["loss/total"]
    torch.testing.assert_close(difference, (M - 1) * one["loss/annotation"])


def test_a_raw_reconstruction_loss_is_the_squared_error_in_raw_units(make_protsae, batch):
    scaled, raw = make_protsae(), make_protsae(loss_scale="raw")
    one, other = scaled.step_output(batch).losses, raw.step_output(batch).losses
    assert one["loss/reconstruction"] == other["loss/reconstruction"]
    squared = (raw(batch.x) - batch.x).square().sum(dim=1).mean()
    difference = other["loss/total"] - one["loss/total"]
    torch.testing.assert_close(difference, squared - one["loss/reconstruction"])


def test_decoder_centred_predictor_subtracts_and_trains_the_bias(make_protsae, batch, x):
    sae = make_protsae(predictor_centring="decoder_bias")
    expected = functional.linear(sae.scale_input(x) - sae.b_dec, sae.W_pred, sae.b_pred)
    torch.testing.assert_close(sae.predictor_logits(x), expected)
    for term in ("loss/annotation", "loss/reconstruction"):
        sae.zero_grad()
        sae.step_output(batch).losses[term].backward()
        assert sae.b_dec.grad.abs().max() > 1e-4, term
    assert sae.W_pred.grad is None or not sae.W_pred.grad.any()


def test_a_free_decoder_keeps_gradient_and_norm(make_protsae, batch):
    sae = make_protsae(unit_decoder=False)
    with torch.no_grad():
        rows = sae.W_dec.mul_(2).clone()
    sae.step_output(batch).losses["loss/total"].backward()
    before = sae.W_dec.grad.clone()
    sae.project_decoder_gradient()
    sae.normalise_decoder()
    assert torch.equal(sae.W_dec.grad, before)
    assert torch.equal(sae.W_dec, rows)


def test_radii_are_parameters_or_the_predictors_biases(make_protsae):
    own, bias = make_protsae(), make_protsae(radius="bias")
    assert torch.equal(own.balls()[1], own.radius.abs())
    assert torch.equal(bias.balls()[1], torch.cat([bias.b_pred.abs(), bias.radius.abs()[M:]]))


def test_batch_norm_normalises_each_dimension_of_the_centres(make_protsae):
    plain, normal = make_protsae().balls()[0], make_protsae(axiom_batch_norm=True).balls()[0]
    expected = functional.batch_norm(plain, None, None, training=True, eps=1e-5)
    torch.testing.assert_close(normal, expected)


def test_nf4_and_margin_reach_the_axiom_loss(make_protsae, batch):
    sae = make_protsae(nf4="containment", axiom_margin=0.3)
    expected = axiom_loss(*sae.balls(), sae.relations, batch.axioms, 0.3, "containment")
    assert sae.step_output(batch).losses["loss/axiom"] == expected


def test_axioms_are_drawn_anew_after_every_step_and_not_within(make_protsae, batch):
    sae = make_protsae(axiom_batch=1, axiom_negatives=2, axiom_margin=0.0)
    seed = int(sae.axiom_draw[0])
    seen = []
    for step in range(6):
        drawn = AxiomSampler(batch.axioms, 1, 2).draw(seed, step)
        expected = axiom_loss(*sae.balls(), sae.relations, drawn, 0.0)
        output = sae.step_output(batch)
        assert output.losses["loss/axiom"] == sae.step_output(batch).losses["loss/axiom"] == expected
        seen.append(float(expected.detach()))
        sae.after_step(batch, output)
    assert sae.axiom_draw.tolist() == [seed, 6]
    assert len(set(seen)) > 1
    assert make_protsae().axiom_draw is None


def test_hierarchy_and_decorrelation_are_terms_only_where_asked_for(make_protsae, batch, x):
    assert not {"loss/hierarchy", "loss/decorrelation"} & set(make_protsae().step_output(batch).losses)
    sae = make_protsae(lambda_hierarchy=2.0, lambda_decorrelation=3.0)
    # Its own axioms end in zero concepts: 0 and 1 are of the vocabulary, 4 is not.
    nf1 = torch.tensor([[0, 1], [1, 4]])
    terms = sae.step_output(_with_axioms(batch, nf1)).losses
    pooled = sae.protein_logits(x, sae.predictor_logits(x), batch.segment, 3)
    torch.testing.assert_close(terms["loss/hierarchy"], (pooled[:, 0] - pooled[:, 1]).relu().mean())
    rest = {"reconstruction": 1.0, "annotation": 1.0, "axiom": 0.01, "hierarchy": 2.0, "decorrelation": 3.0}
    total = sum(weight * terms[f"loss/{name}"] for name, weight in rest.items())
    torch.testing.assert_close(terms["loss/total"], total)


def _with_axioms(batch, nf1):
    return replace(batch, axioms=replace(batch.axioms, nf1=nf1))


def test_decorrelation_is_of_the_codes(make_protsae, batch, x):
    sae = make_protsae(lambda_decorrelation=1.0)
    codes = sae.encode(x).detach().T
    spread = codes.std(dim=1) > 0
    correlation = torch.corrcoef(codes[spread])
    first_free = int(spread[:M].sum())
    expected = correlation[:first_free, first_free:].square().sum() / (M * (16 - M))
    torch.testing.assert_close(sae.step_output(batch).losses["loss/decorrelation"], expected)


def test_an_open_gate_fires_more_often(make_protsae, batch):
    rates = torch.tensor([0.1, 0.25, 0.5, 0.9], dtype=torch.float64)
    sae = make_protsae(gate_openness=2.0, gate_momentum=0.0)
    sae.set_concept_rates(rates)
    sae.after_step(batch, sae.step_output(batch))
    open_ = sae.gate(batch.x) & batch.labelled[batch.segment]
    assert open_.sum(dim=0).tolist() == [4, 10, 19, 12]  # of 20 residues, at most .95 of them; the last of 13


def test_a_gate_by_f1_calls_no_other_residues_than_the_best_threshold(make_protsae, batch):
    sae = make_protsae(gate="f1", gate_momentum=0.0)
    sae.set_concept_rates(torch.full((M,), 0.3).double())
    before = sae.gate_logit.clone()
    output = sae.step_output(batch)
    sae.after_step(batch, output)
    labels, labelled = batch.labels[batch.segment] > 0, batch.labelled[batch.segment]

    def f1(threshold, c):
        called = (output.logits[:, c] > threshold) & labelled[:, c]
        true = labels[:, c] & labelled[:, c]
        return float(2 * (called & true).sum() / (called.sum() + true.sum()))

    for c in range(2):
        best = max(f1(t, c) for t in [*output.logits[:, c].tolist(), -100.0])
        assert f1(sae.gate_logit[c], c) == best
    assert torch.equal(sae.gate_logit[2:], before[2:])  # no positives there


def test_whitened_input_varies_alike_in_all_directions(make_protsae, x):
    """But for the floor: a direction of variance v keeps v / (v + floor)."""
    sae = make_protsae(predictor_input="whitened", whitening_floor=0.1)
    sae.set_whitening(x)
    variances, directions = torch.linalg.eigh(torch.cov(sae.scale_input(x).T))
    found = torch.cov((sae.scale_input(x) @ sae.whitening.T).T)
    kept = variances / (variances + 0.1 * variances.mean())
    torch.testing.assert_close(found, directions @ torch.diag(kept) @ directions.T)


def test_whitened_weights_are_those_over_scaled_input(make_protsae, x):
    sae = make_protsae(predictor_input="whitened")
    sae.set_whitening(x)
    whitened = sae.scale_input(x) @ sae.whitening.T
    logits = functional.linear(whitened, sae.W_pred, sae.b_pred)
    torch.testing.assert_close(sae.predictor_logits(x), logits)
    bound = sae.W_enc[:, :M].T / sae.log_scale.exp().unsqueeze(1)
    torch.testing.assert_close(functional.linear(sae.scale_input(x), bound, sae.b_pred), logits)
    plain = make_protsae()
    plain.set_whitening(x)
    assert plain.whitening is None
    assert "whitening" not in plain.state_dict()
