"""The largest pre-activations of a whole batch on a CPU, nowhere held for a whole batch."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels import rows

_CHUNK_BYTES = 16 * 2**20
"""Memory of the pre-activations that are held at a time."""
_SAMPLED = 64
"""Rows that tell about where the level lies above which k per row are left."""
_SHARES = (2, 16)
"""Multiples of k that are looked for before all positive numbers are."""

Found = tuple[Tensor, Tensor]


def reaching(numbers: Tensor, level: float, bias: Tensor | None = None) -> Found:
    """Return the numbers of [n, d], plus bias, that are not below a level, and their columns: [n, k] each.

    k is the most of any row; others are filled up with zeros of other columns. A NaN is below no level.
    """
    array = numbers.detach().contiguous().numpy()
    added = (numbers.new_zeros(numbers.shape[1]) if bias is None else bias.detach()).contiguous().numpy()
    counts, least = np.empty(len(array), np.int64), array.dtype.type(level)
    bounds = even_bounds(len(array), torch.get_num_threads())
    run_parts(lambda first, last: rows.count_reaching(array, added, least, counts, first, last), bounds)
    k = int(counts.max(initial=0))
    values, columns = numbers.new_empty(len(array), k), torch.empty(len(array), k, dtype=torch.int64)
    outputs = values.numpy(), columns.numpy()
    run_parts(lambda first, last: rows.take_reaching(array, added, least, *outputs, first, last), bounds)
    return values, columns


def compress(latent_acts: Tensor) -> Found:
    """See `plain.compress`."""
    return reaching(latent_acts, _least_positive(latent_acts))


def encode_batch(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> Found:
    """See `plain.encode_batch`. Should several equal the smallest that is kept, all of them stay."""
    n_kept, least = k * len(x), _least_positive(weight)
    for share in (*_SHARES, None):
        level = least if share is None else max(least, _level(x, weight, bias, share * k))
        parts = [reaching(products, level, bias) for products in _products(x, weight)]
        found = torch.cat([values[values != 0] for values, _ in parts]).numpy()
        if level == least or len(found) >= n_kept:
            break
    if len(found) > n_kept:
        place = len(found) - n_kept
        level = float(np.partition(found, place)[place])
    return _joined([_of_level(*part, level) for part in parts])


def _of_level(values: Tensor, columns: Tensor, level: float) -> Found:
    kept, places = reaching(values, level)
    return kept, columns.gather(1, places)


def _joined(parts: list[Found]) -> Found:
    """Return parts of a batch as one, as wide as the widest; what is filled up is 0, of latent 0."""
    width = max(columns.shape[1] for _, columns in parts)
    n = sum(len(columns) for _, columns in parts)
    values = parts[0][0].new_zeros(n, width)
    columns = torch.zeros(n, width, dtype=torch.int64)
    first = 0
    for part_values, part_columns in parts:
        last, own = first + len(part_values), part_values.shape[1]
        values[first:last, :own], columns[first:last, :own] = part_values, part_columns
        first = last
    return values, columns


def _level(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> float:
    """Return about the number that k per row reach, from rows spread over the batch."""
    sample = x[:: max(1, len(x) // _SAMPLED)]
    numbers = np.concatenate([(part + bias).flatten().numpy() for part in _products(sample, weight)])
    place = max(0, len(numbers) - k * len(sample))
    return float(np.partition(numbers, place)[place])


def _products(x: Tensor, weight: Tensor) -> Iterator[Tensor]:
    """Yield `x weight` some rows at a time; each is overwritten by the next."""
    n_rows = max(1, _CHUNK_BYTES // (weight.element_size() * weight.shape[1]))
    products = weight.new_empty(min(n_rows, len(x)), weight.shape[1])
    for part in torch.split(x, n_rows):
        if torch.is_autocast_enabled("cpu"):
            yield (part @ weight).to(weight.dtype)
        else:
            yield torch.mm(part.to(weight.dtype), weight, out=products[: len(part)])


def _least_positive(like: Tensor) -> float:
    return float(np.finfo(str(like.dtype).removeprefix("torch.")).smallest_subnormal)
