"""Ordered sparse autoencoder (Wang, Quach, Parsan and Yang 2025, arXiv 2512.02194)."""

import torch
from torch import Tensor

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import OrderedConfig
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.kernels import encode_top_k, prefix_energies
from protsae.sae.losses import auxk_of_codes, k_dead, reconstruction_loss


class OrderedSae(LinearEncoderSae):
    """TopK whose every prefix reconstructs: latent j helps only in prefixes longer than j.

    The loss is the expectation of the reconstruction loss over the prefix length. It is taken exactly: a
    token's reconstruction changes only at the k latents that are active, so k + 1 residuals are all there is.
    """

    config: OrderedConfig
    survival: Tensor
    """Float64 [d_sae]: probability that a latent lies within the prefix; falling, the first is 1."""

    def __init__(self, config: OrderedConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        lengths = torch.arange(1, config.d_sae + 1, dtype=torch.float64)
        weights = lengths**-config.prefix_exponent
        survival = weights.flip(0).cumsum(0).flip(0) / weights.sum()
        self.register_buffer("survival", survival, persistent=False)

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self.sparse_codes(x).dense(self.config.d_sae)

    def sparse_codes(self, x: Tensor) -> SparseCodes:
        """Return the codes of raw activations [n, d_model] without their zeros."""
        return encode_top_k(self.scale_input(x), self.encoder, self.b_enc, self.config.k)[0]

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled, config = self.scale_input(batch.x), self.config
        codes, revived = encode_top_k(
            scaled,
            self.encoder,
            self.b_enc,
            self._k(batch.progress),
            dead=batch.dead,
            k_dead=k_dead(config.d_model),
        )
        residual, ordered = self._ordered(scaled, codes)
        ordered = batch.mean(ordered, len(scaled))
        aux = auxk_of_codes(residual, revived, self.W_dec, batch.mean)
        losses = {
            "loss/reconstruction": reconstruction_loss(residual, torch.zeros_like(residual), batch.mean),
            "loss/ordered": ordered,
            "loss/aux": aux,
            "loss/total": ordered + config.aux_coefficient * aux,
        }
        return StepOutput(losses, codes.fired(config.d_sae), codes.l0())

    def _ordered(self, scaled: Tensor, codes: SparseCodes) -> tuple[Tensor, Tensor]:
        """Return the residual of the whole code [n, d_model] and the expected loss over prefixes."""
        columns, order = codes.columns.sort(dim=1)
        within = self.survival[columns].to(scaled.dtype)
        ends = torch.cat([torch.ones_like(within[:, :1]), within, torch.zeros_like(within[:, :1])], dim=1)
        shares = ends[:, :-1] - ends[:, 1:]  # of the prefixes that end before the next active latent
        active = SparseCodes(codes.values.gather(1, order), columns)
        residual, energies = prefix_energies(scaled - self.b_dec, active, self.W_dec, shares)
        return residual, energies.sum() / scaled.numel()

    def _k(self, progress: float) -> int:
        """Return how many latents per token are active after a share of the training."""
        config = self.config
        left = 0.0 if progress >= config.k_settled_at else 1 - progress / config.k_settled_at
        return min(config.d_sae, round(config.k * (1 + (config.k_start_factor - 1) * left)))
