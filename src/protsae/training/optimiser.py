"""Adam over the parameters of an autoencoder, with projection, clipping and normalisation."""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from protsae.sae.base import SparseAutoencoder
from protsae.sae.kernels.functions import is_compiled_for


class SaeAdam(torch.optim.Adam):
    """Adam, one group for each multiple of the learning rate; groups carry `rate_factor`.

    Moments of all rows move in every step, as Adam is defined, also of latents that got no gradient. On CPUs
    projection, clipping, update and the decoder's unit norm are two passes over memory (`kernels.updates`).
    """

    def __init__(self, sae: SparseAutoencoder) -> None:
        super().__init__(_parameter_groups(sae), fused=True)
        self._sae = sae

    def finish_step(self, clip_norm: float) -> float:
        """Project the decoder's gradient, clip all, update, give the decoder unit norm; then return the norm
        of the gradient before it was clipped.

        Args:
            clip_norm: norm that the gradient of all parameters together does not exceed.
        """
        trained = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if all(is_compiled_for(parameter) for parameter in trained):
            return self._compiled_step(trained, clip_norm)
        self._sae.project_decoder_gradient()
        norm = torch.nn.utils.clip_grad_norm_(trained, clip_norm)
        self.step()
        self._sae.normalise_decoder()
        return float(norm)

    @torch.no_grad()
    def _compiled_step(self, trained: list[Tensor], clip_norm: float) -> float:
        from protsae.sae.kernels import cpu

        decoder = self._sae.W_dec if self._sae.has_unit_rows else None
        norm = sum(cpu.measure(p, _gradient(p), unit=p is decoder) for p in trained) ** 0.5
        scale = clip_norm / (norm + 1e-6)
        scale = 1.0 if scale >= 1 else scale  # as torch does, also for NaN
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["step"] = torch.zeros((), dtype=torch.float32)
                    state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
                state["step"] += 1
                moments = state["exp_avg"], state["exp_avg_sq"]
                numbers = _numbers(group, float(state["step"]), scale)
                cpu.adam(p, _gradient(p), moments, numbers, unit=p is decoder)
        return float(norm)


def _numbers(group: dict[str, Any], step: float, scale: float) -> list[float]:
    """Return the numbers that `kernels.updates.adam` asks for."""
    beta1, beta2 = group["betas"]
    length = float(group["lr"]) / (1 - beta1**step)
    root = (1 - beta2**step) ** 0.5
    return [scale, beta1, 1 - beta1, beta2, 1 - beta2, root, group["eps"], length]


def _gradient(parameter: Tensor) -> Tensor:
    """Return the gradient, in memory laid out like the parameter."""
    gradient = parameter.grad
    assert gradient is not None
    if gradient.stride() != parameter.stride():
        gradient = torch.empty_like(parameter).copy_(gradient)
        parameter.grad = gradient
    return gradient


def _parameter_groups(sae: SparseAutoencoder) -> list[dict[str, Any]]:
    """Group the trainable parameters by their multiple of the learning rate."""
    factors = sae.rate_factors()
    groups: dict[float, list[Tensor]] = defaultdict(list)
    for name, parameter in sae.named_parameters():
        if parameter.requires_grad:
            groups[factors.get(name, 1.0)].append(parameter)
    return [{"params": parameters, "rate_factor": factor} for factor, parameters in groups.items()]
