"""ReLU sparse autoencoder with an L1 penalty (Cunningham et al. 2023, arXiv 2309.08600)."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.base import TrainingBatch
from protsae.sae.config import ReluConfig
from protsae.sae.penalised import PenalisedSae


class ReluSae(PenalisedSae):
    """Codes are `ReLU(x_n W_enc + b_enc)`; the penalty is their sum."""

    config: ReluConfig

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return functional.relu(self._pre_acts(self.scale_input(x)))

    def _coded(self, scaled: Tensor, batch: TrainingBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        pre_acts = self._pre_acts(scaled)
        latent_acts = functional.relu(pre_acts)
        sparsity = self._unit_norm(latent_acts @ self._row_sizes(), batch)
        return latent_acts, pre_acts, {"loss/sparsity": sparsity}

    def _row_sizes(self) -> Tensor:
        """Return what a code of 1 counts in the penalty [d_sae]."""
        if self.config.decoder_norm == "unit":
            return torch.ones_like(self.b_enc)
        norms: Tensor = self.W_dec.norm(dim=1)
        return norms

    @property
    def has_unit_rows(self) -> bool:
        """Whether training holds the decoder's rows at unit norm."""
        return self.config.decoder_norm == "unit"

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Move the norm of free decoder rows into their encoders: the reconstruction stays as it is."""
        if self.config.decoder_norm == "in_penalty":
            norms = self.W_dec.norm(dim=1).clamp_min(torch.finfo(self.W_dec.dtype).tiny)
            self.W_dec.div_(norms.unsqueeze(1))
            self.encoder.mul_(norms)
            self.b_enc.mul_(norms)
