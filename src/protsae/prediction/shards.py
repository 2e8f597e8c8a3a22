"""Shards of a prediction: the tables of some proteins, whole or absent."""

import json
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from protsae.core.errors import MALFORMED
from protsae.core.files import (
    UNSEALED,
    atomic_folder,
    has_sha256,
    read_sealed_json,
    sha256_file,
    write_text_atomic,
)
from protsae.core.threads import in_threads, in_torch_threads
from protsae.encoding.batches import ProteinBatch
from protsae.prediction.comparing import VariantJob, variant_tables
from protsae.prediction.documents import documents
from protsae.prediction.instrument import Instrument
from protsae.prediction.nearest import nearest_hits
from protsae.prediction.tables import batch_tables, table_of
from protsae.sequences.homology import Hit

RECORD_NAME = "shard.json"
DOCUMENTS_NAME = "documents.jsonl"


@dataclass(frozen=True)
class ProteinJob:
    """Some proteins, independent of all others."""

    index: int
    protein_ids: tuple[str, ...]
    descriptions: tuple[str, ...]
    sequences: tuple[str, ...]
    fingerprint: str
    """Hash of all that decides the shard."""

    @property
    def name(self) -> str:
        """Name of the shard's folder."""
        return f"proteins-{self.index:05d}"


Job = ProteinJob | VariantJob


class ShardRecord(NamedTuple):
    """A shard that is whole."""

    name: str
    files: dict[str, str]
    """Name to SHA-256."""


class PredictionMaker:
    """Makes shards, or keeps those that are whole. Picklable, so that workers elsewhere make them too.

    Args:
        instrument: the release.
        root: folder of the shards.
        marks: what every row carries.
    """

    def __init__(self, instrument: Instrument, root: Path, marks: str) -> None:
        self._instrument, self._root, self._marks = instrument, root, marks

    def __call__(self, job: Job) -> ShardRecord:
        """Write the shard of a job.

        Raises:
            InputError: see `instrument.Instrument.activations`.
        """
        folder = self._root / job.name
        if record := whole_shard(folder, job.fingerprint):
            return record
        lines: list[pa.StringArray] = []
        if isinstance(job, VariantJob):
            tables = variant_tables(self._instrument, job, self._marks)
        else:
            tables, lines = self._predicted(job)
        with atomic_folder(folder, written_last=RECORD_NAME) as fresh:
            writes = [partial(_write_table, table, table_path(fresh, name)) for name, table in tables.items()]
            if lines:
                writes.append(partial(_write_lines, lines, fresh / DOCUMENTS_NAME))
            files = dict(sorted(in_threads(lambda write: write(), writes)))
            about = {"seal": UNSEALED, "fingerprint": job.fingerprint, "files": files}
            write_text_atomic(fresh / RECORD_NAME, json.dumps(about), sealed=True)
        return ShardRecord(job.name, files)

    def _predicted(self, job: ProteinJob) -> tuple[dict[str, pa.Table], list[pa.StringArray]]:
        """Return the tables of a job, and its documents batch by batch."""
        sequences = dict(zip(job.protein_ids, job.sequences, strict=True))
        descriptions = dict(zip(job.protein_ids, job.descriptions, strict=True))
        instrument = self._instrument

        def predict(batch: ProteinBatch) -> tuple[dict[str, pa.Table], pa.StringArray]:
            tables = batch_tables(instrument, batch, instrument.encode(batch), sequences, self._marks)
            about = [descriptions[name] for name in batch.protein_ids]
            given = [sequences[name] for name in batch.protein_ids]
            tables["proteins"] = self._proteins(tables["proteins"], about, given, hits)
            return tables, documents(tables, given)

        instrument.prepare()
        with ThreadPoolExecutor(1) as pool:  # the search fills the gaps that the language model leaves
            searched = pool.submit(self._nearest, sequences)
            batches = instrument.activations(sequences)
            hits = searched.result()
        parts, lines = zip(*in_torch_threads(predict, batches), strict=True)
        joined = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
        return {name: table.unify_dictionaries() for name, table in joined.items()}, list(lines)

    def _nearest(self, sequences: Mapping[str, str]) -> dict[str, Hit] | None:
        """Return the nearest training proteins; None: those of the release are not known."""
        release = self._instrument.release
        if not release.has("train_sequences"):
            return None
        train = release.train_sequences
        targets = dict(zip(train["protein_id"], train["sequence"], strict=True))
        return nearest_hits(sequences, targets, self._instrument.config.max_e_value)

    def _proteins(
        self, read: pa.Table, descriptions: list[str], sequences: list[str], hits: dict[str, Hit] | None
    ) -> pa.Table:
        found = [(hits or {}).get(name) for name in read["protein_id"].to_pylist()]
        lengths = [len(sequence) for sequence in sequences]
        notes = [
            f"only the first {n} of {length} residues were read" if n < length else None
            for n, length in zip(read["n_read"].to_pylist(), lengths, strict=True)
        ]
        columns: dict[str, Any] = {name: read[name] for name in ("protein_id", "n_read", "fve")}
        columns |= {name: read[name] for name in ("n_reached", "n_active")}
        columns |= {
            "description": descriptions,
            "length": lengths,
            "nearest_train_id": [hit and hit.target_id for hit in found],
            "nearest_train_identity": [hit and hit.identity for hit in found],
            "nearest_train_coverage": [hit and hit.query_coverage for hit in found],
            "is_far": [None if hits is None else hit is None for hit in found],
            "note": notes,
        }
        if self._marks:
            columns["marks"] = [self._marks] * len(found)
        return table_of("proteins", columns)


def table_path(folder: Path, name: str) -> Path:
    """Return where a shard keeps a table."""
    return folder / f"{name}.arrow"


def _write_table(table: pa.Table, path: Path) -> tuple[str, str]:
    """Write a table as it is in memory; return the name of the file, and its hash."""
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema, options=options) as writer:
        writer.write_table(table)
    return path.name, sha256_file(path)


def read_table(folder: Path, name: str) -> pa.Table:
    """Read a table of a shard."""
    with pa.OSFile(str(table_path(folder, name))) as file, pa.ipc.open_file(file) as reader:
        return reader.read_all()


def _write_lines(lines: Sequence[pa.StringArray], path: Path) -> tuple[str, str]:
    """Do the same for documents."""
    with path.open("wb") as handle:
        handle.writelines(map(_content, lines))
    return path.name, sha256_file(path)


def _content(texts: pa.StringArray) -> memoryview:
    """Return the bytes of all texts, one after another."""
    _, offsets, content = texts.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(content)[ends[texts.offset] : ends[texts.offset + len(texts)]]


def whole_shard(folder: Path, fingerprint: str) -> ShardRecord | None:
    """Return the shard in a folder, if it is whole and was made of the same."""
    try:
        about = read_sealed_json(folder / RECORD_NAME)
        if about is None or about["fingerprint"] != fingerprint:
            return None
        files: dict[str, str] = about["files"]
        if not all(has_sha256(folder / name, sha256) for name, sha256 in files.items()):
            return None
    except (OSError, *MALFORMED):
        return None
    return ShardRecord(folder.name, files)


def names_of(jobs: Collection[Job]) -> set[str]:
    """Return the names of the shards' folders."""
    return {job.name for job in jobs}
