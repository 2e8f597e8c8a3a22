"""Matryoshka sparse autoencoder (Bussmann, Nabeshima, Karvonen and Nanda 2025, arXiv 2503.17547)."""

import torch
from torch import Tensor

from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.codes import SparseCodes
from protsae.sae.config import MatryoshkaConfig
from protsae.sae.kernels import sparse_decode_groups
from protsae.sae.losses import BatchMean, reconstruction_loss


class MatryoshkaSae(BatchTopKSae):
    """BatchTopK whose prefixes reconstruct on their own: the first latents have to do without the later ones.

    The codes are chosen among all latents; each prefix decodes those that fall into it.
    """

    config: MatryoshkaConfig

    def _fit(
        self, codes: SparseCodes, scaled: Tensor, mean: BatchMean
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return the fit of the whole dictionary, the weighted mean over prefixes, and the residual."""
        prefixes = self.config.prefixes
        weights = self.config.prefix_weights or (1.0,) * len(prefixes)
        residual, nested = scaled - self.b_dec, scaled.new_zeros(())
        groups = sparse_decode_groups(codes, self.W_dec, prefixes)
        for group, weight in zip(groups, weights, strict=True):
            residual = residual - group
            reconstruction = reconstruction_loss(residual, torch.zeros_like(residual), mean)
            nested = nested + weight / sum(weights) * reconstruction
        return {"loss/reconstruction": reconstruction, "loss/nested": nested}, nested, residual
