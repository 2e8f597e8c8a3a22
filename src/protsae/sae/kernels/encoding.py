"""The k largest pre-activations on a CPU, nowhere held for a whole batch in float32.

Two ways. Where the processor multiplies bfloat16 in tiles (AMX), a rough product that costs a tenth says
which few latents can be among the k largest, and these are computed in float32: the outcome is that of the
whole product, and its bits do not depend on threads. Elsewhere, and for many codes, the whole product.
"""

from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from protsae.core.parallel import even_bounds, run_parts
from protsae.sae.kernels import screening, selection
from protsae.sae.kernels.plain import joined

_CHUNK_BYTES = 16 * 2**20
"""Memory of the pre-activations that are held at a time: few enough to stay in a processor's cache."""
_FEWEST_ROWS = 512
"""Rows of a chunk of a rough product: with fewer, bringing the weights costs more than multiplying."""
_SCREENED = 64
"""Latents per code from which on a rough product first is faster."""
_MOST_CANDIDATES = 8
"""Latents per candidate below which a row is rather computed whole."""
_INTEGERS = {torch.float32: np.int32, torch.float64: np.int64}

Found = tuple[Tensor, Tensor]


def select(numbers: Tensor, k: int, inside: Tensor | None, bias: Tensor | None = None) -> Found:
    """See `plain.select`. Columns ascend; of equal numbers the first ones are taken."""
    numbers = numbers.contiguous()
    values, columns = _outputs(numbers, k)
    added = (numbers.new_zeros(numbers.shape[1]) if bias is None else bias).detach().contiguous().numpy()
    arrays = (numbers.numpy(), added, np.empty(0, _INTEGERS[numbers.dtype]))
    chosen = np.empty(0, np.int64) if inside is None else inside.contiguous().numpy()

    def work(first: int, last: int) -> None:
        selection.top_k_of_rows(*arrays, chosen, k, values.numpy(), columns.numpy(), first, last)

    run_parts(work, even_bounds(len(numbers), torch.get_num_threads()))
    return values, columns


def encode(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, inside: Tensor | None = None, k_inside: int = 0
) -> tuple[Found, Found | None]:
    """See `plain.encode`."""
    if torch.is_autocast_enabled("cpu"):
        return _encode_whole(x, weight, bias, k, inside, k_inside)
    x = x.to(weight.dtype)
    if not _is_screened(x, weight, k):
        return _encode_whole(x, weight, bias, k, inside, k_inside)
    within = None
    if inside is not None:
        (values, places), _ = encode(x, weight[:, inside], bias[inside], k_inside)
        within = values, inside[places]
    return _encode_screened(x, weight, bias, k), within


@cache
def multiplies_bfloat16() -> bool:
    """Say whether the processor multiplies bfloat16 itself: at twice the rate of float32, in tiles at ten."""
    try:
        return bool({"amx_bf16", "avx512_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    except OSError:  # not Linux
        return False


def _is_screened(x: Tensor, weight: Tensor, k: int) -> bool:
    few = _SCREENED * k <= weight.shape[1]
    return few and weight.dtype == torch.float32 and multiplies_bfloat16()


def _encode_whole(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, inside: Tensor | None, k_inside: int
) -> tuple[Found, Found | None]:
    found, within = [], []
    rough = torch.is_autocast_enabled("cpu")
    n_rows = max(1, _CHUNK_BYTES // (weight.element_size() * weight.shape[1]))
    products = weight.new_empty(0 if rough else min(n_rows, len(x)), weight.shape[1])
    for part in torch.split(x, n_rows):
        if rough:
            products = (part @ weight).to(weight.dtype)
        else:
            torch.mm(part, weight, out=products[: len(part)])
        of_part = products[: len(part)]
        found.append(select(of_part, k, None, bias))
        if inside is not None:
            within.append(select(of_part, k_inside, inside, bias))
    return joined(found), joined(within) if within else None


def _encode_screened(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> Found:
    x, rows, bias = (tensor.detach().contiguous() for tensor in (x, weight.T, bias))
    rough_x, x_norms, x_errors = _rounded(x)
    rough_rows, norms, errors = _rounded(rows)
    relative = float((errors / norms.clamp_min(torch.finfo(norms.dtype).tiny)).max())
    # |x w - x' w'| <= |x - x'| |w| + |x'| |w - w'|, and what sums in float32 lose.
    slack = x_errors + (x_norms + x_errors) * relative + x.shape[1] * 2.0**-21 * x_norms
    values, columns = _outputs(x, k)
    is_open = torch.zeros(len(x), dtype=torch.bool)
    n_rows = max(_FEWEST_ROWS, _CHUNK_BYTES // (2 * len(rows)))
    products = rough_x.new_empty(min(n_rows, len(x)), len(rows))
    for first in range(0, len(x), n_rows):
        chunk = slice(first, first + n_rows)
        rough = torch.mm(rough_x[chunk], rough_rows.T, out=products[: len(x[chunk])])
        of_rows = (x[chunk], slack[chunk], values[chunk], columns[chunk], is_open[chunk])
        _settle(rough, (rows, bias, norms), k, *of_rows)
    if is_open.any():
        (values[is_open], columns[is_open]), _ = _encode_whole(x[is_open], weight, bias, k, None, 0)
    return values, columns


def _settle(
    rough: Tensor,
    latents: tuple[Tensor, Tensor, Tensor],
    k: int,
    x: Tensor,
    slack: Tensor,
    values: Tensor,
    columns: Tensor,
    is_open: Tensor,
) -> None:
    """See `screening.settle_rows`; `latents`: rows, bias and norms."""
    bits, inputs, of_rows = rough.view(torch.int16).numpy(), x.numpy(), slack.numpy()
    rows, bias, norms = (tensor.numpy() for tensor in latents)
    outputs = values.numpy(), columns.numpy(), is_open.numpy()
    most = max(k, rough.shape[1] // _MOST_CANDIDATES)

    def work(first: int, last: int) -> None:
        screening.settle_rows(bits, inputs, rows, bias, norms, of_rows, k, most, *outputs, first, last)

    run_parts(work, even_bounds(len(x), torch.get_num_threads()))


def _rounded(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows in bfloat16, their norms, and the norms of what rounding took away."""
    rough = torch.empty(rows.shape, dtype=torch.int16)
    norms, errors = rows.new_empty(len(rows)), rows.new_empty(len(rows))
    numbers, bits, lengths, lost = (tensor.numpy() for tensor in (rows, rough, norms, errors))

    def work(first: int, last: int) -> None:
        screening.round_rows(numbers, bits, lengths, lost, first, last)

    run_parts(work, even_bounds(len(rows), torch.get_num_threads()))
    return rough.view(torch.bfloat16), norms, errors


def _outputs(like: Tensor, k: int) -> Found:
    return like.new_empty(len(like), k), torch.empty(len(like), k, dtype=torch.int64)
