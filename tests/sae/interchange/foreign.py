"""Tiny autoencoders in other libraries' layouts, their forward passes written from those libraries' formulas.

Every `write_*` returns (path, codes, reconstruction): what the library gives for `INPUT`, in float64.
"""

import json

import numpy as np
import torch
from safetensors.torch import save_file

from protsae.release.dictionary import load_dictionary

D_MODEL, D_SAE, K = 5, 12, 3
_random = np.random.default_rng(7)
INPUT = _random.normal(size=(9, D_MODEL)) * 3 + np.arange(D_MODEL)


def load_module(path, layout="auto", **choices):
    """The module of a dictionary of any origin."""
    return load_dictionary(path, layout=layout, **choices).sae


def reseed(seed=11):
    """Begin the weights anew: they depend on no other test."""
    global _random  # noqa: PLW0603
    _random = np.random.default_rng(seed)


def draw(*shape):
    """Weights that every layout holds exactly."""
    return _random.normal(size=shape).astype(np.float32).astype(float)


def relu(x):
    return np.maximum(x, 0)


def top_k(pre, k):
    codes = np.zeros_like(pre)
    for row, out in zip(pre, codes, strict=True):
        for j in sorted(range(len(row)), key=lambda j: -row[j])[:k]:
            out[j] = max(row[j], 0)
    return codes


def tensors(**arrays):
    return {
        name.replace("__", "."): torch.from_numpy(np.ascontiguousarray(a)).float()
        for name, a in arrays.items()
    }


def layer_norm(x):
    mean = x.mean(axis=1, keepdims=True)
    std = x.std(axis=1, ddof=1, keepdims=True)
    return (x - mean) / (std + 1e-5), mean, std


def write_interprot(folder, k=K, prefix="", file="esm2_plm5_l2_sae12.safetensors"):
    w_enc, w_dec, b_enc, b_pre = draw(D_MODEL, D_SAE), draw(D_SAE, D_MODEL), draw(D_SAE), draw(D_MODEL)
    state = tensors(w_enc=w_enc, w_dec=w_dec, b_enc=b_enc, b_pre=b_pre)
    state["stats_last_nonzero"] = torch.arange(D_SAE)
    save_file({prefix + name: x for name, x in state.items()}, folder / file)
    x, mean, std = layer_norm(INPUT)
    codes = top_k((x - b_pre) @ w_enc + b_enc, k)
    return folder / file, codes, (codes @ w_dec + b_pre) * std + mean


def write_sparsify(folder, **cfg):
    folder = folder / "layers.3"
    folder.mkdir()
    weight, bias, W_dec, b_dec = draw(D_SAE, D_MODEL), draw(D_SAE), draw(D_SAE, D_MODEL), draw(D_MODEL)
    save_file(
        tensors(encoder__weight=weight, encoder__bias=bias, W_dec=W_dec, b_dec=b_dec),
        folder / "sae.safetensors",
    )
    about = {"activation": "topk", "expansion_factor": 32, "normalize_decoder": True, "num_latents": D_SAE}
    about |= {"k": K, "multi_topk": False, "skip_connection": False, "transcode": False, "d_in": D_MODEL}
    (folder / "cfg.json").write_text(json.dumps(about | cfg))
    codes = top_k(relu((INPUT - b_dec) @ weight.T + bias), K)
    return folder, codes, codes @ W_dec + b_dec


def linear():
    return draw(D_SAE, D_MODEL), draw(D_SAE), draw(D_MODEL, D_SAE), draw(D_MODEL)


def write_ae(folder, state, dict_class=None, **trainer):
    """dictionary_learning's folder; InterPLM's without `dict_class`."""
    torch.save(state, folder / "ae.pt")
    if dict_class:
        config = {
            "trainer": {"dict_class": dict_class, "layer": 3, "lm_name": "esm2", **trainer},
            "buffer": {},
        }
        (folder / "config.json").write_text(json.dumps(config))
    return folder / "ae.pt"


def counted(state, threshold=None):
    state["k"] = torch.tensor(K, dtype=torch.int)
    if threshold is not None:
        state["threshold"] = torch.tensor(threshold, dtype=torch.float32)
    return state


def write_topk(folder, dict_class="AutoEncoderTopK", **extra):
    weight, bias, decoder, b_dec = linear()
    state = tensors(encoder__weight=weight, encoder__bias=bias, decoder__weight=decoder, b_dec=b_dec)
    path = write_ae(folder, counted(state, 0.25) | extra, dict_class, k=K)
    codes = top_k(relu((INPUT - b_dec) @ weight.T + bias), K)
    return path, codes, codes @ decoder.T + b_dec


def write_batch_topk(folder, dict_class="BatchTopKSAE", threshold=2.5, **extra):
    weight, bias, decoder, b_dec = linear()
    state = tensors(encoder__weight=weight, encoder__bias=bias, decoder__weight=decoder, b_dec=b_dec)
    path = write_ae(folder, counted(state, threshold) | extra, dict_class, k=K)
    codes = relu((INPUT - b_dec) @ weight.T + bias)
    codes = codes * (codes > threshold)
    return path, codes, codes @ decoder.T + b_dec


def write_matryoshka(folder):
    W_enc, b_enc, W_dec, b_dec = draw(D_MODEL, D_SAE), draw(D_SAE), draw(D_SAE, D_MODEL), draw(D_MODEL)
    state = counted(tensors(W_enc=W_enc, b_enc=b_enc, W_dec=W_dec, b_dec=b_dec), 1.5)
    state["group_sizes"] = torch.tensor([4, 8])
    path = write_ae(folder, state, "MatryoshkaBatchTopKSAE", k=K)
    codes = relu((INPUT - b_dec) @ W_enc + b_enc)
    codes = codes * (codes > 1.5)
    return path, codes, codes @ W_dec + b_dec


def write_relu(folder, dict_class="AutoEncoder", **extra):
    weight, encoder_bias, decoder, bias = linear()
    state = tensors(bias=bias, encoder__weight=weight, encoder__bias=encoder_bias, decoder__weight=decoder)
    path = write_ae(folder, state | extra, dict_class)
    codes = relu((INPUT - bias) @ weight.T + encoder_bias)
    return path, codes, codes @ decoder.T + bias


def write_relu_new(folder):
    weight, bias, decoder, decoder_bias = linear()
    state = tensors(
        encoder__weight=weight, encoder__bias=bias, decoder__weight=decoder, decoder__bias=decoder_bias
    )
    path = write_ae(folder, state, "AutoEncoderNew")
    codes = relu(INPUT @ weight.T + bias)
    return path, codes, codes @ decoder.T + decoder_bias


def write_jumprelu(folder):
    W_enc, b_enc, W_dec, b_dec = draw(D_MODEL, D_SAE), draw(D_SAE), draw(D_SAE, D_MODEL), draw(D_MODEL)
    threshold = np.abs(draw(D_SAE))
    path = write_ae(
        folder,
        tensors(W_enc=W_enc, b_enc=b_enc, W_dec=W_dec, b_dec=b_dec, threshold=threshold),
        "JumpReluAutoEncoder",
    )
    pre = INPUT @ W_enc + b_enc
    codes = relu(pre * (pre > threshold))
    return path, codes, codes @ W_dec + b_dec


def write_gated(folder):
    weight, decoder, decoder_bias = draw(D_SAE, D_MODEL), draw(D_MODEL, D_SAE), draw(D_MODEL)
    r_mag, gate_bias, mag_bias = draw(D_SAE), draw(D_SAE), draw(D_SAE)
    state = tensors(
        decoder_bias=decoder_bias,
        encoder__weight=weight,
        r_mag=r_mag,
        gate_bias=gate_bias,
        mag_bias=mag_bias,
        decoder__weight=decoder,
    )
    path = write_ae(folder, state, "GatedAutoEncoder")
    projection = (INPUT - decoder_bias) @ weight.T
    codes = (projection + gate_bias > 0) * relu(np.exp(r_mag) * projection + mag_bias)
    return path, codes, codes @ decoder.T + decoder_bias


def interplm_marks(**marks):
    """Tensors that only InterPLM's files have."""
    return {
        "activation_rescale_factor": torch.ones(D_SAE),
        "normalize_to_sqrt_d": torch.tensor(False),
    } | marks


def write_interplm_jumprelu(folder):
    weight, bias, decoder, decoder_bias = linear()
    threshold = np.abs(draw(D_SAE))
    state = tensors(
        encoder__weight=weight,
        encoder__bias=bias,
        decoder__weight=decoder,
        decoder__bias=decoder_bias,
        threshold=threshold,
    )
    path = write_ae(folder, state | interplm_marks())
    pre = INPUT @ weight.T + bias
    codes = relu(pre * (pre > threshold))
    return path, codes, codes @ decoder.T + decoder_bias


def write_interplm_by_norm(folder):
    """`normalize_to_sqrt_d`: the forward pass, its output brought back to the tokens' norms."""
    weight, encoder_bias, decoder, bias = linear()
    state = tensors(bias=bias, encoder__weight=weight, encoder__bias=encoder_bias, decoder__weight=decoder)
    path = write_ae(folder, state | interplm_marks(normalize_to_sqrt_d=torch.tensor(True)))
    norms = np.linalg.norm(INPUT, axis=1, keepdims=True)
    x = INPUT / norms * np.sqrt(D_MODEL)
    codes = relu((x - bias) @ weight.T + encoder_bias)
    return path, codes, (codes @ decoder.T + bias) * norms / np.sqrt(D_MODEL)


def write_saelens(folder, architecture, norm="none", subtract=True, rescaled=False, **cfg):
    """SAELens' own formulas, release 6."""
    W_enc, b_enc, W_dec, b_dec = draw(D_MODEL, D_SAE), draw(D_SAE), draw(D_SAE, D_MODEL), draw(D_MODEL)
    x, mean, scale = INPUT, 0.0, 1.0
    if norm == "layer_norm":
        x, mean, scale = layer_norm(INPUT)
    elif norm == "constant_norm_rescale":
        scale = np.linalg.norm(INPUT, axis=1, keepdims=True) / np.sqrt(D_MODEL)
        x = INPUT / scale
    x = x - b_dec * subtract
    norms = np.linalg.norm(W_dec, axis=1) if rescaled else np.ones(D_SAE)
    pre, extra = (x @ W_enc + b_enc) * norms, {"b_enc": b_enc}
    if architecture == "topk":
        codes = top_k(pre, K)
        cfg |= {"k": K, "rescale_acts_by_decoder_norm": rescaled}
    elif architecture == "jumprelu":
        extra["threshold"] = draw(D_SAE)
        codes = relu(pre) * (pre > relu(extra["threshold"]))
    elif architecture == "gated":
        extra = {"b_gate": draw(D_SAE), "b_mag": draw(D_SAE), "r_mag": draw(D_SAE)}
        gate = x @ W_enc + extra["b_gate"] > 0
        codes = gate * relu(x @ (W_enc * np.exp(extra["r_mag"])) + extra["b_mag"])
    else:
        codes = relu(pre)
    save_file(tensors(W_enc=W_enc, W_dec=W_dec, b_dec=b_dec, **extra), folder / "sae_weights.safetensors")
    about = {
        "architecture": architecture,
        "d_in": D_MODEL,
        "d_sae": D_SAE,
        "dtype": "float32",
        "device": "cpu",
    }
    about |= {"apply_b_dec_to_input": subtract, "normalize_activations": norm, "reshape_activations": "none"}
    about["metadata"] = {"sae_lens_version": "6.54.12"}
    (folder / "cfg.json").write_text(json.dumps(about | cfg))
    return folder, codes, (codes / norms @ W_dec + b_dec) * scale + mean
