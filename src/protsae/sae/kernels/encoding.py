"""The k largest pre-activations on a CPU, never held for a whole batch in float32.

There are two ways. Where the processor multiplies bfloat16 in tiles (AMX), a rough product that costs a
tenth says which few latents can be among the k largest, and these are computed in float32. The result is
that of the whole product, and its bits do not depend on threads. Elsewhere, and for many codes, the whole
product."""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from protsae.sae.codes import SparseCodes, joined_codes
from protsae.sae.kernels import screening, selection
from protsae.sae.kernels.batch import products
from protsae.sae.kernels.loops import run_rows
from protsae.sae.kernels.plain import rows_at_once

_FEWEST_ROWS = 512
"""Rows of a chunk of a rough product: with fewer, bringing the weights costs more than multiplying."""
_SCREENED = 64
"""Latents per code from which on a rough product first is faster."""
_MOST_CANDIDATES = 8
"""Latents per candidate below which a row is rather computed whole."""
_INTEGERS = {torch.float32: np.int32, torch.float64: np.int64}


def select(numbers: Tensor, k: int, inside: Tensor | None, bias: Tensor | None = None) -> SparseCodes:
    """See `plain.select`. Columns ascend; of equal numbers the first ones are taken."""
    found = _outputs(numbers, k)
    added = numbers.new_zeros(numbers.shape[1]) if bias is None else bias
    integers = np.empty(0, _INTEGERS[numbers.dtype])
    chosen = np.empty(0, np.int64) if inside is None else inside
    run_rows(selection.top_k_of_rows, len(numbers), numbers, added, integers, chosen, k, *found)
    return found


def encode(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, inside: Tensor | None = None, k_inside: int = 0
) -> tuple[SparseCodes, SparseCodes | None]:
    """See `plain.encode`."""
    if torch.is_autocast_enabled("cpu") or not _is_screened(weight, k):
        return _encode_whole(x, weight, bias, k, inside, k_inside)
    within, x = None, x.to(weight.dtype)
    if inside is not None:
        (values, places), _ = encode(x, weight[:, inside], bias[inside], k_inside)
        within = SparseCodes(values, inside[places])
    return _encode_screened(x, weight, bias, k), within


@cache
def multiplies_bfloat16() -> bool:
    """Return whether the processor multiplies bfloat16 itself: at twice the rate of float32, in tiles at
    ten."""
    try:
        return bool({"amx_bf16", "avx512_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    except OSError:  # not Linux
        return False


def _is_screened(weight: Tensor, k: int) -> bool:
    few = _SCREENED * k <= weight.shape[1]
    return few and weight.dtype == torch.float32 and multiplies_bfloat16()


def _encode_whole(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, inside: Tensor | None, k_inside: int
) -> tuple[SparseCodes, SparseCodes | None]:
    found, within = [], []
    for part in products(x, weight):
        found.append(select(part, k, None, bias))
        if inside is not None:
            within.append(select(part, k_inside, inside, bias))
    return joined_codes(found), joined_codes(within) if within else None


def _encode_screened(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> SparseCodes:
    x, rows, bias = (tensor.detach().contiguous() for tensor in (x, weight.T, bias))
    rough_x, x_norms, x_errors = _rounded(x)
    rough_rows, norms, errors = _rounded(rows)
    relative = float((errors / norms.clamp_min(torch.finfo(norms.dtype).tiny)).max())
    # |x w - x' w'| <= |x - x'| |w| + |x'| |w - w'|, and what sums in float32 lose.
    slack = x_errors + (x_norms + x_errors) * relative + x.shape[1] * 2.0**-21 * x_norms
    values, columns = _outputs(x, k)
    is_open = torch.zeros(len(x), dtype=torch.bool)
    n_rows = max(_FEWEST_ROWS, rows_at_once(2 * len(rows)))
    buffer = rough_x.new_empty(min(n_rows, len(x)), len(rows))
    most = max(k, len(rows) // _MOST_CANDIDATES)
    for first in range(0, len(x), n_rows):
        part = slice(first, first + n_rows)
        rough = torch.mm(rough_x[part], rough_rows.T, out=buffer[: len(x[part])]).view(torch.int16)
        inputs, outputs = (rough, x[part], rows, bias, norms, slack[part]), (values, columns, is_open)
        of_part = [tensor[part] for tensor in outputs]
        run_rows(screening.settle_rows, len(rough), *inputs, k, most, *of_part)
    if is_open.any():
        (values[is_open], columns[is_open]), _ = _encode_whole(x[is_open], weight, bias, k, None, 0)
    return SparseCodes(values, columns)


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows in bfloat16, their norms, and the norms of what rounding took away."""
    rough = torch.empty(rows.shape, dtype=torch.int16)
    norms, errors = rows.new_empty(len(rows)), rows.new_empty(len(rows))
    run_rows(screening.round_rows, len(rows), rows, rough, norms, errors)
    return rough.view(torch.bfloat16), norms, errors


def _outputs(like: Tensor, k: int) -> SparseCodes:
    return SparseCodes(like.new_empty(len(like), k), torch.empty(len(like), k, dtype=torch.int64))
