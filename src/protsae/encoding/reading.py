"""One pass of all proteins through a dictionary: pooled latents, latent statistics, sums of reconstruction,
and codes of residues for what comes after."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.pooling import n_top
from protsae.core.splits import SPLITS
from protsae.encoding.batches import ProteinBatch, ProteinSource, protein_batches
from protsae.encoding.codes import CodedDictionary, CodeStore, CodeWriter
from protsae.encoding.config import BatchConfig, EncodingConfig
from protsae.encoding.reconstruction import ReconstructionSums
from protsae.encoding.run import Run
from protsae.encoding.sampling import sampled_proteins
from protsae.metrics.association import ResidueCodes
from protsae.sae.base import SparseAutoencoder
from protsae.sae.codes import SparseCodes
from protsae.sae.pooling import SEGMENT_POOLINGS
from protsae.sae.protsae import Codes, ProtSae


@dataclass(frozen=True)
class Encoding:
    """What one pass gives."""

    proteins: pd.DataFrame
    """`protein_id`, `mean_latents`, `top_latents`, `max_latents` [d_sae] (see `core.pooling.Pooling`) and,
    for those with a predictor, `protein_logits`, `mean_gated`, `top_gated`, `max_gated` [n_defined]: what its
    logits exceed the gate's thresholds by, without forced activation, scales or a decoder, pooled."""
    latent_statistics: pd.DataFrame
    """One row per latent: kind, concept, density per split, activations, gate and lift."""
    reconstruction_sums: pd.DataFrame
    """See `reconstruction.ReconstructionSums.table`."""


def encode_and_store(
    source: ProteinSource,
    sae: SparseAutoencoder,
    run: Run,
    proteins: pd.DataFrame,
    config: EncodingConfig,
) -> tuple[Encoding, CodeStore]:
    """Encode proteins once, and keep the codes of residues that later measures read, in a temporary folder.

    Args:
        source: stored activations.
        sae: the dictionary.
        run: which it is.
        proteins: `protein_id`, `sequence`, `split`, `cluster_id` of those that have activations.
        config: size of the batches, and which codes are kept.

    Raises:
        InputError: an activation or a reconstruction is not finite.
    """
    of_residues: list[int] = []
    if isinstance(sae, ProtSae):
        of_residues = sae.is_residue_level.nonzero().flatten().tolist()
    about = CodedDictionary(run, sae.config.d_model, sae.config.d_sae, sae.concept_ids, tuple(of_residues))
    with CodeWriter(Path(mkdtemp(prefix="protsae-codes-")), about) as writer:
        found = encode(source, sae, run, proteins, config, _Keeping.of(writer, about, proteins, config))
        return found, writer.close(temporary=True)


@torch.inference_mode()
def encode(
    source: ProteinSource,
    sae: SparseAutoencoder,
    run: Run,
    proteins: pd.DataFrame,
    config: BatchConfig,
    keeping: "_Keeping | None" = None,
) -> Encoding:
    """Encode proteins and measure the dictionary on each split.

    Args:
        source: stored activations.
        sae: the dictionary.
        run: which it is.
        proteins: `protein_id`, `sequence`, `split`, `cluster_id` of those that have activations.
        config: size of the batches.
        keeping: what becomes of the codes of residues; None: nothing.
    """
    split_of = dict(zip(proteins["protein_id"], proteins["split"], strict=True))
    ids: dict[str, list[str]] = {
        split: [p for p, its in split_of.items() if its == split] for split in SPLITS
    }
    means = {s: source.statistics(run.hook_point, names).mean for s, names in ids.items() if names}
    sums = _Sums(sae, proteins)
    for batch in protein_batches(source, run.hook_point, split_of, config.residues_per_batch):
        codes, logits = sums.update(batch, means[batch.split])
        if keeping is not None:
            keeping.add(batch, codes, logits)
    return Encoding(sums.proteins(), sums.latent_statistics(), sums.reconstruction.table())


@dataclass(frozen=True)
class BatchEncoding:
    """What a dictionary makes of a batch."""

    codes: SparseCodes
    """Of its residues."""
    guided: Codes | None
    """The same with gate and drive, of ProtSAE alone."""
    pooled: dict[str, NDArray[np.float32]]
    """The columns of `Encoding.proteins` but for the id, a row per protein."""


def encode_batch(
    sae: SparseAutoencoder, batch: ProteinBatch, totals: NDArray[Any], n_fired: NDArray[np.int64]
) -> BatchEncoding:
    """Encode the residues of whole proteins, and pool them.

    Args:
        sae: the dictionary.
        batch: the proteins.
        totals: [d_sae, 2] gains the sum of every latent, and is raised to its largest value.
        n_fired: [d_sae] gains how often every latent is active.
    """
    from protsae.encoding.kernels import pool, pool_top

    guided = sae.codes(batch.x) if isinstance(sae, ProtSae) else None
    codes = sae.sparse_codes(batch.x) if guided is None else guided.sparse()
    begins, n_proteins = np.concatenate([[0], np.cumsum(batch.lengths)]), len(batch.lengths)
    mean, top, maximum = np.zeros((3, n_proteins, sae.config.d_sae), np.float32)
    given = codes.values.numpy(), codes.columns.numpy(), begins
    pool(*given, mean, maximum, totals, n_fired)
    pool_top(*given, n_top(np.diff(begins)), top)
    pooled = {"mean_latents": mean, "top_latents": top, "max_latents": maximum}
    if guided is not None and isinstance(sae, ProtSae):
        segment, passed = torch.from_numpy(batch.protein), guided.excess
        for name, pool_segments in SEGMENT_POOLINGS.items():
            pooled[f"{name}_gated"] = pool_segments(passed, segment, n_proteins).numpy()
        logits = guided.gates[0]
        pooled["protein_logits"] = sae.protein_logits(batch.x, logits, segment, n_proteins).numpy()
    return BatchEncoding(codes, guided, pooled)


class _Sums:
    """Everything that is summed while proteins go by."""

    def __init__(self, sae: SparseAutoencoder, proteins: pd.DataFrame) -> None:
        self._sae = sae
        self._proteins: list[dict[str, Any]] = []
        self._totals = np.zeros((sae.config.d_sae, 2))  # per latent: sum, largest
        self._n_fired: dict[str, NDArray[np.int64]] = {
            split: np.zeros(sae.config.d_sae, np.int64) for split in SPLITS
        }
        self._n_residues: dict[str, int] = dict.fromkeys(SPLITS, 0)
        self._n_gated = np.zeros(sae.n_defined, dtype=np.int64)
        self._lift = np.zeros(sae.n_defined)
        norms = sae.W_dec.detach().double().norm(dim=1).numpy()
        self.reconstruction = ReconstructionSums(proteins, norms, sae.n_defined)

    def update(self, batch: ProteinBatch, mean: NDArray[np.float64]) -> tuple[SparseCodes, Tensor | None]:
        """Add a batch; return its codes and, of a guided dictionary, the logits [n, n_defined]."""
        found = encode_batch(self._sae, batch, self._totals, self._n_fired[batch.split])
        gates_open = None
        if found.guided is not None:
            gate = found.guided.gate.numpy()
            gates_open = gate.sum(axis=1)
            self._n_gated += gate.sum(axis=0)
            self._lift += _lifts(found.guided)
        self._proteins += [
            {"protein_id": name, **dict(zip(found.pooled, values, strict=True))}
            for name, *values in zip(batch.protein_ids, *found.pooled.values(), strict=True)
        ]
        self._n_residues[batch.split] += len(batch.x)
        x_hat = self._sae.decode_sparse(found.codes).numpy()
        self.reconstruction.update(batch, found.codes, x_hat, mean, gates_open)
        return found.codes, None if found.guided is None else found.guided.gates[0]

    def proteins(self) -> pd.DataFrame:
        """One row per protein, sorted by id."""
        return pd.DataFrame(self._proteins).sort_values("protein_id", ignore_index=True)

    def latent_statistics(self) -> pd.DataFrame:
        """One row per latent, over the residues of all splits except for the densities."""
        d_sae, m = self._sae.config.d_sae, self._sae.n_defined
        latent = np.arange(d_sae)
        gate_rate, mean_lift = np.full(d_sae, np.nan), np.full(d_sae, np.nan)
        gate_rate[:m] = self._n_gated / sum(self._n_residues.values())
        mean_lift[:m] = self._lift / np.maximum(self._n_gated, 1)
        n_fired = np.sum(list(self._n_fired.values()), axis=0)
        densities = {
            f"density_{split}": self._n_fired[split] / n if n else np.nan
            for split, n in self._n_residues.items()
        }
        return pd.DataFrame(
            {
                "latent": latent.astype(np.int32),
                "kind": np.where(latent < m, "defined", "free"),
                "concept_idx": np.where(latent < m, latent, -1).astype(np.int32),
                **densities,
                "max_act": self._totals[:, 1],
                "mean_nonzero_act": self._totals[:, 0] / np.maximum(n_fired, 1),
                "gate_rate": gate_rate,
                "mean_lift": mean_lift,
            }
        )


@dataclass(frozen=True)
class _Keeping:
    """Which codes are written, and where."""

    writer: CodeWriter
    residue_concepts: tuple[int, ...]
    splits: Collection[str]
    sampled: frozenset[str]
    lengths: dict[str, int]

    @classmethod
    def of(
        cls, writer: CodeWriter, about: CodedDictionary, proteins: pd.DataFrame, config: EncodingConfig
    ) -> "_Keeping":
        lengths = dict(zip(proteins["protein_id"], proteins["sequence"].str.len(), strict=True))
        train = sorted(proteins.loc[proteins["split"] == "train", "protein_id"])
        sampled = sampled_proteins(train, lengths, config.train_residues, config.seed, "train")
        return cls(writer, about.residue_concepts, config.stored_splits, sampled, lengths)

    def add(self, batch: ProteinBatch, codes: SparseCodes, logits: Tensor | None) -> None:
        """Write the proteins of a batch that are to be kept."""
        is_kept = [batch.split in self.splits or name in self.sampled for name in batch.protein_ids]
        if not any(is_kept):
            return
        kept = [
            (name, n) for name, n, keep in zip(batch.protein_ids, batch.lengths, is_kept, strict=True) if keep
        ]
        names, n_rows = [name for name, _ in kept], [n for _, n in kept]
        rows = np.repeat(is_kept, batch.lengths)
        packed = packed_codes(codes.values.numpy()[rows], codes.columns.numpy()[rows])
        kept_logits = None
        if self.residue_concepts and logits is not None:
            kept_logits = logits[:, list(self.residue_concepts)].numpy()[rows]
        lengths = [self.lengths[name] for name in names]
        index = batch.residue_index[rows]
        self.writer.add(names, batch.split, lengths, n_rows, index, packed, kept_logits)


def packed_codes(values: NDArray[np.floating[Any]], columns: NDArray[np.int64]) -> ResidueCodes:
    """Return the positive ones of codes [n, k] with their latents [n, k], ascending within a residue."""
    from protsae.encoding.kernels import pack

    indptr = np.concatenate([[0], np.cumsum((values > 0).sum(axis=1))])
    latents, kept = np.empty(indptr[-1], np.int32), np.empty(indptr[-1], np.float32)
    pack(values, columns, indptr, latents, kept)
    return ResidueCodes(indptr, latents, kept)


def _lifts(codes: Codes) -> NDArray[np.float64]:
    """Return what forced activation added to each defined latent, summed over residues [n_defined]."""
    added = (codes.lifted.values - codes.driven).double().flatten()
    columns = codes.lifted.columns.flatten().numpy()
    return np.bincount(columns, added.numpy(), minlength=codes.n_defined).astype(np.float64)


def mean_activations(source: ProteinSource, hook_point: str, protein_ids: list[str]) -> pd.DataFrame:
    """Return `protein_id`, `activation`: the mean over residues, float32 [d_model], sorted by id."""
    rows = [
        {"protein_id": protein_id, "activation": block.mean(axis=0, dtype=np.float64).astype(np.float32)}
        for protein_id, _, block in source.iter_residues(hook_point, protein_ids)
    ]
    return pd.DataFrame(rows).sort_values("protein_id", ignore_index=True)
