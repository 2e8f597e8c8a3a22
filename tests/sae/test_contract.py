"""What holds for every architecture of the registry, in each of its published forms."""

from dataclasses import replace

import pytest
import torch
from tests.sae.steps import train

from protsae.core.errors import InputError
from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import CONFIGS, parse_config, shaped_config
from protsae.sae.registry import ARCHITECTURES, TOPK_FAMILY, UNGUIDED, build

FORMS = {
    **{name: (name, {}) for name in sorted(UNGUIDED)},
    "gba/relu": ("gba", {"activation": "relu"}),
    "jumprelu/tanh": ("jumprelu", {"penalty_kind": "tanh"}),
    "matryoshka/weighted": ("matryoshka", {"group_shares": (0.25, 0.75), "prefix_weights": (2.0, 1.0)}),
    "ordered/falling": ("ordered", {"prefix_exponent": 1.5, "k_start_factor": 2.0}),
    "relu/in_penalty": ("relu", {"decoder_norm": "in_penalty", "target_l0": 2.0}),
    "protsae": ("protsae", {}),
    "splice": ("splice", {}),
}
SMALL = {"matryoshka": {"group_shares": (0.125, 0.25, 0.625)}, "gba": {"n_groups": 4}}

# Pairs of loss term and parameter that a published stop-gradient or straight-through estimator sets apart.
STOPPED = {
    "jumprelu": {(None, "log_threshold")},
    "jumprelu/tanh": {(None, "log_threshold")},
    "gated": {(term, name) for term in ("loss/gate", "loss/total") for name in ("W_dec", "b_dec")},
    "protsae": {(None, "W_pred"), (None, "b_pred")},  # tests/sae/test_protsae.py
}


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def trained(sae, form):
    """Those that are trained by gradient steps."""
    if form == "splice":
        pytest.skip("its directions are computed, not trained")
    return sae


@pytest.fixture
def sae(form, make_unguided, make_protsae, make_splice, batch):
    architecture, settings = FORMS[form]
    if architecture == "protsae":
        return make_protsae()
    if architecture == "splice":
        return make_splice()
    return _encoding_as_it_trains(
        make_unguided(architecture, **{**SMALL.get(architecture, {}), **settings}), batch
    )


def _encoding_as_it_trains(sae, batch):
    """Set BatchTopK's threshold just below what the batch keeps, so that encoding gives the same codes."""
    if isinstance(sae, BatchTopKSae):
        sae.threshold.copy_(sae.step_output(batch).statistics["smallest"] * (1 - 1e-9))
    return sae


def test_every_architecture_is_here():
    assert {architecture for architecture, _ in FORMS.values()} == set(ARCHITECTURES)
    assert {"protsae", "splice", *UNGUIDED} == set(ARCHITECTURES)


def test_registry_agrees_with_config(sae):
    assert type(sae) is ARCHITECTURES[sae.config.architecture]
    assert type(sae.config) is CONFIGS[sae.config.architecture]
    assert parse_config(sae.config_json()) == sae.config


def test_forward_is_decode_of_encode_and_codes_are_not_negative(sae, x):
    codes = sae.encode(x)
    assert codes.shape == (len(x), sae.config.d_sae)
    assert codes.min() == 0 < codes.max()
    torch.testing.assert_close(sae(x), sae.decode(codes), rtol=0, atol=0)


def test_decode_is_affine_in_raw_units(sae, x):
    codes = sae.encode(x)
    expected = (codes @ sae.W_dec + sae.b_dec) / sae.input_scale + sae.input_mean
    torch.testing.assert_close(sae.decode(codes), expected)


def test_sparse_codes_are_the_codes(sae, x):
    codes = sae.encode(x)
    sparse = sae.sparse_codes(x)
    assert torch.equal(sparse.dense(sae.config.d_sae), codes)
    assert all(len(set(row)) == len(row) for row in sparse.columns.tolist())
    torch.testing.assert_close(sae.decode_sparse(sparse), sae.decode(codes))


def test_codes_of_a_residue_do_not_depend_on_its_batch(sae, x):
    together = sae.encode(x)
    alone = torch.cat([sae.encode(row.unsqueeze(0)) for row in x])
    torch.testing.assert_close(together, alone)


def test_units_of_the_input_do_not_matter(sae, x):
    codes, x_hat = sae.encode(x), sae(x)
    mean, variance = sae.input_mean.clone(), float(sae.config.d_model / sae.input_scale**2)
    sae.set_input_statistics(5 * mean - 3, 25 * variance)
    torch.testing.assert_close(sae.encode(5 * x - 3), codes)
    torch.testing.assert_close(sae(5 * x - 3), 5 * x_hat - 3)


def test_reconstruction_loss_is_in_units_of_the_training_variance(sae, batch):
    sae.set_input_statistics(batch.x.mean(dim=0), float(batch.x.var(dim=0, correction=0).sum()))
    _encoding_as_it_trains(sae, batch)
    residual = (sae(batch.x) - batch.x).square().sum()
    expected = residual / (batch.x - batch.x.mean(dim=0)).square().sum()
    torch.testing.assert_close(sae.step_output(batch).losses["loss/reconstruction"], expected)


def test_loss_changes_nothing(sae, batch):
    before = {name: tensor.clone() for name, tensor in sae.state_dict().items()}
    first = sae.step_output(batch).losses
    second = sae.step_output(batch).losses
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert all(torch.equal(tensor, before[name]) for name, tensor in sae.state_dict().items())


def test_gradients_of_every_term_equal_finite_differences(trained, form, batch):
    sae = trained
    generator = torch.Generator().manual_seed(3)
    apart = STOPPED.get(form, set())
    parameters = {name: p for name, p in sae.named_parameters() if p.requires_grad}
    directions = {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64) for name, p in parameters.items()
    }
    numeric = {}
    for name, parameter in parameters.items():
        sides = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter.add_(step * directions[name])
                sides.append({term: float(value) for term, value in sae.step_output(batch).losses.items()})
        with torch.no_grad():
            parameter.add_(1e-6 * directions[name])
        numeric[name] = {term: (sides[0][term] - sides[1][term]) / 2e-6 for term in sides[0]}
    n_moving = 0
    for term, value in sae.step_output(batch).losses.items():
        if not value.requires_grad:
            continue
        gradients = torch.autograd.grad(
            value, list(parameters.values()), retain_graph=True, allow_unused=True
        )
        for name, gradient in zip(parameters, gradients, strict=True):
            if (term, name) in apart or (None, name) in apart:
                continue
            analytic = 0.0 if gradient is None else float((gradient * directions[name]).sum())
            assert analytic == pytest.approx(numeric[name][term], rel=1e-5, abs=1e-8), (term, name)
            n_moving += abs(analytic) > 1e-6
    assert n_moving >= 3


def test_decoder_projection_leaves_no_gradient_along_the_rows(trained, form, batch):
    sae = trained
    if form == "relu/in_penalty":
        pytest.skip("its rows are free while it trains")
    if form == "frozen_decoder":
        pytest.skip("its rows have no gradient")
    sae.step_output(batch).losses["loss/total"].backward()
    assert (sae.W_dec.grad * sae.W_dec).sum(dim=1).abs().max() > 1e-3
    sae.project_decoder_gradient()
    assert (sae.W_dec.grad * sae.W_dec).sum(dim=1).abs().max() < 1e-14


def test_decoder_rows_have_unit_norm_after_training(trained, form, batch):
    sae = trained
    if form == "frozen_decoder":
        pytest.skip("its rows stay as they are: test_frozen.py")
    before = sae.W_dec.detach().clone()
    train(sae, [batch] * 5)
    sae.after_epoch([])
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(sae.config.d_sae, dtype=torch.float64))
    assert (sae.W_dec - before).abs().max() > 1e-3


def test_loss_falls_when_one_batch_is_repeated(trained, batch):
    sae = trained
    before = sae.step_output(batch).losses["loss/total"]
    train(sae, [batch] * 60)
    assert sae.step_output(batch).losses["loss/total"] < 0.7 * before


def test_step_says_what_fired_and_how_much(sae, batch):
    batch = replace(batch, x=batch.x[:3], segment=batch.segment[:3])
    _encoding_as_it_trains(sae, batch)
    output, codes = sae.step_output(batch), sae.encode(batch.x)
    assert torch.equal(output.fired, (codes > 0).any(dim=0)) and not output.fired.all()
    assert float(output.l0) == pytest.approx(float((codes > 0).sum()) / len(codes), rel=1e-12)
    assert not any(value.requires_grad for value in output.statistics.values())
    assert not output.l0.requires_grad


def test_training_is_determined_by_the_seed(trained, batch, tmp_path):
    def made(name, seed):
        other = build(trained.config, torch.Generator().manual_seed(seed)).double()
        train(other, [batch] * 3)
        save_sae(other, tmp_path / name, {})
        return (tmp_path / name).read_bytes()

    assert made("a", 1) == made("b", 1) != made("c", 2)


def test_saved_and_loaded_it_encodes_and_trains_on_as_before(sae, form, batch, tmp_path):
    is_trained = form != "splice"
    if is_trained:
        train(sae, [batch] * 3)
    save_sae(sae, tmp_path / "sae", {"seed": 1})
    loaded = SaeCheckpoint(tmp_path / "sae").load()
    assert loaded.config == sae.config
    assert torch.equal(loaded.encode(batch.x), sae.encode(batch.x))
    assert torch.equal(loaded(batch.x), sae(batch.x))
    save_sae(loaded, tmp_path / "again", {"seed": 1})
    assert (tmp_path / "again").read_bytes() == (tmp_path / "sae").read_bytes()
    for module in (sae, loaded) if is_trained else ():
        train(module, [batch] * 3)
    assert all(torch.equal(a, b) for a, b in zip(sae.parameters(), loaded.parameters(), strict=True))


def test_concepts_are_those_of_the_config(sae, form):
    concept_ids = getattr(sae.config, "concept_ids", ())
    assert sae.concept_ids == concept_ids
    assert sae.n_defined == len(concept_ids) == {"protsae": 4, "splice": 16}.get(form, 0)


def test_rates_name_parameters(sae):
    assert set(sae.rate_factors()) <= {name for name, _ in sae.named_parameters()}


@pytest.mark.parametrize("variance", [0.0, -1.0, float("nan"), float("inf")])
def test_variance_has_to_be_positive(make_topk, variance):
    with pytest.raises(ValueError, match="not positive"):
        make_topk().set_input_statistics(torch.zeros(6), variance)


@pytest.mark.parametrize("architecture", TOPK_FAMILY)
def test_the_topk_family_fires_k_latents_per_residue(architecture, make_unguided, batch):
    sae = make_unguided(architecture, **SMALL.get(architecture, {}))
    assert float(sae.step_output(batch).l0) == 3
    n_active = (_encoding_as_it_trains(sae, batch).encode(batch.x) > 0).sum(dim=1).double()
    assert float(n_active.mean()) == 3
    assert (n_active.max() == 3) == (architecture in ("topk", "ordered", "frozen_decoder", "frozen_encoder"))


@pytest.mark.parametrize(
    "architecture", ["topk", "frozen_decoder", "batch_topk", "relu", "jumprelu", "gated"]
)
def test_order_of_the_latents_does_not_matter(architecture, make_unguided, batch):
    """Matryoshka and Ordered are about the order; GBA's groups are made of it."""
    sae = make_unguided(architecture)
    losses, codes = sae.step_output(batch).losses, sae.encode(batch.x)
    order = torch.randperm(sae.config.d_sae, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for tensor in sae.state_dict().values():
            for axis in range(tensor.dim()):
                if tensor.shape[axis] == sae.config.d_sae:
                    tensor.copy_(tensor.index_select(axis, order))
    torch.testing.assert_close(sae.encode(batch.x), codes[:, order])
    torch.testing.assert_close(sae.step_output(batch).losses, losses)


@pytest.mark.parametrize("architecture", ["batch_topk", "gated", "jumprelu", "matryoshka", "ordered", "relu"])
def test_auxk_has_a_weight_where_one_is_given(architecture, make_unguided, batch):
    sae = make_unguided(architecture, **SMALL.get(architecture, {}), aux_coefficient=0.5)
    none = make_unguided(architecture, **SMALL.get(architecture, {}), aux_coefficient=0.0)
    dead = replace(batch, dead=torch.arange(16) % 3 == 0)
    terms = sae.step_output(dead).losses
    assert terms["loss/aux"] > 0
    expected = none.step_output(dead).losses["loss/total"] + 0.5 * terms["loss/aux"]
    torch.testing.assert_close(terms["loss/total"], expected)


def test_settings_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"relu: .*did you mean 'penalty'"):
        shaped_config(CONFIGS["relu"], {"penalti": 1.0}, d_model=4, d_sae=8, k=2)
    with pytest.raises(InputError, match="leave a group of d_sae 8 without latents"):
        shaped_config(CONFIGS["matryoshka"], {}, d_model=4, d_sae=8, k=2)


@pytest.mark.parametrize("architecture", UNGUIDED)
def test_default_settings_are_those_of_the_config(architecture):
    shape = {"d_model": 4, "d_sae": 64, "k": 2}
    config = shaped_config(CONFIGS[architecture], {}, **shape)
    settings = config.model_dump(exclude=set(shape))
    assert shaped_config(CONFIGS[architecture], settings, **shape) == config
    assert parse_config({**settings, **config.model_dump(include=set(shape))}) == config


def test_a_step_in_bfloat16_gives_nearly_the_same_loss(trained, batch):
    """As the trainer does it: products in bfloat16; parameters and buffers stay float32."""
    sae = trained.float()
    floats = {
        name: getattr(batch, name).float() for name in ("x", "labels") if getattr(batch, name) is not None
    }
    batch = replace(batch, **floats)
    expected = float(sae.step_output(batch).losses["loss/total"].detach())
    with torch.autocast("cpu", torch.bfloat16):
        output = sae.step_output(batch)
    if output.logits is not None:
        output = replace(output, logits=output.logits.float())
    output.losses["loss/total"].backward()
    sae.after_step(batch, output)
    assert float(output.losses["loss/total"].detach()) == pytest.approx(expected, rel=0.05)
    assert {t.dtype for t in sae.state_dict().values() if t.is_floating_point()} == {torch.float32}
    assert all(p.grad is None or p.grad.isfinite().all() for p in sae.parameters())
