"""What architectures share whose codes are chosen by their size: the training step with AuxK."""

from typing import Any

from torch import Tensor

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import TopKFamilyConfig
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.kernels import encode_top_k, fired, sparse_decode
from protsae.sae.losses import BatchMean, auxk_of_codes, k_dead, reconstruction_loss


class SelectedSae(LinearEncoderSae):
    """Trains on the k largest pre-activations of each token, ReLU applied."""

    config: TopKFamilyConfig

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled, config = self.scale_input(batch.x), self.config
        codes, revived = self._chosen(scaled, batch.progress, dead=batch.dead, k_dead=k_dead(config.d_model))
        losses, fit, residual = self._fit(codes, scaled, batch.mean)
        aux = auxk_of_codes(residual, revived, self.W_dec, batch.mean)
        losses |= {"loss/aux": aux, "loss/total": fit + config.aux_coefficient * aux}
        statistics = self._statistics(codes)
        return StepOutput(losses, fired(codes, config.d_sae), codes.l0(), statistics=statistics)

    def _chosen(self, scaled: Tensor, progress: float, **dead: Any) -> tuple[SparseCodes, SparseCodes | None]:
        """Return the codes of a batch, and those of dead latents: see `kernels.encode_top_k`."""
        return encode_top_k(scaled, self.encoder, self.b_enc, self._k(progress), **dead)

    def _k(self, progress: float) -> int:
        """Return how many latents per token are active after a share of the training."""
        return self.config.k

    def _fit(
        self, codes: SparseCodes, scaled: Tensor, mean: BatchMean
    ) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return what is logged of the fit, the loss that is minimised, and the residual [n, d_model]."""
        x_hat = sparse_decode(codes, self.W_dec) + self.b_dec
        reconstruction = reconstruction_loss(x_hat, scaled, mean)
        return {"loss/reconstruction": reconstruction}, reconstruction, scaled - x_hat

    def _statistics(self, codes: SparseCodes) -> dict[str, Tensor]:
        """Return what `after_step` needs."""
        return {}
