"""Adam over the parameters of an autoencoder."""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from protsae.sae.base import SparseAutoencoder


def make_optimiser(sae: SparseAutoencoder) -> torch.optim.Adam:
    """Return Adam over the trainable parameters, one group for each multiple of the learning rate.

    Moments of all rows move in every step, as Adam is defined, also of latents that got no gradient. It is
    torch's fused form: one pass over each parameter instead of about ten. Groups carry `rate_factor`.
    """
    return torch.optim.Adam(_parameter_groups(sae), fused=True)


def _parameter_groups(sae: SparseAutoencoder) -> list[dict[str, Any]]:
    """Group the trainable parameters by their multiple of the learning rate."""
    factors = sae.rate_factors()
    groups: dict[float, list[Tensor]] = defaultdict(list)
    for name, parameter in sae.named_parameters():
        if parameter.requires_grad:
            groups[factors.get(name, 1.0)].append(parameter)
    return [{"params": parameters, "rate_factor": factor} for factor, parameters in groups.items()]
