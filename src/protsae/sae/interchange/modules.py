"""Between plain dictionaries and the modules of the registry."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import TopKConfig
from protsae.sae.interchange.dictionary import Dictionary
from protsae.sae.interchange.input_norm import TokenNormalisedSae
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

if TYPE_CHECKING:
    from torch import Tensor


def module_of(dictionary: Dictionary) -> SparseAutoencoder | TokenNormalisedSae:
    """Return the module that gives the dictionary's codes and reconstructions, in evaluation mode.

    Its input mean is 0 and its scale 1: centring and scaling are in the weights.
    """
    with torch.random.fork_rng(devices=[]):  # what the module is started with is overwritten
        sae = _empty(dictionary)
    tensors = {"W_dec": dictionary.W_dec, "b_dec": dictionary.b_dec, **_encoder_state(dictionary)}
    state = {**sae.state_dict(), **tensors}
    sae.to(dictionary.W_enc.dtype).load_state_dict(state)
    sae.eval()
    return sae if dictionary.input_norm == "none" else TokenNormalisedSae(sae, dictionary.input_norm).eval()


def _empty(dictionary: Dictionary) -> SparseAutoencoder:
    if dictionary.activation == "topk":
        assert dictionary.k is not None
        return TopKSae(TopKConfig(d_model=dictionary.d_model, d_sae=dictionary.d_sae, k=dictionary.k))
    raise InputError(f"this version has no module for {dictionary.activation} autoencoders")


def _encoder_state(dictionary: Dictionary) -> dict[str, "Tensor"]:
    return {"encoder": dictionary.W_enc, "b_enc": dictionary.b_enc}


def dictionary_of(sae: SparseAutoencoder | TokenNormalisedSae) -> Dictionary:
    """Return a module as a dictionary over raw activations, with the same codes.

    Raises:
        InputError: no plain dictionary has this module's codes.
    """
    if isinstance(sae, TokenNormalisedSae):
        return replace(dictionary_of(sae.sae), input_norm=sae.input_norm)
    if isinstance(sae, ProtSae):
        raise InputError(
            "no plain dictionary has ProtSAE's codes: ask for the nearest one, with the rest beside it"
        )
    if not isinstance(sae, TopKSae):
        raise InputError(f"{type(sae).__name__} has no plain dictionary")
    return _on_raw_input(
        sae,
        Dictionary(
            activation="topk",
            W_enc=sae.encoder.detach(),
            b_enc=sae.b_enc.detach(),
            W_dec=sae.W_dec.detach(),
            b_dec=sae.b_dec.detach(),
            k=sae.config.k,
        ),
    )


def nearest_dictionary(sae: ProtSae) -> Dictionary:
    """Return ProtSAE's encoder and decoder as a TopK dictionary over raw activations.

    The encoder rows of defined latents are their drive's. What such a dictionary lacks is in its notes.
    """
    near = Dictionary(
        activation="topk",
        W_enc=sae.W_enc.detach(),
        b_enc=_biases(sae),
        W_dec=sae.W_dec.detach(),
        b_dec=sae.b_dec.detach(),
        k=sae.config.k,
    )
    return _on_raw_input(sae, near).with_notes(
        f"TopK takes its {sae.config.k} latents among all; ProtSAE takes them among the free ones, and "
        "defined latents are active beside them wherever their drive is positive",
        "forced activation: ProtSAE lifts a gated defined latent to the mean of the token's free codes",
        "the concept predictor, the gates and their thresholds, and the axioms' centres and radii",
    )


def _biases(sae: ProtSae) -> "Tensor":
    """Encoder biases [d_sae] over scaled input: those of the drive, then the free latents'."""
    guidance = sae.config.guidance
    if guidance.defined_bias == "tied":
        defined = sae.log_scale.exp() * (sae.b_pred - sae.gate_logit)
    else:
        defined = sae.b_def if guidance.defined_bias == "free" else torch.zeros_like(sae.b_def)
    return torch.cat([defined, sae.b_free]).detach()


def _on_raw_input(sae: SparseAutoencoder, dictionary: Dictionary) -> Dictionary:
    return dictionary.on_raw_input(sae.input_mean, float(sae.input_scale))
