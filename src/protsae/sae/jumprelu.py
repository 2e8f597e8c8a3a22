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


def _within(pre_acts: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
    """Return the rectangle kernel: 1 where a pre-activation lies within half a bandwidth of its threshold."""
    return ((pre_acts - threshold).abs() < bandwidth / 2).to(pre_acts.dtype)


class JumpRelu(torch.autograd.Function):
    """`z = y` where `y > θ`, else 0. Straight through: dz/dy = 1[y > θ], dz/dθ = -(θ / ε) K((y - θ) / ε)."""

    @staticmethod
    def forward(ctx: Any, pre_acts: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        """Return codes [n, d_sae] of pre-activations [n, d_sae] and thresholds [d_sae] > 0."""
        ctx.save_for_backward(pre_acts, threshold)
        ctx.bandwidth = bandwidth
        return pre_acts * (pre_acts > threshold)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        """Return the gradients of pre-activations and thresholds."""
        (gradient,) = gradients
        pre_acts, threshold = ctx.saved_tensors
        near = _within(pre_acts, threshold, ctx.bandwidth) * gradient
        return gradient * (pre_acts > threshold), -(threshold / ctx.bandwidth) * near.sum(dim=0), None


class Step(torch.autograd.Function):
    """`1[y > θ]`. Straight through: no gradient for y, dH/dθ = -(1 / ε) K((y - θ) / ε)."""

    @staticmethod
    def forward(ctx: Any, pre_acts: Tensor, threshold: Tensor, bandwidth: float) -> Tensor:
        """Return 0 or 1 [n, d_sae] of pre-activations [n, d_sae] and thresholds [d_sae] > 0."""
        ctx.save_for_backward(pre_acts, threshold)
        ctx.bandwidth = bandwidth
        return (pre_acts > threshold).to(pre_acts.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor, None]:
        """Return the gradient of the thresholds."""
        (gradient,) = gradients
        pre_acts, threshold = ctx.saved_tensors
        near = _within(pre_acts, threshold, ctx.bandwidth) * gradient
        return None, -near.sum(dim=0) / ctx.bandwidth, None


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
        latent_acts = _jump(JumpRelu, pre_acts, self.threshold, self.config.bandwidth)
        sparsity = batch.mean(self._sparsity(pre_acts, latent_acts), len(scaled))
        return latent_acts, pre_acts, {"loss/sparsity": sparsity}

    def _sparsity(self, pre_acts: Tensor, latent_acts: Tensor) -> Tensor:
        if self.config.penalty_kind == "l0":
            active = _jump(Step, pre_acts, self.threshold, self.config.bandwidth)
        else:
            active = torch.tanh(self.config.tanh_scale * latent_acts)
        return active.sum(dim=1).mean()


def _jump(
    function: type[JumpRelu] | type[Step], pre_acts: Tensor, threshold: Tensor, bandwidth: float
) -> Tensor:
    result: Tensor = function.apply(pre_acts, threshold, bandwidth)  # type: ignore[no-untyped-call]
    return result
