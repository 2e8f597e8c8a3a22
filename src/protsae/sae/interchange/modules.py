"""Modules of the registry for plain dictionaries."""

from typing import TYPE_CHECKING, Any

import torch

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import SaeConfig, parse_config, takes_k
from protsae.sae.interchange.dictionary import DictionaryTensors
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.registry import build

if TYPE_CHECKING:
    from torch import Tensor


def module_of(dictionary: DictionaryTensors) -> SparseAutoencoder | TokenNormalisedSae:
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


def _config(dictionary: DictionaryTensors) -> SaeConfig:
    activation, d_sae, sizes = dictionary.activation, dictionary.d_sae, dictionary.group_sizes
    architecture = activation if sizes is None else "matryoshka"
    fields: dict[str, Any] = {"architecture": architecture, "d_model": dictionary.d_model, "d_sae": d_sae}
    if takes_k(architecture):
        if dictionary.k is None:
            raise InputError(f"{activation} needs k, the number of latents per token")
        fields["k"] = dictionary.k
    if sizes is not None:
        fields["group_shares"] = tuple(size / d_sae for size in sizes)
    return parse_config(fields)


def _tensors(dictionary: DictionaryTensors) -> dict[str, "Tensor"]:
    names = {"encoder": "W_enc", "b_enc": "b_enc", "W_dec": "W_dec", "b_dec": "b_dec"}
    if dictionary.activation == "gated":
        names |= {"b_mag": "b_mag", "log_scale": "r_mag"}
    tensors: dict[str, Tensor] = {name: getattr(dictionary, field) for name, field in names.items()}
    if (threshold := dictionary.threshold) is not None:
        if dictionary.activation == "jumprelu":
            tensors["log_threshold"] = threshold.double().log().to(threshold.dtype)
        else:
            tensors["threshold"] = threshold[0]
    return tensors
