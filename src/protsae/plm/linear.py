"""Linear layers and GELU in the arithmetic asked for."""

import math
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Arithmetic = Literal["fair_esm", "fast", "bfloat16"]
"""`fair_esm`: float32, fair-esm's operations in its order. `fast`: float32, the same formulas by faster
operations. `bfloat16`: as `fast`, linear layers multiplying bfloat16 numbers; sums, attention scores, norms
and the residual stream stay float32."""

_GELU_ROWS = 64


class Linear:
    """x W^T + b, from float32 to float32."""

    def __init__(self, weight: Tensor, bias: Tensor, arithmetic: Arithmetic) -> None:
        """Take `weight` [n_out, n_in] and `bias` [n_out]."""
        self._dtype = torch.bfloat16 if arithmetic == "bfloat16" else torch.float32
        self._weight, self._bias = weight.to(self._dtype), bias.to(self._dtype)

    def __call__(self, x: Tensor) -> Tensor:
        """Return [n_tokens, n_out] for x [n_tokens, n_in]."""
        return functional.linear(x.to(self._dtype), self._weight, self._bias).float()

    def transposed(self, x: Tensor) -> Tensor:
        """Return the same as [n_out, n_tokens]."""
        return torch.addmm(self._bias[:, None], self._weight, x.to(self._dtype).T).float()


def gelu(x: Tensor, arithmetic: Arithmetic) -> Tensor:
    """Return x * 0.5 * (1 + erf(x / sqrt(2))) of x [n_tokens, width], which may be overwritten."""
    if arithmetic != "fair_esm":
        return functional.gelu(x)
    for rows in torch.split(x, _GELU_ROWS):  # a few at a time, for the cache
        factor = torch.div(rows, math.sqrt(2.0)).erf_().add_(1.0)
        rows.mul_(0.5).mul_(factor)
    return x
