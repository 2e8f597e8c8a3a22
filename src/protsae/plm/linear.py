"""Linear layers and GELU in the arithmetic asked for."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from protsae.plm.arithmetic import Arithmetic

_GELU_ROWS = 64


class Linear:
    """x W^T + b, from float32 to float32."""

    def __init__(self, weight: Tensor, bias: Tensor, arithmetic: Arithmetic, device: torch.device) -> None:
        """Take `weight` [n_out, n_in] and `bias` [n_out]."""
        self.dtype = torch.bfloat16 if arithmetic == "bfloat16" else torch.float32
        self._weight, self._bias = weight.to(device, self.dtype), bias.to(device, self.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return [n_tokens, n_out] for x [n_tokens, n_in]."""
        return functional.linear(x.to(self.dtype), self._weight, self._bias).float()

    def transposed(self, x: Tensor) -> Tensor:
        """Return the same as [n_out, n_tokens]."""
        return torch.addmm(self._bias[:, None], self._weight, x.to(self.dtype).T).float()


def gelu(x: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Return x * 0.5 * (1 + erf(x / sqrt(2))) of x [n_tokens, width], which may be overwritten."""
    if arithmetic == "bfloat16":
        return functional.gelu(x)
    for rows in torch.split(x, _GELU_ROWS):  # a few at a time, for the cache
        factor = torch.div(rows, math.sqrt(2.0)).erf_().add_(1.0)
        rows.mul_(0.5).mul_(factor)
    return x
