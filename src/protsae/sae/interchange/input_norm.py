"""An autoencoder over tokens that are normalised one by one, as InterProt's and some of InterPLM's are."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder

if TYPE_CHECKING:
    from protsae.sae.interchange.dictionary import TokenNorm

_LAYER_NORM_EPSILON = 1e-5
_SMALLEST_NORM = 1e-8


class TokenNormalisedSae(nn.Module):
    """Raw activations in and out, `sae` over normalised tokens between.

    What is taken from a token (its mean and deviation, or its norm) is not in the codes: decoding needs the
    token, or ends in normalised units.
    """

    def __init__(self, sae: SparseAutoencoder, input_norm: "TokenNorm") -> None:
        super().__init__()
        self.sae = sae
        self.input_norm = input_norm

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self.sae.encode(self._normalise(x)[0])

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of raw activations [n, d_model]."""
        return self.decode(self.encode(x), like=x)

    def decode(self, latent_acts: Tensor, like: Tensor | None = None) -> Tensor:
        """Return raw activations [n, d_model] of codes [n, d_sae].

        Args:
            latent_acts: the codes.
            like: the raw activations [n, d_model] whose mean and scale the tokens get back.

        Raises:
            InputError: `like` is left out.
        """
        if like is None:
            raise InputError(
                f"codes of a {self.input_norm} autoencoder do not hold the tokens' scale: give the raw "
                "activations as `like`, or use `.sae.decode` for normalised units"
            )
        _, mean, scale = self._normalise(like)
        return self.sae.decode(latent_acts) * scale + mean

    def _normalise(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return normalised tokens and what undoes it: `x̂ * scale + mean`."""
        if self.input_norm == "layer_norm":
            mean = x.mean(dim=-1, keepdim=True)
            deviation = (x - mean).std(dim=-1, keepdim=True)
            return (x - mean) / (deviation + _LAYER_NORM_EPSILON), mean, deviation
        norm = x.norm(dim=-1, keepdim=True).clamp_min(_SMALLEST_NORM)
        scale = norm / x.shape[-1] ** 0.5
        return x / scale, torch.zeros_like(norm), scale
