"""One shard: from the sequences of some proteins to a Parquet file and the sums over each protein."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.config import ExtractionConfig
from protsae.activations.pieces import Piece, kept_residues, pieces_of
from protsae.activations.schema import (
    row_groups,
    shard_name,
    shard_schema,
    statistics_schema,
    storage_dtype,
    sum_column,
    sum_sq_column,
    vectors_to_arrow,
    vectors_to_numpy,
)
from protsae.core.errors import InputError
from protsae.core.files import atomic_path
from protsae.core.letters import character_codes
from protsae.plm.batching import token_budget_batches
from protsae.plm.halving import run_or_halve

if TYPE_CHECKING:
    from protsae.activations.passes import Passes
    from protsae.plm.forward import Esm2Forward


@dataclass(frozen=True)
class ShardJob:
    """One shard to be made, independent of all others."""

    index: int
    """Place in the stored order."""
    protein_ids: tuple[str, ...]
    """Proteins, in stored order."""
    sequences: tuple[str, ...]
    """Their residues."""
    rows: tuple[int, ...]
    """Residues of each that are stored."""
    fingerprint: str
    """Hash of all that decides the shard's bytes."""

    @property
    def name(self) -> str:
        """File name of the shard."""
        return shard_name(self.index)

    @property
    def n_rows(self) -> int:
        """Residues in the shard."""
        return sum(self.rows)


@dataclass(frozen=True)
class Recipe:
    """What all shards of an extraction share. Small, and can be sent to another process."""

    config: ExtractionConfig
    hook_points: tuple[str, ...]
    d_model: int
    footer: dict[str, Any]
    """What the footers of its files say."""


def compute_shard(job: ShardJob, recipe: Recipe, passes: "Passes") -> pa.Table:
    """Run the proteins of a shard.

    Returns:
        The table of `schema.shard_schema`; its footer also counts `halved_batches`, which ran out of memory,
        and says what `Passes.measured` does, measured on the shard's first protein.

    Raises:
        InputError: an activation that is not finite in the storage type, or too little memory for one
            sequence alone.
    """
    config = recipe.config
    kept = [
        kept_residues(protein_id, len(sequence), config)
        for protein_id, sequence in zip(job.protein_ids, job.sequences, strict=True)
    ]
    first_row = np.cumsum(job.rows) - job.rows
    stored = storage_dtype(config.dtype)
    values = {name: np.empty((job.n_rows, recipe.d_model), stored) for name in recipe.hook_points}
    halved = 0
    for pieces, found, halvings in _forward_passes(job, kept, config, passes.forward):
        halved += halvings
        ends = np.cumsum([piece.n_residues for piece in pieces])
        for name, tensor in found.items():
            blocks = np.split(tensor.float().cpu().numpy(), ends[:-1])
            for piece, block in zip(pieces, blocks, strict=True):
                window, of = piece.window, kept[piece.protein]
                low, high = np.searchsorted(of, (window.first, window.last))
                target = slice(first_row[piece.protein] + low, first_row[piece.protein] + high)
                where = f"{name}, protein {job.protein_ids[piece.protein]}"
                taken = block[of[low:high] - window.start]
                values[name][target] = _cast(taken, config.dtype, where, of[low:high])
    footer = {**recipe.footer, "fingerprint": job.fingerprint, "n_proteins": len(job.protein_ids)}
    footer |= passes.measured(job.sequences[0])
    schema = shard_schema(
        recipe.hook_points, recipe.d_model, config.dtype, {**footer, "halved_batches": halved}
    )
    return pa.Table.from_arrays(
        [*_key_columns(job, kept), *(vectors_to_arrow(values[name]) for name in recipe.hook_points)],
        schema=schema,
    )


def write_shard(table: pa.Table, job: ShardJob, path: Path) -> None:
    """Write a shard, sealed, whole or not at all. No protein is divided between two row groups."""
    with (
        atomic_path(path, sealed=True) as temporary,
        pq.ParquetWriter(
            temporary,
            table.schema,
            compression="zstd",
            use_dictionary=["protein_id", "aa"],
            use_byte_stream_split=[f"{name}.list.element" for name in table.column_names[3:]],
            write_page_checksum=True,
            write_statistics=table.column_names[:3],
        ) as writer,
    ):
        for first, n_rows in row_groups(job.rows):
            writer.write_table(table.slice(first, n_rows), row_group_size=n_rows)


def protein_statistics(table: pa.Table, job: ShardJob, recipe: Recipe) -> pa.Table:
    """Return index, sums and sums of squares of a shard's proteins, from the values as stored."""
    ends = np.cumsum(job.rows, dtype=np.int64)
    starts = ends - job.rows
    columns: dict[str, Any] = {
        "protein_id": list(job.protein_ids),
        "shard": np.full(len(ends), job.index, np.int32),
        "first_row": starts,
        "n_rows": np.array(job.rows, np.int32),
        "length": np.array([len(sequence) for sequence in job.sequences], np.int32),
    }
    for name in recipe.hook_points:
        values = vectors_to_numpy(table[name])
        blocks = [values[a:b].astype(np.float64) for a, b in zip(starts, ends, strict=True)]
        columns[sum_column(name)] = vectors_to_arrow(np.stack([block.sum(axis=0) for block in blocks]))
        columns[sum_sq_column(name)] = vectors_to_arrow(
            np.stack([(block**2).sum(axis=0) for block in blocks])
        )
    schema = statistics_schema(recipe.hook_points, recipe.d_model, recipe.footer)
    return pa.table(columns, schema=schema)


def _forward_passes(
    job: ShardJob, kept: list[np.ndarray], config: ExtractionConfig, forward: "Esm2Forward"
) -> Iterator[tuple[list[Piece], dict[str, Any], int]]:
    """Yield pieces, their activations side by side per hook point, and the halvings since the last yield."""
    pieces = [
        piece
        for i, sequence in enumerate(job.sequences)
        for piece in pieces_of(i, len(sequence), kept[i], config)
    ]
    texts = [job.sequences[piece.protein][piece.window.start : piece.window.end] for piece in pieces]
    for batch in token_budget_batches([len(text) for text in texts], config.max_tokens_per_batch):
        for part, found, halvings in run_or_halve(forward.run, [texts[i] for i in batch]):
            yield [pieces[batch[i]] for i in part], found, halvings


def _key_columns(job: ShardJob, kept: list[np.ndarray]) -> list[pa.Array]:
    """Return the columns `protein_id`, `residue_index` and `aa`."""
    names = pa.array(job.protein_ids, pa.string())
    letters = [character_codes(sequence)[rows] for sequence, rows in zip(job.sequences, kept, strict=True)]
    alphabet, codes = np.unique(np.concatenate(letters), return_inverse=True)
    return [
        pa.DictionaryArray.from_arrays(np.repeat(np.arange(len(names), dtype=np.int32), job.rows), names),
        pa.array(np.concatenate(kept), pa.int32()),
        pa.DictionaryArray.from_arrays(codes.astype(np.int8), [chr(letter) for letter in alphabet]),
    ]


def _cast(block: np.ndarray, dtype: str, where: str, residues: np.ndarray) -> np.ndarray:
    """Cast float32 to the storage type, refusing what is not finite in it."""
    if dtype == "bfloat16":
        import torch

        stored: np.ndarray = torch.from_numpy(np.ascontiguousarray(block)).bfloat16().float().numpy()
    else:
        with np.errstate(over="ignore"):
            stored = block.astype(dtype, copy=False)
    finite = np.isfinite(stored)
    if not finite.all():
        row, dimension = np.argwhere(~finite)[0]
        wider = "take another hook point" if dtype == "float32" else "set extraction.dtype to float32"
        raise InputError(
            f"{where}, residue {residues[row] + 1}, dimension {dimension}: activation "
            f"{block[row, dimension]} is not finite in {dtype}; {wider}"
        )
    return stored
