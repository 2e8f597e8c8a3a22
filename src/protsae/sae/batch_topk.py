"""BatchTopK sparse autoencoder (Bussmann, Leask and Nanda 2024, arXiv 2412.06410)."""

from collections.abc import Iterable
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.config import BatchTopKConfig, MatryoshkaConfig
from protsae.sae.dense import LinearEncoderSae, step_of
from protsae.sae.losses import auxk_loss, reconstruction_loss

_N_SETTLING = 32


def batch_top_k(pre_acts: Tensor, k: int) -> Tensor:
    """Return codes that keep the n * k largest positive pre-activations [n, d_sae] of the whole batch.

    On a CPU the smallest of them is found by NumPy's partition, which is twenty times faster than torch's
    top-k; should several pre-activations equal it, all of them stay.
    """
    positive, n_kept = functional.relu(pre_acts), k * len(pre_acts)
    if pre_acts.device.type == "cpu" and pre_acts.dtype in (torch.float32, torch.float64):
        flat = pre_acts.detach().flatten().numpy()
        place = len(flat) - n_kept
        return positive * (pre_acts.detach() >= float(np.partition(flat, place)[place]))
    values, places = positive.flatten().topk(n_kept, sorted=False)
    return torch.zeros_like(positive).flatten().scatter(0, places, values).view_as(positive)


class BatchTopKSae(LinearEncoderSae):
    """Trains on the n * k largest pre-activations of a batch; encodes with one threshold for all latents.

    The threshold follows the smallest pre-activation that a training batch keeps, so that a token's code
    depends on no other token.
    """

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
        scaled = self.scale_input(batch.x)
        pre_acts, latent_acts = self._kept(scaled)
        losses, residual = self._fit(latent_acts, scaled)
        losses["loss/aux"] = auxk_loss(residual, pre_acts, self.W_dec, batch.dead)
        losses["loss/total"] = losses["loss/total"] + self.config.aux_coefficient * losses["loss/aux"]
        return step_of(losses, latent_acts, smallest=self._smallest(latent_acts))

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set the threshold to its mean over some batches: while the weights move, it follows behind."""
        smallest = [
            self._smallest(self._kept(self.scale_input(b.x))[1]) for b in islice(batches, _N_SETTLING)
        ]
        known = [value for value in smallest if torch.isfinite(value)]
        if known:
            self.threshold.copy_(torch.stack(known).mean())

    def _kept(self, scaled: Tensor) -> tuple[Tensor, Tensor]:
        """Return pre-activations and the codes that the batch keeps of them [n, d_sae]."""
        pre_acts = self._pre_acts(scaled)
        return pre_acts, batch_top_k(pre_acts, self.config.k)

    def _smallest(self, latent_acts: Tensor) -> Tensor:
        """Return the smallest code above zero; infinite without one."""
        kept = latent_acts.detach()
        return kept.where(kept > 0, torch.inf).min()

    def _fit(self, latent_acts: Tensor, scaled: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the fit with their total, and the residual [n, d_model]."""
        x_hat = self._decode_scaled(latent_acts)
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
