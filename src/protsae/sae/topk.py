"""Plain TopK sparse autoencoder (Makhzani and Frey 2013; Gao et al. 2024, arXiv 2406.04093)."""

from torch import Tensor

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import TopKConfig
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.kernels import encode_top_k, sparse_decode
from protsae.sae.losses import auxk_of_codes, k_dead, reconstruction_loss


class TopKSae(LinearEncoderSae):
    """Codes are the k largest of `x_n W_enc + b_enc`, ReLU applied; at most k latents fire per token."""

    config: TopKConfig

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self.sparse_codes(x).dense(self.config.d_sae)

    def sparse_codes(self, x: Tensor) -> SparseCodes:
        """Return the codes of raw activations [n, d_model] without their zeros."""
        return encode_top_k(self.scale_input(x), self.encoder, self.b_enc, self.config.k)[0]

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled, config = self.scale_input(batch.x), self.config
        at_once = k_dead(config.d_model)
        codes, revived = encode_top_k(
            scaled, self.encoder, self.b_enc, config.k, dead=batch.dead, k_dead=at_once
        )
        x_hat = sparse_decode(codes, self.W_dec) + self.b_dec
        reconstruction = reconstruction_loss(x_hat, scaled, batch.mean)
        aux = auxk_of_codes(scaled - x_hat, revived, self.W_dec, batch.mean)
        losses = {
            "loss/reconstruction": reconstruction,
            "loss/aux": aux,
            "loss/total": reconstruction + config.aux_coefficient * aux,
        }
        return StepOutput(losses, codes.fired(config.d_sae), codes.l0())
