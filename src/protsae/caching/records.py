"""What is known about the last run of each node: one JSON file each, written when its outputs are whole."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from protsae.core.errors import MALFORMED
from protsae.core.files import sha256_text, write_text_atomic

FORMAT = 1
MEMORY_FILE = "memory.json"
"""In the folder of the records: hashes of sources and data, kept to save time."""


@dataclass(frozen=True)
class Record:
    """The last successful run of a node."""

    node: str
    parts: dict[str, dict[str, Any]]
    """The fingerprint, part by part: code, package_data, wiring, parameters, catalog, versions, inputs."""
    outputs: dict[str, str]
    """Dataset name to content hash."""
    seconds: float
    peak_memory_mb: float
    """Largest resident memory of the process while the node ran, in units of 10^6 bytes."""
    bytes_written: int
    finished_at: str
    run_id: str | None
    refusal: str | None = None
    """Why this run does not count as a record; only its cost is then read."""
    sizes: dict[str, float] = field(default_factory=dict)
    """How much there was to do, see `sizes.sizes`; empty if it is unknown."""
    format: int = FORMAT


def record_path(cache_folder: Path, outputs: dict[str, Path | None]) -> Path:
    """Return where the record of a node lies.

    The name comes from where the outputs lie below the data root: a moved data root takes its records along,
    and two environments share records exactly when they share files.
    """
    root = cache_folder.parent
    places = sorted(_relative(path, root) if path else f"memory:{name}" for name, path in outputs.items())
    readable = "".join(letter if letter.isalnum() or letter in "._-" else "." for letter in places[0])[:80]
    return cache_folder / f"node-{readable}-{sha256_text(*places)[:12]}.json"


def _relative(path: Path, root: Path) -> str:
    path = path.absolute()
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def read_record(path: Path) -> Record | None:
    """Return a record, or None if there is none that this version can read."""
    data = read_json(path)
    try:
        record = Record(**data)
    except TypeError:
        return None
    return record if record.format == FORMAT else None


def write_record(path: Path, record: Record) -> None:
    """Write a record: whole or not at all, on disk before it has its name."""
    write_text_atomic(path, json.dumps(asdict(record), indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object; an empty one where there is none, as every memory here may be lost."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *MALFORMED):
        return {}
    return data if isinstance(data, dict) else {}
