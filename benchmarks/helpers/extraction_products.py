"""The matrix products of the packed pass, and nothing else: the rate that the rest of the pass is held to."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from helpers.extraction_inputs import SHAPES
from protsae.plm.batching import consecutive_parts

TOKENS_PER_PART = 1024


def matrix_products(shape: str, proteins: list[str]) -> dict[str, Callable[[], None]]:
    """Return two ways to do the products: parts on a thread each, or one by one on all threads."""
    lengths = sorted(map(len, proteins))
    parts = [[n + 2 for n in lengths[part]] for part in consecutive_parts(lengths, TOKENS_PER_PART)]

    def in_parts() -> None:
        n_threads = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(n_threads, initializer=lambda: torch.set_num_threads(1)) as pool:
                for _ in pool.map(lambda sizes: _products(shape, sizes), reversed(parts)):
                    pass
        finally:
            torch.set_num_threads(n_threads)

    def on_all_threads() -> None:
        for sizes in parts:
            _products(shape, sizes)

    return {"matrix_products_in_parts": in_parts, "matrix_products_on_all_threads": on_all_threads}


@torch.inference_mode()
def _products(shape: str, sizes: list[int]) -> None:
    """Do the products of one part in every layer, on operands of any value."""
    n_layers, d_model, n_heads = SHAPES[shape]
    n_tokens = sum(sizes)
    x = torch.ones(n_tokens, d_model)
    hidden = torch.empty(n_tokens, 4 * d_model)
    qkv = torch.empty(n_tokens, 3 * d_model)
    into, out = torch.ones(d_model, 3 * d_model), torch.ones(d_model, d_model)
    up, down = torch.ones(d_model, 4 * d_model), torch.ones(4 * d_model, d_model)
    heads = [_operands(size, n_heads, d_model // n_heads) for size in sizes]
    for _ in range(n_layers):
        torch.mm(x, into, out=qkv)
        for q, k, scores, mixed in heads:
            for first in range(0, n_heads, len(scores)):
                some = slice(first, first + len(scores))
                part = scores[: len(q[some])]
                torch.bmm(q[some], k[some], out=part)
                torch.bmm(part, q[some], out=mixed[some])
        torch.mm(x, out)
        torch.mm(x, up, out=hidden)
        torch.mm(hidden, down)


def _operands(size: int, n_heads: int, head_dim: int) -> tuple[torch.Tensor, ...]:
    at_once = max(1, min(n_heads, (1 << 18) // size**2))  # scores that stay in the cache, as in the pass
    q = torch.ones(n_heads, size, head_dim)
    return q, torch.ones(n_heads, head_dim, size), torch.empty(at_once, size, size), torch.empty_like(q)
