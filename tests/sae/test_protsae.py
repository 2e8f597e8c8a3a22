"""ProtSAE: stop-gradient, binding, gate and forced activation, each against its formula."""

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from protsae.sae.config import GuidanceConfig
from protsae.sae.guidance import Supervision, firing_thresholds, guided_loss
from protsae.sae.pooling import segment_mean

M = 4


def _reconstruction_gradient(sae, batch, name):
    sae.zero_grad()
    sae.step_output(batch).losses["loss/reconstruction"].backward()
    return dict(sae.named_parameters())[name].grad


@pytest.mark.parametrize("name", ["W_pred", "b_pred"])
def test_reconstruction_does_not_reach_the_predictor(make_protsae, batch, name):
    gradient = _reconstruction_gradient(make_protsae(), batch, name)
    assert gradient is None or not gradient.any()


@pytest.mark.parametrize("name", ["W_pred", "b_pred"])
def test_without_detach_it_does(make_protsae, batch, name):
    assert _reconstruction_gradient(make_protsae(detach=False), batch, name).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["log_scale", "W_free", "b_free", "W_dec", "b_dec"])
def test_reconstruction_reaches_the_others(make_protsae, batch, name):
    assert _reconstruction_gradient(make_protsae(), batch, name).abs().max() > 1e-4


@pytest.mark.parametrize("term", ["loss/annotation", "loss/axiom"])
def test_guidance_reaches_the_predictor_and_not_the_autoencoder(make_protsae, batch, term):
    sae = make_protsae()
    sae.step_output(batch).losses[term].backward()
    assert sae.W_pred.grad.abs().max() > 1e-4
    for name in ("log_scale", "W_free", "b_free", "W_dec", "b_dec"):
        assert getattr(sae, name).grad is None, name


@pytest.mark.parametrize("detach", [True, False])
def test_predictor_gradient_of_guidance_equals_finite_differences(make_protsae, batch, detach):
    sae = make_protsae(detach=detach)

    def loss():
        terms = sae.step_output(batch).losses
        total = terms["loss/annotation"] + terms["loss/axiom"]
        return total if detach else total + terms["loss/reconstruction"]

    loss().backward()
    direction = torch.randn(sae.W_pred.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    values = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            sae.W_pred.add_(step * direction)
            values.append(float(loss()))
            sae.W_pred.sub_(step * direction)
    numeric = (values[0] - values[1]) / 2e-6
    assert float((sae.W_pred.grad * direction).sum()) == pytest.approx(numeric, rel=1e-6)


@torch.no_grad()
def _reference(sae, x):
    """Codes of the defined latents, one residue and one concept at a time."""
    scaled = (x - sae.input_mean) * sae.input_scale
    guidance = sae.config.guidance
    rows = []
    for row in scaled:
        free = sorted((row @ sae.W_free + sae.b_free).tolist(), reverse=True)[: sae.config.k]
        positive = [value for value in free if value > 0]
        if guidance.forced_mean == "nonzero":
            mean = sum(positive) / len(positive) if positive else 0.0
        else:
            mean = sum(positive) / sae.config.n_free
        codes = []
        for c in range(M):
            projection = float(row @ sae.W_pred[c])
            probability = 1 / (1 + torch.exp(torch.tensor(-(projection + float(sae.b_pred[c])))))
            tau = 1 / (1 + torch.exp(-sae.gate_logit[c]))
            bias = {
                "tied": float(sae.b_pred[c] - torch.log(tau / (1 - tau))),
                "free": float(sae.b_def[c] / sae.log_scale[c].exp()),
                "none": 0.0,
            }[guidance.defined_bias]
            drive = max(float(sae.log_scale[c].exp()) * (projection + bias), 0.0)
            forced = guidance.forced_activation and probability > tau
            codes.append(max(drive, mean) if forced else drive)
        rows.append(codes)
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    "guidance",
    [
        {},
        {"forced_activation": False},
        {"forced_mean": "all"},
        {"defined_bias": "free"},
        {"defined_bias": "none"},
    ],
    ids=str,
)
def test_defined_latents_equal_a_slow_reference(make_protsae, x, guidance):
    sae = make_protsae(**guidance)
    torch.testing.assert_close(sae.encode(x)[:, :M], _reference(sae, x), rtol=1e-10, atol=1e-10)


def test_a_lifted_latent_is_the_mean_of_the_positive_free_codes(make_protsae, x):
    sae = make_protsae()
    codes = sae.codes(x)
    defined, free = codes.latent_acts[:, :M], codes.latent_acts[:, M:]
    lifted = codes.gate & (defined > codes.drive)
    assert lifted.sum() > 5
    mean = torch.stack([row[row > 0].mean() for row in free]).unsqueeze(1).expand_as(defined)
    torch.testing.assert_close(defined[lifted], mean[lifted])


def test_a_closed_gate_lifts_nothing(make_protsae, x):
    codes = make_protsae().codes(x)
    closed = ~codes.gate
    assert closed.sum() > 5
    assert not codes.latent_acts[:, :M][closed].any()
    assert not codes.drive[closed].any()


def test_tied_bias_makes_drive_positive_where_the_gate_is_open(make_protsae, x):
    codes = make_protsae().codes(x)
    assert torch.equal(codes.drive > 0, codes.gate)


def test_a_lift_sends_gradient_to_free_codes_and_not_to_scales(make_protsae, x):
    sae = make_protsae()
    codes = sae.codes(x)
    lifted = codes.gate & (codes.latent_acts[:, :M] > codes.drive)
    codes.latent_acts[:, :M][lifted].sum().backward()
    assert not sae.log_scale.grad.any()
    assert sae.W_free.grad.abs().max() > 0


def test_binding_keeps_the_direction_and_sign_of_the_predictor(make_protsae):
    sae = make_protsae()
    bound = sae.W_enc[:, :M].T
    torch.testing.assert_close(bound, sae.W_pred * sae.log_scale.exp().unsqueeze(1))
    assert torch.equal(bound.sign(), sae.W_pred.sign())


def test_scales_switch_freezes_the_log_scales(make_protsae):
    assert not make_protsae(scales=False).log_scale.requires_grad
    assert make_protsae().log_scale.requires_grad


def test_gate_is_where_the_probability_passes_the_threshold(make_protsae, x):
    sae = make_protsae()
    expected = torch.sigmoid(sae.predictor_logits(x)) > torch.sigmoid(sae.gate_logit)
    assert torch.equal(sae.gate(x), expected)
    assert torch.equal(sae.codes(x).gate, expected)


def test_half_gate_never_moves(make_protsae, batch):
    sae = make_protsae(gate="half")
    sae.set_concept_rates(torch.tensor([0.1, 0.2, 0.3, 0.4]))
    sae.gate_logit.zero_()
    sae.after_step(batch, sae.step_output(batch))
    assert not sae.gate_logit.any()


def test_prevalence_gate_moves_to_the_wanted_rate(make_protsae, batch):
    sae = make_protsae(gate_momentum=0.0)
    sae.set_concept_rates(torch.tensor([0.1, 0.25, 0.5, 3 / 13]))
    sae.after_step(batch, sae.step_output(batch))
    open_ = sae.gate(batch.x)
    labelled = batch.labelled[batch.segment]
    assert (open_ & labelled).sum(dim=0).tolist() == [2, 5, 10, 3]  # of 20 residues, the last of 13


def test_momentum_keeps_a_share_of_the_old_threshold(make_protsae, batch):
    jump, glide = make_protsae(gate_momentum=0.0), make_protsae(gate_momentum=0.75)
    before = glide.gate_logit.clone()
    for sae in (jump, glide):
        sae.after_step(batch, sae.step_output(batch))
    torch.testing.assert_close(glide.gate_logit, 0.75 * before + 0.25 * jump.gate_logit)


def test_thresholds_settle_at_their_means_over_the_batches(make_protsae, batch):
    """Concept 3 is labelled in the first batch alone, concept 0 in none, and 2 is of proteins: these stay."""
    sae = make_protsae(residue_level=(0, 1, 3))
    sae.set_concept_rates(torch.tensor([0.1, 0.25, 0.5, 0.3]))
    sae.gate_logit.copy_(torch.tensor([5.0, 6.0, 7.0, 8.0]))
    labelled = batch.labelled.clone()
    labelled[:, 0] = False
    unlabelled = labelled.clone()
    unlabelled[:, 3] = False
    batches = [replace(batch, labelled=labelled), replace(batch, x=2 * batch.x, labelled=unlabelled)]
    wanted = [
        firing_thresholds(sae.predictor_logits(b.x), sae.concept_rate, b.labelled[b.segment]) for b in batches
    ]
    sae.after_epoch(iter(batches))
    means = (wanted[0] + wanted[1]) / 2
    expected = torch.stack([torch.tensor(5.0), means[1], torch.tensor(7.0), wanted[0][3]]).double()
    torch.testing.assert_close(sae.gate_logit, expected)


def test_a_gate_of_one_half_does_not_settle(make_protsae, batch):
    sae = make_protsae(residue_level=(1,), gate="half")
    before = sae.gate_logit.clone()
    sae.after_epoch([batch])
    assert torch.equal(sae.gate_logit, before)


def test_rates_start_predictor_and_gate(make_protsae):
    sae = make_protsae()
    rates = torch.tensor([0.1, 0.25, 0.5, 0.9], dtype=torch.float64)
    sae.set_concept_rates(rates)
    torch.testing.assert_close(torch.sigmoid(sae.b_pred.detach()), rates)
    torch.testing.assert_close(torch.sigmoid(sae.gate_logit), rates)


def test_total_weighs_the_terms(make_protsae, batch):
    sae = make_protsae(lambda_annotation=2.0, lambda_axiom=3.0, lambda_norm=0.25)
    terms = sae.step_output(replace(batch, dead=torch.ones(16, dtype=torch.bool))).losses
    expected = (
        terms["loss/reconstruction"]
        + 2 * terms["loss/annotation"]
        + 3 * terms["loss/axiom"]
        + 0.25 * terms["loss/norm"]
        + terms["loss/aux"] / 32
    )
    torch.testing.assert_close(terms["loss/total"], expected)
    assert all(value > 0 for value in terms.values())


def test_auxk_never_touches_defined_latents(make_protsae, batch):
    sae = make_protsae()
    sae.step_output(replace(batch, dead=torch.ones(16, dtype=torch.bool))).losses["loss/aux"].backward()
    assert sae.W_dec.grad[M:].abs().max() > 0
    assert not sae.W_dec.grad[:M].any()


def test_unlabelled_batches_are_refused(make_protsae, batch):
    with pytest.raises(ValueError, match="labelled batches"):
        make_protsae().step_output(replace(batch, labels=None))


def test_residue_level_concepts_need_residue_labels(make_protsae, batch):
    with pytest.raises(ValueError, match="residue_labels"):
        make_protsae(residue_level=(1,)).step_output(batch)


def test_residue_labels_reach_the_rows_of_residue_level_concepts(make_protsae, batch, x):
    sae = make_protsae(residue_level=(1, 2))
    of_residues = (torch.rand(20, M, generator=torch.Generator().manual_seed(4)) < 0.3).double()

    def gradient(residue_labels):
        sae.zero_grad()
        loss = sae.step_output(replace(batch, residue_labels=residue_labels)).losses["loss/annotation"]
        loss.backward()
        return sae.W_pred.grad.clone(), loss

    before, loss = gradient(of_residues)
    supervision = Supervision(batch.segment, batch.labels, batch.labelled, of_residues)
    levels = torch.tensor([False, True, True, False])
    logits = sae.predictor_logits(x)
    pooled = segment_mean(logits, batch.segment, 3)
    torch.testing.assert_close(loss, guided_loss(pooled, logits[:, levels], supervision, levels))
    after, _ = gradient(1 - of_residues)
    assert (before != after).any(dim=1).tolist() == [False, True, True, False]


def test_levels_are_settings_and_not_weights(make_protsae):
    assert "is_residue_level" not in make_protsae(residue_level=(1,)).state_dict()


def test_annotation_loss_can_average_all_residues_of_a_protein(make_protsae, batch):
    sae = make_protsae(annotation_residues="all")
    means = torch.randn(3, batch.x.shape[1], generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    probability = torch.sigmoid(sae.predictor_logits(means))
    chances = torch.where(batch.labels > 0, probability, 1 - probability)
    expected = -chances.log()[batch.labelled].mean()
    found = sae.step_output(replace(batch, protein_means=means)).losses
    torch.testing.assert_close(found["loss/annotation"], expected)
    sampled = make_protsae().step_output(batch).losses["loss/annotation"]
    assert sampled.item() != pytest.approx(expected.item(), rel=1e-3)
    with pytest.raises(ValueError, match="train on batches with protein_means"):
        sae.step_output(batch)
    both = make_protsae(annotation_residues="both").step_output(replace(batch, protein_means=means)).losses
    torch.testing.assert_close(both["loss/annotation"], (expected + sampled) / 2)


def test_two_means_of_a_protein_leave_the_labels_of_residues_alone(make_protsae, batch):
    """With residue-level concepts the loss of residues is what it was, the proteins' the mean of two."""
    means = torch.randn(3, batch.x.shape[1], generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    of_residues = (torch.rand(len(batch.x), 4, generator=torch.Generator().manual_seed(6)) < 0.4).double()
    given = replace(batch, protein_means=means, residue_labels=of_residues)
    ways = {
        way: make_protsae(annotation_residues=way, residue_level=(1, 2))
        .step_output(given)
        .losses["loss/annotation"]
        for way in ("sampled", "all", "both")
    }
    torch.testing.assert_close(ways["both"], (ways["sampled"] + ways["all"]) / 2)


@pytest.fixture
def headed(make_protsae):
    """A ProtSAE whose protein head has weights of its own."""
    sae = make_protsae(protein_head=True, lambda_annotation=2.0, residue_level=(1,))
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        sae.W_protein.copy_(torch.randn(M, 6, generator=generator, dtype=torch.float64))
        sae.b_protein.copy_(torch.randn(M, generator=generator, dtype=torch.float64))
    return sae


def test_protein_head_and_pooled_residues_score_together(headed, x):
    segment = torch.arange(20) // 8
    residues = headed.predictor_logits(x)
    found = headed.protein_logits(x, residues, segment, 3)
    for protein in range(3):
        mean = headed.scale_input(x[segment == protein]).mean(dim=0)
        if headed.whitening is not None:
            mean = headed.whitening @ mean
        of_residues = residues[segment == protein].mean(dim=0)
        expected = (headed.W_protein @ mean + headed.b_protein + of_residues) / 2
        expected[1] = of_residues[1]  # a concept of residues
        torch.testing.assert_close(found[protein], expected)


def test_protein_head_learns_without_changing_the_predictor(headed, make_protsae, batch):
    means = torch.randn(3, batch.x.shape[1], generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    given = replace(batch, protein_means=means, residue_labels=torch.zeros(20, M, dtype=torch.float64))
    plain = make_protsae(lambda_annotation=2.0, residue_level=(1,))
    headed.load_state_dict(plain.state_dict(), strict=False)
    terms = headed.step_output(given).losses
    residues = headed.predictor_logits(means)
    logits = 2 * headed.protein_logits(means, residues, torch.arange(3), 3) - residues
    chances = torch.where(batch.labels > 0, logits.sigmoid(), 1 - logits.sigmoid())
    known = batch.labelled.clone()
    known[:, 1] = False
    torch.testing.assert_close(terms["loss/protein_annotation"], -chances.log()[known].mean())
    torch.testing.assert_close(
        terms["loss/total"],
        terms["loss/reconstruction"]
        + 2 * (terms["loss/annotation"] + terms["loss/protein_annotation"])
        + headed.config.guidance.lambda_axiom * terms["loss/axiom"],
    )
    terms["loss/total"].backward()
    plain.step_output(given).losses["loss/total"].backward()
    assert headed.W_protein.grad[[0, 2, 3]].abs().min() > 0
    assert not headed.W_protein.grad[1].any()
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(headed.get_parameter(name).grad, parameter.grad)


def test_protein_head_starts_at_the_prevalence_and_has_its_own_rate(make_protsae):
    sae = make_protsae(protein_head=True, predictor_rate=3.0, protein_head_rate=2.5)
    rates = torch.tensor([0.1, 0.25, 0.5, 0.9], dtype=torch.float64)
    sae.set_concept_rates(rates)
    torch.testing.assert_close(torch.sigmoid(sae.b_protein.detach()), rates)
    factors = sae.rate_factors()
    assert (factors["W_protein"], factors["b_protein"], factors["W_pred"]) == (7.5, 7.5, 3.0)


def test_a_protein_head_needs_means(headed, batch):
    with pytest.raises(ValueError, match="train on batches with protein_means"):
        headed.step_output(batch)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"annotation_residues": "all"}, "annotation_residues 'all'"),
        ({"annotation_residues": "both"}, "annotation_residues 'both'"),
        ({"protein_head": True}, "protein_head"),
    ],
)
def test_all_residues_go_with_the_mean_alone(changed, named):
    with pytest.raises(
        ValidationError, match=f"{named} goes with annotation_pooling 'mean', not 'attention'"
    ):
        GuidanceConfig(**changed, annotation_pooling="attention")
