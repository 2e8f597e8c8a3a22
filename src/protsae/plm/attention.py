"""Self-attention of ESM-2 over packed sequences, on a CPU.

Tokens come last, [heads, head_dim, tokens], so that rotating is one pass over long rows and each sequence is
a slice. A few heads at a time are scored, weighted and summed, so that scores stay in the cache: at 1,000
tokens this is three times as fast as all heads at once. Neither changes a bit of the outcome.
"""

from typing import Any

import torch
from torch import Tensor

from protsae.plm.arithmetic import Arithmetic
from protsae.plm.linear import Linear

_SCORES_PER_BLOCK = 1 << 18  # 1 MiB of float32, half of a core's cache
_SCORES_OF_ONE_HEAD = 1 << 20  # longer than 1,024 tokens: queries come in blocks, which bounds the memory


class Rotary:
    """Rotary position tables, computed once for the longest sequence so far."""

    def __init__(self, inverse_frequency: Tensor) -> None:
        """Take fair-esm's `inverse_frequency` [head_dim / 2]. The tables are where it is."""
        self._inverse_frequency = inverse_frequency
        self._cos = self._sin = inverse_frequency.new_empty(len(inverse_frequency), 0)

    def up_to(self, longest: int) -> tuple[Tensor, Tensor]:
        """Return cosines and sines, each [head_dim / 2, `longest` or more]."""
        if longest > self._cos.shape[1]:
            steps = torch.arange(longest, device=self._inverse_frequency.device, dtype=torch.float32)
            angle = self._inverse_frequency.unsqueeze(1) * steps
            self._cos, self._sin = angle.cos(), angle.sin()
        return self._cos, self._sin


class Attention:
    """The attention block of one layer: queries, keys and values are projected as one matrix."""

    def __init__(self, module: Any, arithmetic: Arithmetic, device: torch.device) -> None:
        """Take the weights of fair-esm's `MultiheadAttention`."""
        parts = (module.q_proj, module.k_proj, module.v_proj)
        weight, bias = torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        self._qkv = Linear(weight, bias, arithmetic, device)
        self._out = Linear(module.out_proj.weight, module.out_proj.bias, arithmetic, device)
        self._n_heads: int = module.num_heads
        self._scaling: float = module.scaling


class BlockedAttention(Attention):
    """Attention on a CPU, some heads and queries at a time."""

    def __call__(
        self, x: Tensor, rotary: tuple[Tensor, Tensor], sizes: list[int], wanted: Tensor | None = None
    ) -> Tensor:
        """Return what attention adds to the residual stream.

        Args:
            x: normalized residual stream [n_tokens, d_model].
            rotary: tables that reach to the longest sequence.
            sizes: tokens of each sequence.
            wanted: tokens whose result is wanted, ascending, int64 [n_wanted]; None: all. Others are keys and
                values alone.

        Returns:
            [n_tokens wanted, d_model].
        """
        projected = self._qkv.transposed(x)
        heads = projected.view(3, self._n_heads, -1, len(x))
        heads[0].mul_(self._scaling)
        places = None if wanted is None else _by_sequence(wanted, sizes)
        n_queries = sizes if places is None else [len(place) for place in places]
        mixed = torch.empty(sum(n_queries), self._n_heads, heads.shape[2])
        scores = torch.empty(max(_n_scores(size, self._n_heads) for size in sizes))
        parts = zip(torch.split(heads, sizes, dim=-1), torch.split(mixed, n_queries), strict=True)
        for i, (one, out) in enumerate(parts):
            if not len(out):
                continue
            q, k = _rotate(one[:2], *(table[:, : one.shape[-1]] for table in rotary))
            _attend(q if places is None else q[..., places[i]], k, one[2], scores, out)
        return self._out(mixed.flatten(1))


def _by_sequence(wanted: Tensor, sizes: list[int]) -> list[Tensor]:
    """Return which tokens of each sequence are wanted, counted from its own start."""
    ends = torch.tensor(sizes).cumsum(0)
    cuts = torch.searchsorted(wanted, ends)
    parts = torch.tensor_split(wanted, cuts[:-1])
    return [part - (end - size) for part, end, size in zip(parts, ends, sizes, strict=True)]


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs (j, j + head_dim / 2) of x [..., head_dim, n_tokens] by position."""
    halves = x.view(*x.shape[:-2], 2, -1, x.shape[-1])
    first, second = halves.unbind(-3)
    rotated = torch.empty(halves.shape)
    torch.mul(first, cos, out=rotated.select(-3, 0)).sub_(second * sin)
    torch.mul(second, cos, out=rotated.select(-3, 1)).add_(first * sin)
    return rotated.flatten(-3, -2)


def _n_scores(size: int, n_heads: int) -> int:
    n_rows = -(-size // _n_blocks(size))
    return _heads_at_once(size, n_heads) * n_rows * size


def _n_blocks(size: int) -> int:
    return -(-(size**2) // _SCORES_OF_ONE_HEAD)


def _heads_at_once(size: int, n_heads: int) -> int:
    return max(1, min(n_heads, _SCORES_PER_BLOCK // size**2))


def _attend(q: Tensor, k: Tensor, v: Tensor, scores: Tensor, out: Tensor) -> None:
    """Attend within one sequence.

    Args:
        q: queries [heads, head_dim, n_queries], scaled.
        k: keys [heads, head_dim, n_tokens].
        v: values, likewise.
        scores: scratch.
        out: takes the result, [n_queries, heads, head_dim].
    """
    n_heads, _, size = k.shape
    n_blocks = min(_n_blocks(size), q.shape[2])
    step = _heads_at_once(size, n_heads)
    for first in range(0, n_heads, step):
        some = slice(first, first + step)
        # equal blocks: a remainder of a few rows would be multiplied in another order of summation
        queries = torch.tensor_split(q[some], n_blocks, dim=2)
        places = torch.tensor_split(out[:, some], n_blocks, dim=0)
        for block, place in zip(queries, places, strict=True):
            shape = (len(block), block.shape[2], size)
            scratch = scores[: shape[0] * shape[1] * shape[2]].view(shape)
            torch.bmm(block.transpose(1, 2), k[some], out=scratch)
            torch.softmax(scratch, dim=-1, out=scratch)
            place.copy_(torch.bmm(scratch, v[some].transpose(1, 2)).transpose(0, 1))
