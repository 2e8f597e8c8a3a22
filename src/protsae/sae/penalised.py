"""What architectures with a sparsity penalty share: the step, the penalty's weight, and its control by L0."""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.config import GatedConfig, JumpReluConfig, ReluConfig
from protsae.sae.dense import LinearEncoderSae, step_of
from protsae.sae.losses import auxk_loss, reconstruction_loss


class PenalisedSae(LinearEncoderSae):
    """The penalty's weight rises over the warm-up, and follows `target_l0` where one is set."""

    settles = True
    config: ReluConfig | JumpReluConfig | GatedConfig
    penalty_scale: Tensor
    """Multiple of `config.penalty` that steering has reached."""
    penalty_trend: Tensor
    """The part of its logarithm that stays when L0 equals its target."""
    last_l0: Tensor
    """L0 of the step before."""

    def __init__(
        self, config: ReluConfig | JumpReluConfig | GatedConfig, generator: torch.Generator | None = None
    ) -> None:
        super().__init__(config, generator)
        self.register_buffer("penalty_scale", torch.ones(()))
        self.register_buffer("penalty_trend", torch.zeros(()))
        self.register_buffer("last_l0", torch.zeros(()))

    def _penalty_weight(self, progress: float) -> Tensor:
        """Return the penalty's weight after a share of the training."""
        warmup = self.config.penalty_warmup
        risen = 1.0 if progress >= warmup else progress / warmup
        return self.config.penalty * risen * self.penalty_scale

    @abstractmethod
    def _coded(self, scaled: Tensor, batch: TrainingBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return codes [n, d_sae], pre-activations [n, d_sae] of the latents that AuxK may revive, and loss
        terms: `loss/sparsity`, and terms of weight 1."""

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled = self.scale_input(batch.x)
        latent_acts, pre_acts, terms = self._coded(scaled, batch)
        x_hat = self._decode_scaled(latent_acts)
        losses = {"loss/reconstruction": reconstruction_loss(x_hat, scaled, batch.mean), **terms}
        fit = [value for term, value in losses.items() if term != "loss/sparsity"]
        total = torch.stack(fit).sum() + self._penalty_weight(batch.progress) * losses["loss/sparsity"]
        if self.config.aux_coefficient > 0:
            losses["loss/aux"] = auxk_loss(scaled - x_hat, pre_acts, self.W_dec, batch.dead, batch.mean)
            total = total + self.config.aux_coefficient * losses["loss/aux"]
        return step_of({**losses, "loss/total": total}, latent_acts)

    def _unit_norm(self, per_token: Tensor, batch: TrainingBatch) -> Tensor:
        """Return the batch mean of an L1 norm [n], as if inputs had a mean squared norm of 1."""
        return batch.mean(per_token.mean() / math.sqrt(self.config.d_model), len(per_token))

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Raise the penalty if more latents fire than wanted; lower it if fewer do."""
        target, l0, before = self.config.target_l0, float(output.l0), float(self.last_l0)
        self.last_l0.copy_(output.l0)
        if target is not None and batch.progress >= self.config.penalty_warmup:
            excess = max(-1.0, min(1.0, math.log(l0 / target))) if l0 > 0 else -1.0
            is_approaching = abs(excess) == 1 and (l0 - before) * excess < 0
            if not is_approaching:  # a sum over the fall from far off would overshoot the target
                self.penalty_trend += self.config.penalty_rate * excess
            self.penalty_scale.copy_(torch.exp(self.penalty_trend + self.config.penalty_gain * excess))
