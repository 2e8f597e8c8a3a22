"""Modules of the registry for plain dictionaries."""

from typing import TYPE_CHECKING

import torch

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import (
    BatchTopKConfig,
    GatedConfig,
    JumpReluConfig,
    MatryoshkaConfig,
    ReluConfig,
    SaeConfig,
    TopKConfig,
)
from protsae.sae.interchange.dictionary import Dictionary
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.registry import build

if TYPE_CHECKING:
    from torch import Tensor


def module_of(dictionary: Dictionary) -> SparseAutoencoder | TokenNormalisedSae:
    """Return the module that gives the dictionary's codes and reconstructions, in evaluation mode.

    Its input mean is 0 and its scale 1: centring and scaling are in the weights. Settings of training are the
    defaults.

    Raises:
        InputError: BatchTopK without k.
    """
    with torch.random.fork_rng(devices=[]):  # what the module starts with is overwritten
        sae = build(_config(dictionary))
    sae.to(dictionary.W_enc.dtype)
    sae.load_state_dict({**sae.state_dict(), **_tensors(dictionary)})
    sae.eval()
    return sae if dictionary.input_norm == "none" else TokenNormalisedSae(sae, dictionary.input_norm).eval()


def _config(dictionary: Dictionary) -> SaeConfig:
    d_model, d_sae, k = dictionary.d_model, dictionary.d_sae, dictionary.k
    if dictionary.activation == "relu":
        return ReluConfig(d_model=d_model, d_sae=d_sae)
    if dictionary.activation == "gated":
        return GatedConfig(d_model=d_model, d_sae=d_sae)
    if dictionary.activation == "jumprelu":
        return JumpReluConfig(d_model=d_model, d_sae=d_sae)
    if k is None:
        raise InputError(f"{dictionary.activation} needs k, the number of latents per token")
    if dictionary.activation == "topk":
        return TopKConfig(d_model=d_model, d_sae=d_sae, k=k)
    if dictionary.group_sizes is None:
        return BatchTopKConfig(d_model=d_model, d_sae=d_sae, k=k)
    shares = tuple(size / d_sae for size in dictionary.group_sizes)
    return MatryoshkaConfig(d_model=d_model, d_sae=d_sae, k=k, group_shares=shares)


def _tensors(dictionary: Dictionary) -> dict[str, "Tensor"]:
    tensors = {
        "encoder": dictionary.W_enc,
        "b_enc": dictionary.b_enc,
        "W_dec": dictionary.W_dec,
        "b_dec": dictionary.b_dec,
    }
    if dictionary.activation == "gated":
        assert dictionary.b_mag is not None and dictionary.r_mag is not None
        tensors |= {"b_mag": dictionary.b_mag, "log_scale": dictionary.r_mag}
    elif dictionary.activation == "jumprelu":
        assert dictionary.threshold is not None
        tensors["log_threshold"] = dictionary.threshold.double().log().to(dictionary.threshold.dtype)
    elif dictionary.activation == "batch_topk":
        assert dictionary.threshold is not None
        tensors["threshold"] = dictionary.threshold[0]
    return tensors
