"""Plain TopK sparse autoencoder (Makhzani and Frey 2013; Gao et al. 2024, arXiv 2406.04093)."""

import torch
from torch import Tensor, nn

from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import TopKConfig
from protsae.sae.losses import auxk_loss, reconstruction_loss, top_k_codes


class TopKSae(SparseAutoencoder):
    """Codes are the k largest of `x_n W_enc + b_enc`, ReLU applied; at most k latents fire per token."""

    config: TopKConfig

    def __init__(self, config: TopKConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.encoder = nn.Parameter(self.W_dec.detach().T.clone())
        self.b_enc = nn.Parameter(torch.zeros(config.d_sae))

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input."""
        return self.encoder

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return SparseCodes(*top_k_codes(self._pre_acts(self.scale_input(x)), self.config.k)).dense(
            self.config.d_sae
        )

    def _pre_acts(self, scaled: Tensor) -> Tensor:
        return torch.addmm(self.b_enc, scaled, self.encoder)

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled = self.scale_input(batch.x)
        pre_acts = self._pre_acts(scaled)
        codes = SparseCodes(*top_k_codes(pre_acts, self.config.k))
        x_hat = self._decode_scaled(codes.dense(self.config.d_sae))
        reconstruction = reconstruction_loss(x_hat, scaled)
        aux = auxk_loss(scaled - x_hat, pre_acts, self.W_dec, batch.dead)
        losses = {
            "loss/reconstruction": reconstruction,
            "loss/aux": aux,
            "loss/total": reconstruction + self.config.aux_coefficient * aux,
        }
        return StepOutput(losses, codes.fired(self.config.d_sae), codes.l0())
