"""How well a dictionary gives back the activations of the test split, protein by protein and residue type by
residue type."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from protsae.activations.reader import ActivationStore
from protsae.core.progress import track
from protsae.plm.residues import RESIDUES
from protsae.sae.base import SparseAutoencoder

SUM_COLUMNS = (
    "n_residues",
    "residual_squares",
    "centred_squares",
    "cosine_sum",
    "active_sum",
)
_CODE = np.full(128, -1, dtype=np.int64)
_CODE[[ord(letter) for letter in RESIDUES]] = np.arange(len(RESIDUES))


def reconstruction_sums(
    store: ActivationStore,
    hook_point: str,
    sae: SparseAutoencoder,
    proteins: pd.DataFrame,
    residues_per_batch: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pass stored activations through a dictionary and sum what is measured.

    With x an activation, mu the mean over all residues given and x_hat the reconstruction.

    Args:
        store: where activations are.
        hook_point: which activations.
        sae: the dictionary.
        proteins: `protein_id`, `cluster_id`, `sequence` of the proteins to measure, all stored.
        residues_per_batch: proteins are joined until they hold as many; bounds memory.

    Returns:
        (`protein_id`, `cluster_id`, `length`, `residue` and the sums over the residues of that type:
        `n_residues`, `residual_squares` ||x - x_hat||^2, `centred_squares` ||x - mu||^2, `cosine_sum`
        cos(x, x_hat), `active_sum` positive latents;
        `latent`, `kind` (defined, free), `n_fired`, `density`).
    """
    ids = proteins["protein_id"].tolist()
    mean = torch.from_numpy(store.statistics(hook_point, ids).mean)
    sums = np.zeros((len(SUM_COLUMNS), len(ids) * len(RESIDUES)))
    fired = np.zeros(sae.config.d_sae, dtype=np.int64)
    for x, groups in _batches(store, hook_point, proteins, residues_per_batch):
        with torch.inference_mode():
            codes = sae.sparse_codes(x)
            parts = _per_residue(x, sae.decode_sparse(codes), codes.values, mean)
            fired += np.bincount(codes.columns[codes.values > 0].numpy(), minlength=len(fired))
        for row, values in enumerate(parts):
            sums[row] += np.bincount(groups, values, minlength=sums.shape[1])
    return _sums_table(proteins, sums), _densities(sae, fired, int(sums[0].sum()))


def _batches(
    store: ActivationStore, hook_point: str, proteins: pd.DataFrame, residues_per_batch: int
) -> Iterator[tuple[Tensor, np.ndarray]]:
    """Yield activations [n, d_model] and the group, protein and residue type in one, of each residue [n]."""
    place = {name: i for i, name in enumerate(proteins["protein_id"])}
    letters = [_CODE[np.frombuffer(text.encode("ascii"), dtype=np.uint8)] for text in proteins["sequence"]]
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    stored = store.iter_stored(hook_point, list(place))
    for position, residues, block in track(stored, f"Reading {hook_point}", total=len(place)):
        owner = place[store.protein_ids[position]]
        waiting.append((block.astype(np.float32), owner * len(RESIDUES) + letters[owner][residues]))
        if sum(len(groups) for _, groups in waiting) >= residues_per_batch:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[Tensor, np.ndarray]:
    blocks, groups = zip(*parts, strict=True)
    return torch.from_numpy(np.concatenate(blocks)), np.concatenate(groups)


def _per_residue(x: Tensor, x_hat: Tensor, acts: Tensor, mean: Tensor) -> list[np.ndarray]:
    """Return what is summed, in the order of `SUM_COLUMNS`, each float64 [n]."""
    values, given = x.double(), x_hat.double()
    columns = (
        torch.ones(len(x), dtype=torch.float64),
        (values - given).square().sum(dim=1),
        (values - mean).square().sum(dim=1),
        functional.cosine_similarity(values, given, dim=1),
        (acts > 0).sum(dim=1).double(),
    )
    return [column.numpy() for column in columns]


def _sums_table(proteins: pd.DataFrame, sums: np.ndarray) -> pd.DataFrame:
    at = np.flatnonzero(sums[0])
    owner, letter = np.divmod(at, len(RESIDUES))
    of = proteins.iloc[owner].reset_index(drop=True)
    columns: dict[str, Any] = {
        "protein_id": of["protein_id"],
        "cluster_id": of["cluster_id"].astype(str),
        "length": of["sequence"].str.len(),
        "residue": np.array(list(RESIDUES), dtype=object)[letter],
        **{name: sums[i][at] for i, name in enumerate(SUM_COLUMNS)},
    }
    return pd.DataFrame(columns).astype({"n_residues": "int64"})


def _densities(sae: SparseAutoencoder, fired: np.ndarray, n_residues: int) -> pd.DataFrame:
    latent = np.arange(len(fired))
    kind = np.where(latent < sae.n_defined, "defined", "free")
    return pd.DataFrame(
        {"latent": latent, "kind": kind, "n_fired": fired, "density": fired / max(n_residues, 1)}
    )
