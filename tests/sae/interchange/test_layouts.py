"""Every layout, written here by its own formulas: codes and reconstructions come back as that library's."""

import json

import numpy as np
import pytest
import torch
from tests.sae.interchange import foreign
from tests.sae.interchange.foreign import D_MODEL, D_SAE, INPUT, K, load_module

from protsae.core.errors import InputError
from protsae.sae.interchange import TokenNormalisedSae, read_dictionary
from protsae.sae.interchange.modules import module_of


@pytest.fixture(autouse=True)
def same_weights_in_any_order():
    foreign.reseed()


def saelens(*arguments, **settings):
    return lambda folder: foreign.write_saelens(folder, *arguments, **settings)


LAYOUTS = {
    "interprot": foreign.write_interprot,
    "sparsify": foreign.write_sparsify,
    "dictionary_learning topk": foreign.write_topk,
    "interplm topk": lambda folder: foreign.write_topk(folder, None, **foreign.interplm_marks()),
    "saelens topk": saelens("topk"),
    "saelens topk, b_dec left in": saelens("topk", subtract=False),
    "saelens topk, layer_norm": saelens("topk", norm="layer_norm"),
    "saelens topk, constant_norm_rescale": saelens("topk", norm="constant_norm_rescale"),
    "saelens topk, rescaled": saelens("topk", rescaled=True),
    "dictionary_learning batch_topk": foreign.write_batch_topk,
    "dictionary_learning matryoshka": foreign.write_matryoshka,
    "dictionary_learning relu": foreign.write_relu,
    "dictionary_learning relu new": foreign.write_relu_new,
    "dictionary_learning jumprelu": foreign.write_jumprelu,
    "dictionary_learning gated": foreign.write_gated,
    "interplm relu": lambda folder: foreign.write_relu(folder, None, **foreign.interplm_marks()),
    "interplm relu, sqrt_d": foreign.write_interplm_by_norm,
    "interplm jumprelu": foreign.write_interplm_jumprelu,
    "interplm batch_topk": lambda folder: foreign.write_batch_topk(folder, None, **foreign.interplm_marks()),
    "saelens standard": saelens("standard"),
    "saelens standard, constant_norm_rescale": saelens("standard", norm="constant_norm_rescale"),
    "saelens jumprelu": saelens("jumprelu"),
    "saelens gated": saelens("gated"),
}
ARCHITECTURE_OF = {
    "interprot": "topk",
    "sparsify": "topk",
    "dictionary_learning relu new": "relu",
    "saelens standard": "relu",
    "saelens standard, constant_norm_rescale": "relu",
}
OPEN = {  # what the files leave open
    "interprot": {"k": K},
    "interplm topk": {"activation": "topk"},
    "interplm batch_topk": {"activation": "batch_topk"},
}


def evaluate(dictionary):
    """Codes and reconstruction of `INPUT` by the formulas of `Dictionary`'s docstring, in NumPy."""
    W_enc, b_enc, W_dec, b_dec = (
        getattr(dictionary, name).double().numpy() for name in ("W_enc", "b_enc", "W_dec", "b_dec")
    )
    x, mean, scale = INPUT, 0.0, 1.0
    if dictionary.input_norm == "layer_norm":
        x, mean, scale = foreign.layer_norm(INPUT)
    elif dictionary.input_norm == "sqrt_d":
        scale = np.linalg.norm(INPUT, axis=1, keepdims=True) / np.sqrt(D_MODEL)
        x = INPUT / scale
    pre = x @ W_enc + b_enc
    if dictionary.activation == "topk":
        codes = foreign.top_k(pre, dictionary.k)
    elif dictionary.activation == "gated":
        magnitude = x @ W_enc * np.exp(dictionary.r_mag.double().numpy()) + dictionary.b_mag.double().numpy()
        codes = (pre > 0) * foreign.relu(magnitude)
    else:
        codes = foreign.relu(pre)
        if dictionary.threshold is not None:
            codes = codes * (pre > dictionary.threshold.double().numpy())
    return codes, (codes @ W_dec + b_dec) * scale + mean


def close(actual, expected):
    np.testing.assert_allclose(np.asarray(actual), expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_dictionary_gives_the_librarys_codes_and_reconstruction(layout, tmp_path):
    path, codes, reconstruction = LAYOUTS[layout](tmp_path)
    assert (codes > 0).any(axis=1).all()
    assert (codes == 0).any()
    dictionary = read_dictionary(path, **OPEN.get(layout, {}))
    assert dictionary.metadata["layout"] == layout.split()[0]
    actual = evaluate(dictionary)
    close(actual[0], codes)
    close(actual[1], reconstruction)


@pytest.mark.parametrize("layout", LAYOUTS)
@torch.no_grad()
def test_module_gives_the_librarys_codes_and_reconstruction(layout, tmp_path):
    path, codes, reconstruction = LAYOUTS[layout](tmp_path)
    sae = load_module(path, **OPEN.get(layout, {}))
    x = torch.from_numpy(INPUT).float()
    close(sae.encode(x), codes)
    close(sae(x), reconstruction)
    assert not sae.training
    module = getattr(sae, "sae", sae)
    assert (module.input_mean == 0).all() and float(module.input_scale) == 1
    rows = read_dictionary(path, **OPEN.get(layout, {})).W_dec
    torch.testing.assert_close(module.W_dec.norm(dim=1), rows.norm(dim=1))
    named = layout.split(",")[0].split()[-1]
    assert getattr(sae, "sae", sae).config.architecture == ARCHITECTURE_OF.get(layout, named)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_may_be_named(layout, tmp_path):
    path, _, _ = LAYOUTS[layout](tmp_path)
    name = layout.split()[0]
    dictionary = read_dictionary(path, name, **OPEN.get(layout, {}))
    assert dictionary.W_enc.shape == (D_MODEL, D_SAE)
    assert dictionary.W_enc.dtype == torch.float32


@pytest.mark.parametrize("write", [foreign.write_jumprelu, foreign.write_gated])
def test_norms_that_older_revisions_put_into_codes_are_spoken_of(write, tmp_path):
    path, _, _ = write(tmp_path)
    assert "it multiplied them by the rows' norms" in read_dictionary(path).notes[0]
    state = torch.load(path, weights_only=True)
    name, dim = ("W_dec", 1) if "W_dec" in state else ("decoder.weight", 0)
    state[name] /= state[name].norm(dim=dim, keepdim=True)
    torch.save(state, path)
    assert read_dictionary(path).notes == ()


def test_group_sizes_of_matryoshka_are_kept(tmp_path):
    path, _, _ = foreign.write_matryoshka(tmp_path)
    assert load_module(path).config.prefixes == (4, 12)
    assert load_module(path).config.k == K


@torch.no_grad()
def test_token_normalised_codes_decode_with_their_tokens(tmp_path):
    path, codes, reconstruction = foreign.write_interprot(tmp_path)
    sae = load_module(path, k=K)
    assert isinstance(sae, TokenNormalisedSae)
    with pytest.raises(InputError, match="do not hold the tokens' scale"):
        sae.decode(torch.from_numpy(codes).float())
    like = torch.from_numpy(INPUT).float()
    close(sae.decode(torch.from_numpy(codes).float(), like=like), reconstruction)


def test_interprot_k_defaults_with_a_note(tmp_path, monkeypatch):
    path, codes, _ = foreign.write_interprot(tmp_path)
    monkeypatch.setattr("protsae.sae.interchange.interprot.DEFAULT_K", 3)
    dictionary = read_dictionary(path)
    close(evaluate(dictionary)[0], codes)
    assert "do not hold k: taken as its default, 3" in dictionary.notes[0]
    assert "stats_last_nonzero" in dictionary.notes[1]
    assert not any("do not hold k" in note for note in read_dictionary(path, k=5).notes)


def test_interprots_default_k_has_to_fit(tmp_path):
    path, _, _ = foreign.write_interprot(tmp_path)
    with pytest.raises(InputError, match=r"sae12\.safetensors: k 128 of 12 latents"):
        read_dictionary(path)


def test_lightning_checkpoint_of_interprot_holds_k(tmp_path):
    from argparse import Namespace

    from safetensors.torch import load_file

    path, codes, _ = foreign.write_interprot(tmp_path, prefix="sae_model.")
    state = load_file(path) | {"esm2_model.embed.weight": torch.zeros(2)}
    arguments = {"args": Namespace(k=K, d_hidden=D_SAE)}
    torch.save({"state_dict": state, "hyper_parameters": arguments, "epoch": 1}, tmp_path / "last.ckpt")
    close(evaluate(read_dictionary(tmp_path / "last.ckpt"))[0], codes)


def test_interplm_codes_divided_by_their_largest(tmp_path):
    factors = torch.linspace(0.5, 6, D_SAE)
    factors[4] = 0  # never active: upstream clamps to 1e-8
    marks = foreign.interplm_marks(activation_rescale_factor=factors)
    path, codes, reconstruction = foreign.write_batch_topk(tmp_path, None, **marks)
    plain = read_dictionary(path, activation="batch_topk")
    close(evaluate(plain)[0], codes)
    assert "not divided by activation_rescale_factor" in plain.notes[0]
    divided = evaluate(read_dictionary(path, activation="batch_topk", normalise_codes=True))
    scale = factors.clamp_min(1e-8).numpy()
    np.testing.assert_allclose(divided[0], codes / scale, rtol=2e-5, atol=2e-5)
    close(divided[1], reconstruction)


def test_interplm_topk_cannot_be_divided(tmp_path):
    marks = foreign.interplm_marks(activation_rescale_factor=torch.linspace(0.5, 6, D_SAE))
    path, codes, _ = foreign.write_topk(tmp_path, None, **marks)
    close(evaluate(read_dictionary(path, activation="topk"))[0], codes)
    with pytest.raises(InputError, match="with a factor of its own for each latent it would pick"):
        read_dictionary(path, activation="topk", normalise_codes=True)


@pytest.mark.parametrize(
    ("text", "activation"),
    [
        (
            "trainer_cfg: !!python/object:interplm.train.trainers.batch_top_k.BatchTopKTrainerConfig",
            "batch_topk",
        ),
        ("trainer_cfg: !!python/object:interplm.train.trainers.top_k.TopKTrainerConfig", "topk"),
    ],
)
def test_interplm_config_is_read_for_the_class_name_and_never_run(tmp_path, text, activation):
    path, _, _ = foreign.write_batch_topk(tmp_path, None, **foreign.interplm_marks())
    marker = tmp_path / "marker"
    run = f"evil: !!python/object/apply:os.system ['touch {marker}']\n"
    (tmp_path / "config.yaml").write_text(run + text + "\n")
    assert read_dictionary(tmp_path).activation == activation
    assert not marker.exists()
    (tmp_path / "config.yaml").write_text("neither\n")
    with pytest.raises(InputError, match="AutoEncoderTopK or BatchTopKSAE"):
        read_dictionary(path)


def test_only_the_config_distinguishes_topk_and_batch_topk(tmp_path):
    path, codes, _ = foreign.write_batch_topk(tmp_path)
    assert read_dictionary(path).activation == "batch_topk"
    (tmp_path / "config.json").unlink()
    with pytest.raises(InputError, match=r"AutoEncoderTopK or BatchTopKSAE.*say which by `activation`"):
        read_dictionary(path)
    close(evaluate(read_dictionary(path, activation="batch_topk"))[0], codes)


def test_saelens_before_release_6(tmp_path):
    folder, codes, reconstruction = foreign.write_saelens(tmp_path, "topk")
    cfg = json.loads((folder / "cfg.json").read_text())
    del cfg["k"], cfg["metadata"], cfg["apply_b_dec_to_input"]
    old = {"architecture": "standard", "activation_fn_str": "topk", "activation_fn_kwargs": {"k": K}}
    (folder / "cfg.json").write_text(json.dumps(cfg | old | {"normalize_activations": False}))
    actual = evaluate(read_dictionary(folder))
    close(actual[0], codes)
    close(actual[1], reconstruction)


def test_half_precision_goes_up_to_float32_and_double_stays(tmp_path):
    from safetensors.torch import load_file, save_file

    folder, _, _ = foreign.write_sparsify(tmp_path)
    state = load_file(folder / "sae.safetensors")
    for dtype, read in ((torch.bfloat16, torch.float32), (torch.float64, torch.float64)):
        stored = {name: x.to(dtype) for name, x in state.items()}
        save_file(stored, folder / "sae.safetensors")
        dictionary = read_dictionary(folder)
        assert dictionary.W_dec.dtype == dictionary.b_enc.dtype == read
        assert torch.equal(dictionary.W_dec, stored["W_dec"].to(read))
        assert module_of(dictionary).W_dec.dtype == read


def test_reading_draws_no_random_number(tmp_path):
    path, _, _ = foreign.write_topk(tmp_path)
    before = torch.random.get_rng_state()
    load_module(path)
    assert torch.equal(torch.random.get_rng_state(), before)
