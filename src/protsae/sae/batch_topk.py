"""BatchTopK sparse autoencoder (Bussmann, Leask and Nanda 2024, arXiv 2412.06410)."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import BatchTopKConfig, MatryoshkaConfig
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.kernels import encode_batch_top_k, sparse_decode
from protsae.sae.losses import auxk_of_codes, k_dead, reconstruction_loss

_N_SETTLING = 32


class BatchTopKSae(LinearEncoderSae):
    """Trains on the n * k largest pre-activations of a batch; encodes with one threshold for all latents.

    The threshold follows the smallest pre-activation that a training batch keeps, so that a token's code
    depends on no other token.
    """

    takes_parts = False  # codes are chosen among all of the batch
    config: BatchTopKConfig | MatryoshkaConfig
    threshold: Tensor
    """What a pre-activation has to exceed."""
    n_threshold_steps: Tensor
    """Steps that it has followed."""

    def __init__(
        self, config: BatchTopKConfig | MatryoshkaConfig, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, generator)
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("n_threshold_steps", torch.zeros((), dtype=torch.int64))

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        pre_acts = self._pre_acts(self.scale_input(x))
        return functional.relu(pre_acts) * (pre_acts > self.threshold)

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled, config = self.scale_input(batch.x), self.config
        codes, revived = self._kept(scaled, dead=batch.dead, k_dead=k_dead(config.d_model))
        losses, residual = self._fit(codes, scaled)
        losses["loss/aux"] = auxk_of_codes(residual, revived, self.W_dec)
        losses["loss/total"] = losses["loss/total"] + config.aux_coefficient * losses["loss/aux"]
        statistics = {"smallest": self._smallest(codes)}
        return StepOutput(losses, codes.fired(config.d_sae), codes.l0(), statistics=statistics)

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set the threshold to its mean over some batches: while the weights move, it follows behind."""
        smallest = [
            self._smallest(self._kept(self.scale_input(b.x))[0]) for b in islice(batches, _N_SETTLING)
        ]
        known = [value for value in smallest if torch.isfinite(value)]
        if known:
            self.threshold.copy_(torch.stack(known).mean())

    def _kept(self, scaled: Tensor, **dead: Any) -> tuple[SparseCodes, SparseCodes | None]:
        """Return the codes that the batch keeps, and those of dead latents: see `encode_top_k`."""
        return encode_batch_top_k(scaled, self.encoder, self.b_enc, self.config.k, **dead)

    def _smallest(self, codes: SparseCodes) -> Tensor:
        """Return the smallest code above zero; infinite without one."""
        kept = codes.values.detach().flatten()
        return torch.cat([kept.where(kept > 0, torch.inf), kept.new_full((1,), torch.inf)]).min()

    def _fit(self, codes: SparseCodes, scaled: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the fit with their total, and the residual [n, d_model]."""
        x_hat = sparse_decode(codes, self.W_dec) + self.b_dec
        reconstruction = reconstruction_loss(x_hat, scaled)
        return {"loss/reconstruction": reconstruction, "loss/total": reconstruction}, scaled - x_hat

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Let the threshold follow the smallest pre-activation that the batch kept, if it kept any."""
        smallest = output.statistics["smallest"]
        if not torch.isfinite(smallest):
            return
        self.n_threshold_steps += 1
        share = max(1 - self.config.threshold_momentum, 1 / int(self.n_threshold_steps))
        self.threshold.lerp_(smallest.to(self.threshold.dtype), share)
