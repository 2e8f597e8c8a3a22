"""Sparse encoding and decoding with sparse gradients: what a step costs where k is far below d_sae.

`encode_top_k` and `sparse_encode` make `SparseCodes`, `sparse_decode` turns them into activations. All three
are differentiable; codes of value 0 get no gradient, as with ReLU. Gradients of weights come as dense tensors
of the weights' shape, but only the rows of latents that are active are computed.

An architecture of its own selection works like this, with `weight` [d_model, d_sae]:

    with torch.no_grad():
        pre_acts = torch.addmm(bias, x, weight)        # [n, d_sae], nowhere else
        columns = ...                                  # int64 [n, k]: each row's choice, no column twice
    codes = sparse_encode(x, weight, bias, columns, pre_acts.gather(1, columns))
    x_hat = sparse_decode(codes, W_dec) + b_dec

`weight` is fastest where its memory lies latent by latent, as `W_dec.T.clone()` gives it.

Loops are chosen by device: compiled by numba on CPUs, by Triton on CUDA devices, plain torch elsewhere.
"""

import torch
from torch import Tensor

from protsae.sae.codes import SparseCodes
from protsae.sae.kernels.functions import Decode, DecodeGroups, Encode, PrefixEnergies, backend


def compress(latent_acts: Tensor) -> SparseCodes:
    """Return the positive ones of dense codes [n, d_sae], by ascending column. No gradient flows.

    Rows with fewer than the most are filled up with zeros of latents that are not active.
    """
    found: SparseCodes = backend(latent_acts).compress(latent_acts.detach())
    return found


def fired(codes: SparseCodes, d_sae: int) -> Tensor:
    """Return which latents are active anywhere: bool [d_sae]."""
    found: Tensor = backend(codes.values).fired(codes.values, codes.columns, d_sae)
    return found


def encode_top_k(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, *, dead: Tensor | None = None, k_dead: int = 0
) -> tuple[SparseCodes, SparseCodes | None]:
    """Return the k largest of `x weight + bias` per row, ReLU applied, and of the dead latents the `k_dead`
    largest.

    Pre-activations are computed some rows at a time, and are never held for the whole batch.

    Args:
        x: [n, d_model].
        weight: [d_model, d_sae].
        bias: [d_sae].
        k: codes per row.
        dead: bool [d_sae]: latents for AuxK; None or none of them: the second result is None.
        k_dead: codes of dead latents per row, where there are as many.
    """
    inside = _columns_of(dead)
    with torch.no_grad():
        at_once = 0 if inside is None else min(k_dead, len(inside))
        live, revived = backend(weight).encode(x, weight, bias, k, inside, at_once)
    return _encoded(x, weight, bias, *live), None if revived is None else _encoded(x, weight, bias, *revived)


def encode_batch_top_k(
    x: Tensor, weight: Tensor, bias: Tensor, k: int, *, dead: Tensor | None = None, k_dead: int = 0
) -> tuple[SparseCodes, SparseCodes | None]:
    """Do as `encode_top_k`, but keep the n * k largest of the whole batch, of a row as many as it may be.

    Should several equal the smallest of them, all may stay.
    """
    inside, kernels, revived = _columns_of(dead), backend(weight), None
    with torch.no_grad():
        live = kernels.encode_batch(x, weight, bias, k)
        if inside is not None:
            at_once = min(k_dead, len(inside))
            (values, places), _ = kernels.encode(x, weight[:, inside], bias[inside], at_once)
            revived = values, inside[places]
    return _encoded(x, weight, bias, *live), None if revived is None else _encoded(x, weight, bias, *revived)


def sparse_encode(x: Tensor, weight: Tensor, bias: Tensor, columns: Tensor, pre_acts: Tensor) -> SparseCodes:
    """Return codes of latents that were chosen, with gradients of x, weight and bias.

    Args:
        x: [n, d_model].
        weight: [d_model, d_sae].
        bias: [d_sae].
        columns: int64 [n, k], no column twice in a row.
        pre_acts: `x weight + bias` at `columns` [n, k], computed before.
    """
    return _encoded(x, weight, bias, torch.relu(pre_acts.detach()).to(weight.dtype), columns)


def sparse_decode(codes: SparseCodes, rows: Tensor) -> Tensor:
    """Return [n, d_model]: the sum of decoder rows weighted by the codes, with gradients of both.

    Args:
        codes: sparse codes.
        rows: decoder [d_sae, d_model].
    """
    x_hat: Tensor = Decode.apply(codes.values.to(rows.dtype), codes.columns, rows)  # type: ignore[no-untyped-call]
    return x_hat


def sparse_decode_groups(codes: SparseCodes, rows: Tensor, ends: tuple[int, ...]) -> Tensor:
    """Return [groups, n, d_model]: what `sparse_decode` sums up, apart for groups of neighbouring latents.

    Args:
        codes: sparse codes.
        rows: decoder [d_sae, d_model].
        ends: where the groups end, ascending; the last is d_sae.
    """
    values = codes.values.to(rows.dtype)
    sums: Tensor = DecodeGroups.apply(values, codes.columns, rows, ends)  # type: ignore[no-untyped-call]
    return sums


def prefix_energies(start: Tensor, codes: SparseCodes, rows: Tensor, shares: Tensor) -> tuple[Tensor, Tensor]:
    """See `functions.PrefixEnergies`, whose codes these are."""
    values = codes.values.to(rows.dtype)
    left, energies = PrefixEnergies.apply(start, values, codes.columns, rows, shares)  # type: ignore[no-untyped-call]
    return left, energies


def _columns_of(dead: Tensor | None) -> Tensor | None:
    inside = None if dead is None else dead.nonzero().squeeze(1)
    return None if inside is None or len(inside) == 0 else inside


def _encoded(x: Tensor, weight: Tensor, bias: Tensor, values: Tensor, columns: Tensor) -> SparseCodes:
    chosen: Tensor = Encode.apply(x, weight, bias, values, columns)  # type: ignore[no-untyped-call]
    return SparseCodes(chosen, columns)
