"""JumpReLU sparse autoencoder (Rajamanoharan et al. 2024, arXiv 2407.14435).

The penalty is the number of active latents as published there, or its soft form, the sum of tanh(c z)
(Conerly et al. 2025, "Dictionary learning optimization techniques", Transformer Circuits).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from protsae.sae.base import TrainingBatch
from protsae.sae.config import JumpReluConfig
from protsae.sae.penalised import PenalisedSae


class Jump(torch.autograd.Function):
    """With `H = 1[y > θ]` and K a rectangle of width 1, straight through the jump.

    JumpReLU, `z = y H`: dz/dy = H, dz/dθ = -(θ / ε) K((y - θ) / ε). The step, H: dH/dy = 0,
    dH/dθ = -(1 / ε) K((y - θ) / ε).
    """

    @staticmethod
    def forward(ctx: Any, pre_acts: Tensor, threshold: Tensor, bandwidth: float, is_step: bool) -> Tensor:
        """Return codes, or 0 and 1, [n, d_sae].

        Args:
            ctx: of autograd.
            pre_acts: y [n, d_sae].
            threshold: θ [d_sae] > 0.
            bandwidth: ε.
            is_step: return H rather than z.
        """
        ctx.save_for_backward(pre_acts, threshold)
        ctx.bandwidth, ctx.is_step = bandwidth, is_step
        is_active = pre_acts > threshold
        return is_active.to(pre_acts.dtype) if is_step else pre_acts * is_active

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients of pre-activations and thresholds."""
        (gradient,), (pre_acts, threshold) = gradients, ctx.saved_tensors
        is_near = (pre_acts - threshold).abs() < ctx.bandwidth / 2
        near = (is_near.to(pre_acts.dtype) * gradient).sum(dim=0)
        if ctx.is_step:
            return None, -near / ctx.bandwidth, None, None
        return gradient * (pre_acts > threshold), -(threshold / ctx.bandwidth) * near, None, None


class JumpReluSae(PenalisedSae):
    """Codes are pre-activations above their latent's threshold, zero below."""

    config: JumpReluConfig

    def __init__(self, config: JumpReluConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.log_threshold = nn.Parameter(torch.full((config.d_sae,), math.log(config.threshold_init)))

    @property
    def threshold(self) -> Tensor:
        """What a pre-activation has to exceed [d_sae], above zero."""
        return self.log_threshold.exp()

    def rate_factors(self) -> dict[str, float]:
        """Return the thresholds' multiple of the learning rate."""
        return {"log_threshold": self.config.threshold_rate}

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        pre_acts = self._pre_acts(self.scale_input(x))
        return pre_acts * (pre_acts > self.threshold)

    def _coded(self, scaled: Tensor, batch: TrainingBatch) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        pre_acts = self._pre_acts(scaled)
        latent_acts = self._jump(pre_acts, is_step=False)
        sparsity = batch.mean(self._sparsity(pre_acts, latent_acts), len(scaled))
        return latent_acts, pre_acts, {"loss/sparsity": sparsity}

    def _sparsity(self, pre_acts: Tensor, latent_acts: Tensor) -> Tensor:
        if self.config.penalty_kind == "l0":
            active = self._jump(pre_acts, is_step=True)
        else:
            active = torch.tanh(self.config.tanh_scale * latent_acts)
        return active.sum(dim=1).mean()

    def _jump(self, pre_acts: Tensor, *, is_step: bool) -> Tensor:
        result: Tensor = Jump.apply(pre_acts, self.threshold, self.config.bandwidth, is_step)  # type: ignore[no-untyped-call]
        return result
