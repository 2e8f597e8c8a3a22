"""Writing activation shards: whole or absent, kept if still valid, manifest last."""

import logging
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.manifest import MANIFEST_NAME, FileRecord, Manifest, ShardRecord
from protsae.activations.plan import ExtractionPlan, ShardJob
from protsae.activations.schema import (
    STATISTICS_NAME,
    footer_of,
    shard_schema,
    statistics_schema,
    sum_column,
    sum_sq_column,
    vectors_to_arrow,
    vectors_to_numpy,
)
from protsae.core.errors import InputError
from protsae.core.files import atomic_path, sha256_file, sha256_text
from protsae.core.progress import track
from protsae.plm.batching import token_budget_batches

if TYPE_CHECKING:
    from protsae.plm.forward import Esm2Forward

_LOGGER = logging.getLogger(__name__)
_OURS = re.compile(r"\.?(shard-\d{5,}|statistics)\.parquet(\.\w+\.tmp)?|\.?manifest\.json\.\w+\.tmp")
_ROWS_PER_GROUP = 1 << 16


def write_activations(plan: ExtractionPlan, root: Path) -> Manifest:
    """Make every shard of `plan` in `root`, then the statistics, then the manifest.

    Shards already there that were made from the same sequences, model, settings and code are kept, so that a
    run goes on where a killed one stopped and ends in the same bytes. Left-over shards are removed.

    Args:
        plan: the jobs.
        root: folder; made if missing.

    Raises:
        InputError: too little free disk space, before anything is written; or an activation that is not
            finite in the storage type.
    """
    from protsae.plm.forward import Esm2Forward

    root.mkdir(parents=True, exist_ok=True)
    valid = {job.index for job in plan.jobs if _is_current(root / job.name, job)}
    _check_disk(plan, root, [job for job in plan.jobs if job.index not in valid])
    (root / MANIFEST_NAME).unlink(missing_ok=True)  # from here on the folder is not a complete extraction
    _remove_left_overs(plan, root)
    forward = Esm2Forward(plan.model, plan.hook_points)
    shards = []
    statistics_path = root / STATISTICS_NAME
    schema = statistics_schema(plan.hook_points, plan.model.d_model, _about(plan))
    with (
        atomic_path(statistics_path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as statistics,
    ):
        for job in track(plan.jobs, "extracting shards"):
            table = _read_whole(root / job.name) if job.index in valid else None
            if table is None:
                table = _compute_shard(plan, job, forward)
                _write_shard(table, root / job.name)
            statistics.write_table(_protein_statistics(table, job, schema))
            shards.append(_shard_record(root / job.name, job))
    manifest = _manifest(plan, shards, _file_record(statistics_path))
    manifest.write(root)
    return manifest


def _about(plan: ExtractionPlan) -> dict[str, Any]:
    return {
        "model": plan.model.name,
        "model_sha256": plan.model.sha256,
        "hook_points": list(plan.hook_points),
        "d_model": plan.model.d_model,
        "dtype": plan.config.dtype,
        "code_sha256": plan.code_sha256,
    }


def _is_current(path: Path, job: ShardJob) -> bool:
    try:
        about, n_rows = footer_of(path)
    except (OSError, pa.ArrowException):
        return False
    return about.get("fingerprint") == job.fingerprint and n_rows == job.n_rows


def _read_whole(path: Path) -> pa.Table | None:
    """Read a shard against the checksums of its pages; None, with a warning, if it is damaged."""
    try:
        return pq.read_table(path, page_checksum_verification=True, partitioning=None)
    except (OSError, pa.ArrowException) as error:
        _LOGGER.warning("%s is damaged and is made again: %s", path, error)
        return None


def _check_disk(plan: ExtractionPlan, root: Path, jobs: list[ShardJob]) -> None:
    needed, free = plan.n_bytes(jobs), shutil.disk_usage(root).free
    if needed > free:
        raise InputError(
            f"{root}: {len(jobs)} shards need up to {needed / 1e9:.3g} GB, {free / 1e9:.3g} GB are free: "
            "make room, move data_root, or extract fewer proteins"
        )


def _remove_left_overs(plan: ExtractionPlan, root: Path) -> None:
    """Remove shards and temporary files of other runs; name what is not ours and leave it."""
    wanted = {job.name for job in plan.jobs}
    others = [path for path in sorted(root.iterdir()) if path.name not in wanted]
    for path in others:
        if _OURS.fullmatch(path.name):
            _LOGGER.info("removing %s, left over from another extraction", path)
            path.unlink()
        else:
            _LOGGER.warning("%s is not part of the extraction and is ignored", path)


def _compute_shard(plan: ExtractionPlan, job: ShardJob, forward: "Esm2Forward") -> pa.Table:
    lengths = np.array([len(sequence) for sequence in job.sequences], dtype=np.int64)
    first_row = np.cumsum(lengths) - lengths
    values = {
        name: np.empty((job.n_rows, plan.model.d_model), plan.config.dtype) for name in plan.hook_points
    }
    for batch in token_budget_batches(lengths.tolist(), plan.config.max_tokens_per_batch):
        ends = np.cumsum(lengths[batch])
        for name, tensor in forward.run([job.sequences[position] for position in batch]).items():
            for position, block in zip(batch, np.split(tensor.numpy(), ends[:-1]), strict=True):
                first = first_row[position]
                values[name][first : first + len(block)] = _cast(
                    block, plan.config.dtype, f"{name}, protein {job.protein_ids[position]}"
                )
    names = pa.array(job.protein_ids, pa.string())
    letters = sorted(set("".join(job.sequences)))
    code_of = {letter: code for code, letter in enumerate(letters)}
    schema = shard_schema(
        plan.hook_points,
        plan.model.d_model,
        plan.config.dtype,
        {**_about(plan), "fingerprint": job.fingerprint, "n_proteins": len(job.protein_ids)},
    )
    columns = [
        pa.DictionaryArray.from_arrays(np.repeat(np.arange(len(names), dtype=np.int32), lengths), names),
        pa.array(np.arange(job.n_rows) - np.repeat(first_row, lengths), pa.int32()),
        pa.DictionaryArray.from_arrays(
            np.array([code_of[letter] for sequence in job.sequences for letter in sequence], np.int8), letters
        ),
        *(vectors_to_arrow(values[name]) for name in plan.hook_points),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(block: np.ndarray, dtype: str, where: str) -> np.ndarray:
    """Cast to the storage type, refusing what is not finite in it."""
    with np.errstate(over="ignore"):
        stored = block.astype(dtype, copy=False)
    finite = np.isfinite(stored)
    if not finite.all():
        residue, dimension = np.argwhere(~finite)[0]
        raise InputError(
            f"{where}, residue {residue + 1}, dimension {dimension}: activation {block[residue, dimension]} "
            f"is not finite in {dtype}; set extraction.dtype to float32 or take another hook point"
        )
    return stored


def _write_shard(table: pa.Table, path: Path) -> None:
    vectors = [f"{name}.list.element" for name in table.column_names[3:]]
    with atomic_path(path) as temporary:
        pq.write_table(
            table,
            temporary,
            compression="zstd",
            use_dictionary=["protein_id", "aa"],
            use_byte_stream_split=vectors,
            write_page_checksum=True,
            write_statistics=table.column_names[:3],
            row_group_size=_ROWS_PER_GROUP,
        )


def _protein_statistics(table: pa.Table, job: ShardJob, schema: pa.Schema) -> pa.Table:
    """Return index, sums and sums of squares of a shard's proteins, from the values as stored."""
    lengths = np.array([len(sequence) for sequence in job.sequences], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    columns: dict[str, Any] = {
        "protein_id": list(job.protein_ids),
        "shard": np.full(len(lengths), job.index, np.int32),
        "first_row": starts,
        "length": lengths.astype(np.int32),
    }
    for name in table.column_names[3:]:
        values = vectors_to_numpy(table[name])
        blocks = [
            values[start : start + n].astype(np.float64) for start, n in zip(starts, lengths, strict=True)
        ]
        columns[sum_column(name)] = vectors_to_arrow(np.stack([block.sum(axis=0) for block in blocks]))
        columns[sum_sq_column(name)] = vectors_to_arrow(
            np.stack([(block**2).sum(axis=0) for block in blocks])
        )
    return pa.table(columns, schema=schema)


def _file_record(path: Path) -> FileRecord:
    return FileRecord(name=path.name, n_bytes=path.stat().st_size, sha256=sha256_file(path))


def _shard_record(path: Path, job: ShardJob) -> ShardRecord:
    return ShardRecord(
        **_file_record(path).model_dump(),
        rows=job.n_rows,
        n_proteins=len(job.protein_ids),
        fingerprint=job.fingerprint,
    )


def _manifest(plan: ExtractionPlan, shards: list[ShardRecord], statistics: FileRecord) -> Manifest:
    return Manifest(
        model=plan.model_record,
        hook_points=plan.hook_points,
        d_model=plan.model.d_model,
        dtype=plan.config.dtype,
        compute_dtype="float32",
        max_tokens_per_batch=plan.config.max_tokens_per_batch,
        sequences_sha256=sha256_text(
            *(part for job in plan.jobs for part in (*job.protein_ids, *job.sequences))
        ),
        code_sha256=plan.code_sha256,
        versions=plan.versions,
        proteins=plan.counts,
        skipped=plan.skipped,
        rows=sum(shard.rows for shard in shards),
        shards=tuple(shards),
        statistics=statistics,
    )
