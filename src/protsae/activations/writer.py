"""Writing activation shards: whole or absent, kept if still valid, manifest last."""

import logging
import re
import shutil
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.executors import Executor, LocalExecutor
from protsae.activations.manifest import MANIFEST_NAME, FileRecord, Manifest, ShardRecord
from protsae.activations.passes import Passes
from protsae.activations.plan import ExtractionPlan
from protsae.activations.schema import STATISTICS_NAME, footer_of, statistics_schema
from protsae.activations.shard import ShardJob, compute_shard, protein_statistics, write_shard
from protsae.core.errors import InputError
from protsae.core.files import atomic_path, is_intact, sha256_file, sha256_text
from protsae.core.progress import track

_LOGGER = logging.getLogger(__name__)
_OURS = re.compile(r"\.?(shard-\d{5,}|statistics)\.parquet(\.\w+\.tmp)?|\.?manifest\.json\.\w+\.tmp")
_RECORDED = {"long_sequences", "max_residues", "window_overlap", "residues_per_protein", "sample_seed"}


class ShardMaker:
    """Makes shards of one extraction, or keeps those that are whole.

    Picklable, so that workers elsewhere can make shards too: the forward pass is built when first needed.
    """

    def __init__(self, plan: ExtractionPlan, root: Path, valid: Collection[int]) -> None:
        """Keep what all shards share.

        Args:
            plan: model and settings.
            root: folder of the shards.
            valid: indices of the shards that are there already.
        """
        self._recipe = plan.recipe
        self._passes = Passes(plan.model, plan.config, plan.hook_points)
        self._root = root
        self._valid = frozenset(valid)

    def __call__(self, job: ShardJob) -> tuple[ShardRecord, pa.Table]:
        """Write the shard of a job; return its record and its proteins' statistics.

        Raises:
            InputError: see `shard.compute_shard`.
        """
        path = self._root / job.name
        table = _read_whole(path) if job.index in self._valid else None
        if table is None:
            table = compute_shard(job, self._recipe, self._passes)
            write_shard(table, job, path)
        return _shard_record(path, job), protein_statistics(table, job, self._recipe)

    def check(self) -> None:
        """Check that this machine can make shards.

        Raises:
            InputError: see `plm.arithmetic.choose_device`.
        """
        self._passes.check()


def write_activations(plan: ExtractionPlan, root: Path, executor: Executor | None = None) -> Manifest:
    """Make every shard of `plan` in `root`, then the statistics, then the manifest.

    Shards already there that were made from the same sequences, model, settings and code are kept, so that an
    interrupted run resumes and ends in the same bytes. Shards of other runs are removed, damaged ones (whose
    seal does not hold) are made again.

    Args:
        plan: the jobs.
        root: folder; made if missing.
        executor: who makes the shards; None: this process.

    Raises:
        InputError: too little free disk space, or a machine that cannot compute as asked, before anything is
            written; or an activation that is not finite in the storage type.
    """
    executor = executor or LocalExecutor()
    root.mkdir(parents=True, exist_ok=True)
    valid = {job.index for job in plan.jobs if _is_current(root / job.name, job)}
    _check_disk(plan, root, [job for job in plan.jobs if job.index not in valid])
    maker = ShardMaker(plan, root.absolute(), valid)
    if isinstance(executor, LocalExecutor):  # others compute elsewhere
        maker.check()
    (root / MANIFEST_NAME).unlink(missing_ok=True)  # from here on the folder is not a complete extraction
    _remove_left_overs(plan, root)
    made = executor.run(maker, plan.jobs)
    shards = []
    statistics_path = root / STATISTICS_NAME
    schema = statistics_schema(plan.hook_points, plan.model.d_model, plan.recipe.footer)
    with (
        atomic_path(statistics_path, sealed=True) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd", write_page_checksum=True) as statistics,
    ):
        for record, of_proteins in track(made, "extracting shards", total=len(plan.jobs)):
            statistics.write_table(of_proteins)
            shards.append(record)
    manifest = _manifest(plan, shards, _file_record(statistics_path))
    manifest.write(root)
    return manifest


def _is_current(path: Path, job: ShardJob) -> bool:
    try:
        about, n_rows = footer_of(path)
    except OSError:
        return False
    return about.get("fingerprint") == job.fingerprint and n_rows == job.n_rows


def _read_whole(path: Path) -> pa.Table | None:
    """Read a shard whose seal holds; None, with a warning, if it is damaged."""
    if not is_intact(path):
        _LOGGER.warning("%s is damaged and is made again", path)
        return None
    return pq.read_table(path, partitioning=None)


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


def _file_record(path: Path) -> FileRecord:
    return FileRecord(name=path.name, n_bytes=path.stat().st_size, sha256=sha256_file(path))


def _shard_record(path: Path, job: ShardJob) -> ShardRecord:
    about, _ = footer_of(path)
    return ShardRecord(
        **_file_record(path).model_dump(),
        rows=job.n_rows,
        halved_batches=about["halved_batches"],
        device=about["device"],
        error=about.get("error"),
        n_proteins=len(job.protein_ids),
        fingerprint=job.fingerprint,
    )


def _manifest(plan: ExtractionPlan, shards: list[ShardRecord], statistics: FileRecord) -> Manifest:
    return Manifest(
        model=plan.model_record,
        hook_points=plan.hook_points,
        d_model=plan.model.d_model,
        dtype=plan.config.dtype,
        compute_dtype=plan.recipe.footer["compute_dtype"],
        arithmetic=plan.config.arithmetic,
        max_tokens_per_batch=plan.config.max_tokens_per_batch,
        **plan.config.model_dump(include=_RECORDED),
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
