"""Shards of a prediction: the tables of some proteins, whole or absent."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from protsae.core.errors import MALFORMED
from protsae.core.files import (
    UNSEALED,
    atomic_folder,
    has_sha256,
    read_sealed_json,
    sha256_file,
    write_text_atomic,
)
from protsae.prediction.comparing import VariantJob, variant_tables
from protsae.prediction.documents import documents
from protsae.prediction.instrument import Instrument
from protsae.prediction.nearest import nearest_hits
from protsae.prediction.tables import batch_tables, table_of

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
            InputError: see `instrument.Instrument.batches`.
        """
        folder = self._root / job.name
        if record := whole_shard(folder, job.fingerprint):
            return record
        if isinstance(job, VariantJob):
            tables, lines = variant_tables(self._instrument, job, self._marks), None
        else:
            tables = self._tables(job)
            lines = documents(tables, dict(zip(job.protein_ids, job.sequences, strict=True)))
        with atomic_folder(folder, written_last=RECORD_NAME) as fresh:
            for name, table in tables.items():
                pq.write_table(table, fresh / f"{name}.parquet", compression="zstd")
            if lines is not None:
                with (fresh / DOCUMENTS_NAME).open("w", encoding="ascii", newline="\n") as handle:
                    handle.writelines(f"{line}\n" for line in lines)
            files = {path.name: sha256_file(path) for path in sorted(fresh.iterdir())}
            about = {"seal": UNSEALED, "fingerprint": job.fingerprint, "files": files}
            write_text_atomic(fresh / RECORD_NAME, json.dumps(about), sealed=True)
        return ShardRecord(job.name, files)

    def _tables(self, job: ProteinJob) -> dict[str, pa.Table]:
        sequences = dict(zip(job.protein_ids, job.sequences, strict=True))
        parts = [
            batch_tables(self._instrument, batch, encoding, sequences, self._marks)
            for batch, encoding in self._instrument.batches(sequences)
        ]
        tables = {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}
        return tables | {"proteins": self._proteins(job, sequences, tables["proteins"])}

    def _proteins(self, job: ProteinJob, sequences: Mapping[str, str], read: pa.Table) -> pa.Table:
        instrument = self._instrument
        is_known = instrument.release.has("train_sequences")
        train = instrument.release.train_sequences if is_known else None
        targets = {} if train is None else dict(zip(train["protein_id"], train["sequence"], strict=True))
        hits = nearest_hits(sequences, targets, instrument.config.max_e_value)
        found = [hits.get(name) for name in job.protein_ids]
        lengths = [len(sequence) for sequence in job.sequences]
        n_read = read["n_read"].to_pylist()
        notes = [
            f"only the first {n} of {length} residues were read" if n < length else None
            for n, length in zip(n_read, lengths, strict=True)
        ]
        columns: dict[str, Any] = {name: read[name] for name in ("protein_id", "n_read", "fve")}
        columns |= {name: read[name] for name in ("n_reached", "n_active")}
        columns |= {
            "description": job.descriptions,
            "length": lengths,
            "nearest_train_id": [hit and hit.target_id for hit in found],
            "nearest_train_identity": [hit and hit.identity for hit in found],
            "nearest_train_coverage": [hit and hit.query_coverage for hit in found],
            "is_far": [hit is None for hit in found] if is_known else [None] * len(found),
            "note": notes,
        }
        if self._marks:
            columns["marks"] = [self._marks] * len(found)
        return table_of("proteins", columns)


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
