"""Plain TopK sparse autoencoder (Makhzani and Frey 2013; Gao et al. 2024, arXiv 2406.04093)."""

from torch import Tensor

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import TopKConfig
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.kernels import dense_top_k, encode_dead, encode_top_k, is_dense, sparse_decode
from protsae.sae.losses import auxk_of_codes, k_dead, reconstruction_loss

_Step = tuple[Tensor, SparseCodes | None, Tensor, Tensor]
"""Decoded codes [n, d_model], codes of dead latents, which latents fired, mean number of active ones."""


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
        reconstruct = self._dense if is_dense(self.encoder, config.k) else self._sparse
        decoded, revived, fired, l0 = reconstruct(scaled, batch.dead, k_dead(config.d_model))
        x_hat = decoded + self.b_dec
        reconstruction = reconstruction_loss(x_hat, scaled)
        aux = auxk_of_codes(scaled - x_hat, revived, self.W_dec)
        losses = {
            "loss/reconstruction": reconstruction,
            "loss/aux": aux,
            "loss/total": reconstruction + config.aux_coefficient * aux,
        }
        return StepOutput(losses, fired, l0)

    def _sparse(self, scaled: Tensor, dead: Tensor, at_once: int) -> _Step:
        d_sae, k = self.config.d_sae, self.config.k
        codes, revived = encode_top_k(scaled, self.encoder, self.b_enc, k, dead=dead, k_dead=at_once)
        return sparse_decode(codes, self.W_dec), revived, codes.fired(d_sae), codes.l0()

    def _dense(self, scaled: Tensor, dead: Tensor, at_once: int) -> _Step:
        decoded, fired, counts = dense_top_k(scaled, self.encoder, self.b_enc, self.W_dec, self.config.k)
        revived = encode_dead(scaled, self.encoder, self.b_enc, dead, at_once)
        return decoded, revived, fired, counts.double().mean()
