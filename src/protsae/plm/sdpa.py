"""Self-attention through torch's `scaled_dot_product_attention`: what runs on a GPU.

Neighbouring sequences of equal length, which sorting by length brings about, are one call. There is no
padding and no mask, so that flash kernels apply where the numbers are bfloat16.
"""

from itertools import groupby

import torch
from torch import Tensor
from torch.nn import functional

from protsae.plm.attention import Attention


class SdpaAttention(Attention):
    """Attention by one fused kernel per length."""

    def __call__(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int], wanted: Tensor | None = None
    ) -> Tensor:
        """Return what attention adds to the residual stream.

        Args:
            x: normalized residual stream [n_tokens, d_model].
            rotary: cosines and sines of every token's position, each [n_tokens, 1, 1, head_dim / 2].
            sizes: tokens of each sequence.
            wanted: tokens whose result is wanted, int64 [n_wanted]; None: all.

        Returns:
            [n_tokens wanted, d_model].
        """
        heads = self._qkv(x).view(len(x), 3, self._n_heads, -1)
        rotated = rotate(heads[:, :2], *rotary).to(self._qkv.dtype)
        values = heads[:, 2].to(self._qkv.dtype)
        mixed = torch.empty_like(values)
        first = 0
        for size, group in groupby(sizes):
            n_sequences = len(list(group))
            rows = slice(first, first + n_sequences * size)
            q, k, v = (
                part[rows].view(n_sequences, size, self._n_heads, -1).transpose(1, 2)
                for part in (rotated[:, 0], rotated[:, 1], values)
            )
            found = functional.scaled_dot_product_attention(q, k, v, scale=self._scaling)
            mixed[rows] = found.transpose(1, 2).flatten(0, 1)
            first = rows.stop
        return self._out((mixed if wanted is None else mixed[wanted]).flatten(1))


def at_positions(tables: tuple[Tensor, Tensor], position: Tensor) -> tuple[Tensor, Tensor]:
    """Return rotary tables [head_dim / 2, n] at positions [n_tokens], as [n_tokens, 1, 1, head_dim / 2]."""
    cos, sin = (table.T[position][:, None, None] for table in tables)
    return cos, sin


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (j, j + head_dim / 2) of x [n_tokens, 2, heads, head_dim] by position."""
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
