"""`data/08_reporting/run.json`: how the results in its folder were made."""

import json
import logging
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.pipeline import Pipeline

from protsae.caching.canonical import canonical, flatten
from protsae.caching.content import ContentHasher, size
from protsae.caching.decisions import record_file
from protsae.caching.fingerprint import is_parameter, versions_of
from protsae.caching.kedro_internals import Catalog, local_path
from protsae.caching.locations import cache_folders, data_roots
from protsae.caching.lock import is_read_only
from protsae.caching.records import MEMORY_FILE, read_json, read_record
from protsae.core.files import write_text_atomic

_LOGGER = logging.getLogger(__name__)
FORMAT = 1
FILE_NAME = "run.json"
_DISTRIBUTIONS = ("protsae", "torch", "numpy", "pyarrow", "kedro", "fair-esm")


@dataclass
class RunLog:
    """What the hooks saw of one run."""

    project: Path
    run_id: str
    started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    ran: set[str] = field(default_factory=set)
    """Names of the nodes that ran to their end."""
    current: str | None = None
    """Name of the node that was begun last."""


def run_record_path(pipeline: Pipeline, catalog: Catalog) -> Path | None:
    """Return where the record of a run belongs; None if the pipeline makes no files."""
    roots = data_roots([catalog.get(name) for name in sorted(pipeline.all_outputs())])
    return roots[0] / "08_reporting" / FILE_NAME if roots else None


def write_run_record(
    log: RunLog,
    pipeline: Pipeline,
    catalog: Catalog,
    parameters: Mapping[str, Any],
    *,
    request: Mapping[str, Any],
    error: BaseException | None = None,
) -> None:
    """Write the record of a run, whole or part.

    Args:
        log: what the hooks saw.
        pipeline: the nodes that were asked for.
        catalog: their datasets.
        parameters: the resolved parameters.
        request: Kedro's `run_params`: environment, pipelines, filters.
        error: what ended the run, if something did.
    """
    path = run_record_path(pipeline, catalog)
    if path is None:
        return
    leaves = flatten("", canonical(dict(parameters)))
    filters = ("tags", "from_nodes", "to_nodes", "node_names", "from_inputs", "to_outputs", "namespaces")
    record = {
        "format": FORMAT,
        "status": "failed" if error else "succeeded",
        "error": str(error) if error else None,
        "run_id": log.run_id,
        "started_at": log.started_at,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": request.get("env"),
        "pipelines": list(request.get("pipeline_names") or ["__default__"]),
        "filters": {name: list(request[name]) for name in filters if request.get(name)},
        **_git(log.project),
        "versions": {
            "python": platform.python_version(),
            **versions_of(_DISTRIBUTIONS),
        },
        "platform": {"system": platform.platform(), "machine": platform.machine()},
        "inputs": _inputs(pipeline, catalog, log.project),
        "seeds": {name: value for name, value in leaves.items() if name.rpartition(".")[2] == "seed"},
        "parameters": leaves,
        "nodes": _nodes(log, pipeline, catalog, error),
    }
    try:
        write_text_atomic(path, json.dumps(record, indent=2) + "\n")
    except OSError as failure:
        if error is None and not is_read_only(failure):
            raise
        _LOGGER.warning("%s is not written: %s", path, failure.strerror)


def _nodes(log: RunLog, pipeline: Pipeline, catalog: Catalog, error: BaseException | None) -> dict[str, Any]:
    """Return status and cost of each node; a skipped node's cost is that of the run that made its outputs."""
    folders = cache_folders([catalog.get(name) for name in sorted(pipeline.all_outputs())])
    names = [node.name for node in pipeline.nodes]
    failed = log.current if error else None
    reached = names.index(failed) if failed in names else (0 if error else len(names))
    nodes: dict[str, Any] = {}
    for position, node in enumerate(pipeline.nodes):
        status = "skipped" if position < reached else "not reached"
        if node.name == failed:
            status = "failed"
        elif node.name in log.ran:
            status = "ran"
        file = record_file(node, catalog, folders)
        record = read_record(file) if file and status in {"ran", "skipped"} else None
        if record and status == "ran" and record.run_id != log.run_id:
            record = None  # another runner ran it, which measures nothing
        nodes[node.name] = {
            "status": status,
            **{name: getattr(record, name, None) for name in ("seconds", "peak_memory_mb", "bytes_written")},
            "run_at": getattr(record, "finished_at", None),
        }
    return nodes


def _inputs(pipeline: Pipeline, catalog: Catalog, project: Path) -> dict[str, Any]:
    """Return place, size and hash of the files that the run was given; nulls for what is missing."""
    folders = cache_folders([catalog.get(name) for name in sorted(pipeline.all_outputs())])
    hasher = ContentHasher(read_json(folders[0] / MEMORY_FILE).get("contents") if folders else None)
    found: dict[str, Any] = {}
    for name in sorted(pipeline.inputs()):
        path = None if is_parameter(name) else local_path(catalog.get(name))
        if path:
            place = path.relative_to(project) if path.is_relative_to(project) else path
            found[name] = {"path": place.as_posix(), "bytes": size(path), "sha256": hasher.digest(path)}
    return found


def _git(project: Path) -> dict[str, Any]:
    """Return the commit, and whether files differ from it; nulls outside git."""
    try:
        commit = _git_output(project, "rev-parse", "HEAD")
        return {
            "commit": commit.strip(),
            "dirty": bool(_git_output(project, "status", "--porcelain").strip()),
        }
    except (OSError, subprocess.SubprocessError):
        return {"commit": None, "dirty": None}


def _git_output(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
