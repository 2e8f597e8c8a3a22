"""Modules of the registry as plain dictionaries over raw activations."""

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder
from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.frozen import FrozenDecoderSae, FrozenEncoderSae
from protsae.sae.gated import GatedSae
from protsae.sae.gba import GbaSae
from protsae.sae.interchange.dictionary import Activation, DictionaryTensors
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.jumprelu import JumpReluSae
from protsae.sae.matryoshka import MatryoshkaSae
from protsae.sae.ordered import OrderedSae
from protsae.sae.protsae import ProtSae
from protsae.sae.relu import ReluSae
from protsae.sae.topk import TopKSae


def dictionary_of(sae: SparseAutoencoder | TokenNormalisedSae) -> DictionaryTensors:
    """Return a module as a dictionary over raw activations, with the same codes.

    Raises:
        InputError: no plain dictionary has this module's codes.
    """
    if isinstance(sae, TokenNormalisedSae):
        return replace(dictionary_of(sae.sae), input_norm=sae.input_norm)
    if isinstance(sae, ProtSae):
        raise InputError(
            "no plain dictionary has ProtSAE's codes: export the nearest one with --plain (`plain=True`)"
        )
    if type(sae) not in _FOLDED:
        raise InputError(f"{type(sae).__name__} has no plain dictionary")
    with torch.no_grad():
        return _FOLDED[type(sae)](sae).on_raw_input(sae.input_mean, float(sae.input_scale))


def nearest_dictionary(sae: ProtSae) -> DictionaryTensors:
    """Return ProtSAE's encoder and decoder as a TopK dictionary over raw activations.

    The encoder rows of defined latents are their drive's. What such a dictionary lacks is in its notes.
    """
    with torch.no_grad():
        near = _dictionary(sae, "topk", sae.W_enc, _biases(sae), k=sae.config.k)
    return near.on_raw_input(sae.input_mean, float(sae.input_scale)).with_notes(
        f"TopK takes its {sae.config.k} latents among all; ProtSAE takes them among the free ones, and "
        "defined latents are also active wherever their drive is positive",
        "forced activation: ProtSAE lifts a gated defined latent to the mean of the token's free codes",
        "the concept predictor, the gates and their thresholds, and the axioms' centres and radii",
        *(["the sites: ProtSAE's defined latents of located concepts fire there alone"] if sae.sites else []),
    )


def _dictionary(
    sae: SparseAutoencoder, activation: Activation, W_enc: Tensor, b_enc: Tensor, **fields: Any
) -> DictionaryTensors:
    W_dec, b_dec = sae.W_dec.detach(), sae.b_dec.detach()
    return DictionaryTensors(activation, W_enc.detach(), b_enc.detach(), W_dec, b_dec, **fields)


def _relu(sae: ReluSae) -> DictionaryTensors:
    return _dictionary(sae, "relu", sae.encoder, sae.b_enc)


def _topk(sae: TopKSae) -> DictionaryTensors:
    return _dictionary(sae, "topk", sae.encoder, sae.b_enc, k=sae.config.k)


def _batch_topk(sae: BatchTopKSae) -> DictionaryTensors:
    threshold = sae.threshold.clamp_min(0).expand_as(sae.b_enc).contiguous()
    return _dictionary(sae, "batch_topk", sae.encoder, sae.b_enc, k=sae.config.k, threshold=threshold)


def _matryoshka(sae: MatryoshkaSae) -> DictionaryTensors:
    ends = (0, *sae.config.prefixes)
    sizes = tuple(end - start for start, end in pairwise(ends))
    return replace(_batch_topk(sae), group_sizes=sizes)


def _jumprelu(sae: JumpReluSae) -> DictionaryTensors:
    return _dictionary(sae, "jumprelu", sae.encoder, sae.b_enc, threshold=sae.threshold.detach())


def _gated(sae: GatedSae) -> DictionaryTensors:
    magnitude = {"b_mag": sae.b_mag.detach(), "r_mag": sae.log_scale.detach()}
    return _dictionary(sae, "gated", sae.encoder, sae.b_enc, **magnitude)


def _gba(sae: GbaSae) -> DictionaryTensors:
    """Projection on tied directions times an amplitude: whole where it exceeds -bias, or less -bias."""
    amplitude = sae.log_amplitude.exp()
    bias = amplitude * math.sqrt(sae.config.d_model) * sae.bias
    W_enc = sae.W_dec.T * amplitude
    if sae.config.activation == "relu":
        return _dictionary(sae, "relu", W_enc, bias).with_input_minus(sae.b_dec)
    jumping = _dictionary(sae, "jumprelu", W_enc, torch.zeros_like(bias), threshold=(-bias).clamp_min(0))
    return jumping.with_input_minus(sae.b_dec)


_FOLDED: dict[type[SparseAutoencoder], Callable[[Any], DictionaryTensors]] = {
    BatchTopKSae: _batch_topk,
    FrozenDecoderSae: _topk,
    FrozenEncoderSae: _topk,
    GatedSae: _gated,
    GbaSae: _gba,
    JumpReluSae: _jumprelu,
    MatryoshkaSae: _matryoshka,
    OrderedSae: _topk,
    ReluSae: _relu,
    TopKSae: _topk,
}


def _biases(sae: ProtSae) -> Tensor:
    """Encoder biases [d_sae] over scaled input: those of the drive, then the free latents'."""
    guidance = sae.config.guidance
    if guidance.defined_bias == "tied":
        defined = sae.log_scale.exp() * (sae.b_pred - sae.gate_logit)
    else:
        defined = sae.b_def if guidance.defined_bias == "free" else torch.zeros_like(sae.b_def)
    return torch.cat([defined, sae.b_free])
