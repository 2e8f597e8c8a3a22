"""Ordered sparse autoencoder (Wang, Quach, Parsan and Yang 2025, arXiv 2512.02194)."""

import torch
from torch import Tensor

from protsae.sae.codes import SparseCodes
from protsae.sae.config import OrderedConfig
from protsae.sae.kernels import prefix_energies
from protsae.sae.losses import BatchMean, reconstruction_loss
from protsae.sae.topk import TopKSae


class OrderedSae(TopKSae):
    """TopK whose every prefix reconstructs: latent j helps only in prefixes longer than j.

    The loss is the expectation of the reconstruction loss over the prefix length. It is taken exactly: a
    token's reconstruction changes only at the k latents that are active, so there are k + 1 residuals.
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

    def _fit(
        self, codes: SparseCodes, scaled: Tensor, mean: BatchMean
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return what is logged, the expected loss over prefixes, and the residual [n, d_model]."""
        residual, ordered = self._ordered(scaled, codes)
        ordered = mean(ordered, len(scaled))
        reconstruction = reconstruction_loss(residual, torch.zeros_like(residual), mean)
        return {"loss/reconstruction": reconstruction, "loss/ordered": ordered}, ordered, residual

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
