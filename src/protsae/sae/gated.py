"""Gated sparse autoencoder (Rajamanoharan et al. 2024, arXiv 2404.16014)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.base import TrainingBatch
from protsae.sae.config import GatedConfig
from protsae.sae.losses import reconstruction_loss
from protsae.sae.penalised import PenalisedSae


class GatedSae(PenalisedSae):
    """A gate decides which latents fire, a second path with its own scale and bias how much.

    Gate: `π = x_n W_enc + b_enc`. Magnitude: `ReLU(e^r (x_n W_enc) + b_mag)`. A code is the magnitude where
    `π > 0`. The penalty falls on `ReLU(π)`, which stays informative by an auxiliary reconstruction
    through a detached decoder. The step itself passes no gradient.
    """

    config: GatedConfig

    def __init__(self, config: GatedConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.log_scale = nn.Parameter(torch.zeros(config.d_sae))
        self.b_mag = nn.Parameter(torch.zeros(config.d_sae))

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self._codes(self.scale_input(x))[0]

    def _codes(self, scaled: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes and gate pre-activations [n, d_sae] each."""
        projection = scaled @ self.encoder
        gate = projection + self.b_enc
        magnitude = functional.relu(torch.addcmul(self.b_mag, projection, self.log_scale.exp()))
        return magnitude * (gate.detach() > 0), gate

    def _coded(self, scaled: Tensor, batch: TrainingBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        latent_acts, gate = self._codes(scaled)
        gate_acts = functional.relu(gate)
        by_gate = gate_acts @ self.W_dec.detach() + self.b_dec.detach()
        terms = {
            "loss/gate": reconstruction_loss(by_gate, scaled, batch.mean),
            "loss/sparsity": self._unit_norm(gate_acts.sum(dim=1), batch),
        }
        return latent_acts, gate, terms
