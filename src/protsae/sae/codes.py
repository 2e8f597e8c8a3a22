"""Sparse codes: the latents that may be active."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional


class SparseCodes(NamedTuple):
    """Up to k latents per residue; every other latent is zero.

    Entries of value 0 are not active; the columns of the others occur at most once in a row.
    """

    values: Tensor
    """[n, k], not negative."""
    columns: Tensor
    """Int64 [n, k]: the latent of each value."""

    def dense(self, d_sae: int) -> Tensor:
        """Return the codes as [n, d_sae]."""
        return self.values.new_zeros(len(self.values), d_sae).scatter_add(1, self.columns, self.values)

    def l0(self) -> Tensor:
        """Return the mean number of active latents per residue: a float64 scalar."""
        return mean_active(self.values)


def joined_codes(parts: Sequence[SparseCodes]) -> SparseCodes:
    """Return the codes of rows one after another, as wide as the widest; the padding is not active."""
    width = max(codes.columns.shape[1] for codes in parts)
    filled = (
        [functional.pad(tensor, (0, width - tensor.shape[1])) for tensor in tensors]
        for tensors in zip(*parts, strict=True)
    )
    values, columns = map(torch.cat, filled)
    return SparseCodes(values, columns)


def mean_active(latent_acts: Tensor) -> Tensor:
    """Return the mean number of positive codes per row of [n, d]: a float64 scalar."""
    return (latent_acts > 0).sum().double() / len(latent_acts)
