"""Matryoshka sparse autoencoder (Bussmann, Nabeshima, Karvonen and Nanda 2025, arXiv 2503.17547)."""

import torch
from torch import Tensor

from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.config import MatryoshkaConfig
from protsae.sae.losses import reconstruction_loss


class MatryoshkaSae(BatchTopKSae):
    """BatchTopK whose prefixes reconstruct on their own: the first latents have to stand without the later.

    The codes are chosen among all latents; each prefix decodes those that fall into it.
    """

    config: MatryoshkaConfig

    def _fit(self, latent_acts: Tensor, scaled: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the fit of the whole dictionary, the weighted mean over prefixes, and the residual."""
        prefixes = self.config.prefixes
        weights = self.config.prefix_weights or (1.0,) * len(prefixes)
        residual, nested, start = scaled - self.b_dec, scaled.new_zeros(()), 0
        for end, weight in zip(prefixes, weights, strict=True):
            residual = torch.addmm(residual, latent_acts[:, start:end], self.W_dec[start:end], alpha=-1)
            reconstruction = reconstruction_loss(residual, torch.zeros_like(residual))
            nested = nested + weight / sum(weights) * reconstruction
            start = end
        losses = {"loss/reconstruction": reconstruction, "loss/nested": nested, "loss/total": nested}
        return losses, residual
