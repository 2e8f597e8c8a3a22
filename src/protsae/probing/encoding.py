"""One pass of all proteins through a dictionary: pooled latents, latent statistics and reconstruction."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.errors import InputError
from protsae.metrics.reconstruction import ReconstructionAccumulator, participation
from protsae.metrics.table import concat_metrics, metric_rows
from protsae.probing.batches import ProteinBatch, ProteinSource, protein_batches
from protsae.probing.config import EncodingConfig
from protsae.probing.splits import SPLITS
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.codes import SparseCodes
from protsae.sae.protsae import Codes, ProtSae


@dataclass(frozen=True)
class Run:
    """Which trained dictionary is measured; goes into the columns of the metrics table."""

    method: str
    seed: int
    hook_point: str
    k: int | None
    """Latents per residue of a TopK dictionary; None: it has no such number."""

    @classmethod
    def of(cls, checkpoint: Any) -> "Run":
        """Read a `sae.checkpoint.SaeCheckpoint`'s header."""
        return cls(
            method=checkpoint.name,
            seed=int(checkpoint.metadata["seed"]),
            hook_point=str(checkpoint.metadata["hook_point"]),
            k=checkpoint.config.get("k"),
        )


@dataclass(frozen=True)
class Encoding:
    """What one pass gives."""

    proteins: pd.DataFrame
    """`protein_id`, `mean_latents`, `max_latents` [d_sae] and, for guided dictionaries, `protein_logits`
    [n_defined]."""
    latent_statistics: pd.DataFrame
    """One row per latent: kind, concept, density per split, activations, gate and lift."""
    reconstruction: pd.DataFrame
    """Rows of the metrics table."""


@torch.inference_mode()
def encode_splits(
    source: ProteinSource,
    sae: SparseAutoencoder,
    run: Run,
    split_of: Mapping[str, str],
    config: EncodingConfig,
) -> Encoding:
    """Encode the proteins of `split_of` and measure the dictionary on each split.

    Args:
        source: stored activations.
        sae: the dictionary.
        run: what to write into the metrics rows.
        split_of: protein id to split.
        config: size of the batches.
    """
    sums = _Sums(sae)
    for batch in protein_batches(source, run.hook_point, split_of, config.residues_per_batch):
        sums.update(batch)
    return Encoding(sums.proteins(), sums.latent_statistics(), sums.reconstruction(run))


class _SplitSums:
    """What is summed per split."""

    def __init__(self, d_sae: int) -> None:
        self.quality = ReconstructionAccumulator()
        self.squares: NDArray[np.float64] = np.zeros(d_sae)
        self.n_gated = 0
        self.n_pairs = 0


class _Sums:
    """Everything that is summed while proteins go by."""

    def __init__(self, sae: SparseAutoencoder) -> None:
        self._sae = sae
        self._splits: dict[str, _SplitSums] = {}
        self._proteins: list[dict[str, Any]] = []
        self._totals = np.zeros((sae.config.d_sae, 3))  # per latent: sum, sum of squares, largest
        self._n_gated = np.zeros(sae.n_defined, dtype=np.int64)
        self._lift = np.zeros(sae.n_defined)
        self._n_residues = 0

    def update(self, batch: ProteinBatch) -> None:
        split = self._splits.setdefault(batch.split, _SplitSums(self._sae.config.d_sae))
        logits = None
        if isinstance(self._sae, ProtSae):
            found = self._sae.codes(batch.x)
            codes, logits = found.sparse(), _protein_logits(self._sae, batch, found.gates[0])
            gate = found.gate.numpy()
            n_gated = gate.sum(axis=0)
            self._n_gated += n_gated
            self._lift += _lifts(found)
            split.n_gated += int(n_gated.sum())
            split.n_pairs += gate.size
        else:
            codes = self._sae.sparse_codes(batch.x)
        n_fired, squares = self._pool(batch, codes, logits)
        split.squares += squares
        split.quality.update_counts(batch.x, self._sae.decode_sparse(codes), n_fired)
        self._n_residues += len(batch.x)

    def _pool(
        self, batch: ProteinBatch, codes: SparseCodes, logits: Tensor | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Add one row per protein; return firing counts and sums of squares [d_sae] of the batch."""
        from protsae.probing.pooling_kernels import pool

        d_sae = self._sae.config.d_sae
        begins = np.concatenate([[0], np.cumsum(batch.lengths)])
        mean, maximum = np.zeros((2, len(batch.lengths), d_sae), np.float32)
        totals, n_fired = np.zeros((d_sae, 3)), np.zeros(d_sae, np.int64)
        pool(codes.values.numpy(), codes.columns.numpy(), begins, mean, maximum, totals, n_fired)
        rows = [
            {"protein_id": protein_id, "mean_latents": of_mean, "max_latents": of_max}
            for protein_id, of_mean, of_max in zip(batch.protein_ids, mean, maximum, strict=True)
        ]
        if logits is not None:
            for row, of_protein in zip(rows, logits, strict=True):
                row["protein_logits"] = of_protein.numpy()
        self._proteins += rows
        self._totals[:, :2] += totals[:, :2]
        self._totals[:, 2] = np.maximum(self._totals[:, 2], totals[:, 2])
        return n_fired, totals[:, 1]

    def proteins(self) -> pd.DataFrame:
        """One row per protein, sorted by id."""
        return pd.DataFrame(self._proteins).sort_values("protein_id", ignore_index=True)

    def latent_statistics(self) -> pd.DataFrame:
        """One row per latent, over the residues of all splits except for the densities."""
        d_sae, m = self._sae.config.d_sae, self._sae.n_defined
        latent = np.arange(d_sae)
        gate_rate, mean_lift = np.full(d_sae, np.nan), np.full(d_sae, np.nan)
        gate_rate[:m] = self._n_gated / self._n_residues
        mean_lift[:m] = self._lift / np.maximum(self._n_gated, 1)
        n_fired = np.sum([split.quality.n_fired for split in self._splits.values()], axis=0)
        densities = {
            f"density_{split}": self._splits[split].quality.density if split in self._splits else np.nan
            for split in SPLITS
        }
        return pd.DataFrame(
            {
                "latent": latent.astype(np.int32),
                "kind": np.where(latent < m, "defined", "free"),
                "concept_idx": np.where(latent < m, latent, -1).astype(np.int32),
                **densities,
                "max_act": self._totals[:, 2],
                "mean_nonzero_act": self._totals[:, 0] / np.maximum(n_fired, 1),
                "gate_rate": gate_rate,
                "mean_lift": mean_lift,
            }
        )

    def reconstruction(self, run: Run) -> pd.DataFrame:
        """Rows of the metrics table for the splits that hold proteins; `n` counts residues."""
        norms = self._sae.W_dec.detach().double().norm(dim=1).numpy()
        tables = []
        for name in SPLITS:
            if name not in self._splits:
                continue
            split = self._splits[name]
            values = split.quality.compute()
            if self._sae.n_defined:
                values["defined_participation"] = participation(split.squares, norms, self._sae.n_defined)
            if split.n_pairs:
                values["gate_rate"] = split.n_gated / split.n_pairs
            tables.append(
                metric_rows(
                    values,
                    method=run.method,
                    split=name,
                    n=split.quality.n_rows,
                    seed=run.seed,
                    hook_point=run.hook_point,
                    k=run.k,
                )
            )
        return concat_metrics(tables)


def _lifts(codes: Codes) -> NDArray[np.float64]:
    """Return what forced activation added to each defined latent, summed over residues [n_defined]."""
    added = (codes.lifted.values - codes.driven).double().flatten()
    columns = codes.lifted.columns.flatten().numpy()
    return np.bincount(columns, added.numpy(), minlength=codes.n_defined).astype(np.float64)


def _protein_logits(sae: ProtSae, batch: ProteinBatch, logits: Tensor) -> Tensor:
    """Return the scores [n_proteins, n_defined] of proteins over all residues, whose logits are given."""
    segment = torch.arange(len(batch.lengths)).repeat_interleave(torch.tensor(batch.lengths))
    return sae.protein_logits(batch.x, logits, segment, len(batch.lengths))


def require_same_concepts(sae: SparseAutoencoder | SaeCheckpoint, concepts: pd.DataFrame) -> None:
    """Refuse a guided dictionary whose defined latents are other concepts than the table's, or in another
    order.

    Raises:
        InputError: they differ.
    """
    wanted = tuple(concepts.sort_values("concept_idx")["concept_id"])
    if sae.n_defined and sae.concept_ids != wanted:
        differing = sorted(set(sae.concept_ids).symmetric_difference(wanted))
        hint = f"such as {differing[0]}" if differing else "in another order"
        raise InputError(
            f"the dictionary was trained on {sae.n_defined} concepts, the table has {len(wanted)}, {hint}: "
            "train it again"
        )


def mean_activations(source: ProteinSource, hook_point: str, protein_ids: list[str]) -> pd.DataFrame:
    """Return `protein_id`, `activation`: the mean over residues, float32 [d_model], sorted by id."""
    rows = [
        {"protein_id": protein_id, "activation": block.mean(axis=0, dtype=np.float64).astype(np.float32)}
        for protein_id, block in source.iter_proteins(hook_point, protein_ids)
    ]
    return pd.DataFrame(rows).sort_values("protein_id", ignore_index=True)
