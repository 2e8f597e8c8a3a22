"""The largest pre-activations of a whole batch on a CPU, never held for a whole batch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from protsae.sae.codes import SparseCodes, joined_codes
from protsae.sae.kernels import rows
from protsae.sae.kernels.loops import run_rows
from protsae.sae.kernels.plain import rows_at_once

_SAMPLED = 64
"""Rows from which the level is estimated above which k per row are left."""
_SHARES = (2, 16)
"""Multiples of k that are looked for before all positive numbers are."""


def reaching(numbers: Tensor, level: float, bias: Tensor | None = None) -> SparseCodes:
    """Return the numbers of [n, d], plus bias, that are not below a level, and their columns: [n, k] each.

    k is the most of any row; others are filled up with zeros of other columns. A NaN is below no level.
    """
    n, added = len(numbers), numbers.new_zeros(numbers.shape[1]) if bias is None else bias
    counts, numbers = torch.empty(n, dtype=torch.int64), numbers.detach().contiguous()
    least = numbers.numpy().dtype.type(level)
    run_rows(rows.count_reaching, n, numbers, added, least, counts)
    k = int(counts.max()) if n else 0
    values, columns = numbers.new_empty(n, k), torch.empty(n, k, dtype=torch.int64)
    run_rows(rows.take_reaching, n, numbers, added, least, values, columns)
    return SparseCodes(values, columns)


def compress(latent_acts: Tensor) -> SparseCodes:
    """See `plain.compress`."""
    return reaching(latent_acts, _least_positive(latent_acts))


def encode_batch(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> SparseCodes:
    """See `plain.encode_batch`. Should several equal the smallest that is kept, all of them stay."""
    n_kept, least = k * len(x), _least_positive(weight)
    for share in (*_SHARES, None):
        level = least if share is None else max(least, _level(x, weight, bias, share * k))
        parts = [reaching(part, level, bias) for part in products(x, weight)]
        found = torch.cat([codes.values[codes.values != 0] for codes in parts]).numpy()
        if level == least or len(found) >= n_kept:
            break
    if len(found) > n_kept:
        place = len(found) - n_kept
        level = float(np.partition(found, place)[place])
    return joined_codes([_of_level(codes, level) for codes in parts])


def products(x: Tensor, weight: Tensor) -> Iterator[Tensor]:
    """Yield `x weight` some rows at a time; each is overwritten by the next."""
    n_rows = rows_at_once(weight.element_size() * weight.shape[1])
    found = weight.new_empty(min(n_rows, len(x)), weight.shape[1])
    for part in torch.split(x, n_rows):
        if torch.is_autocast_enabled("cpu"):
            yield (part @ weight).to(weight.dtype)
        else:
            yield torch.mm(part.to(weight.dtype), weight, out=found[: len(part)])


def _of_level(codes: SparseCodes, level: float) -> SparseCodes:
    kept, places = reaching(codes.values, level)
    return SparseCodes(kept, codes.columns.gather(1, places))


def _level(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> float:
    """Return an estimate of the number that k per row reach, from rows spread over the batch."""
    sample = x[:: max(1, len(x) // _SAMPLED)]
    numbers = np.concatenate([(part + bias).flatten().numpy() for part in products(sample, weight)])
    place = max(0, len(numbers) - k * len(sample))
    return float(np.partition(numbers, place)[place])


def _least_positive(like: Tensor) -> float:
    return float(np.finfo(str(like.dtype).removeprefix("torch.")).smallest_subnormal)
