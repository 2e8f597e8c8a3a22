"""For each node: run, skip, or wait. The one place that knows the rules."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from protsae.caching import content
from protsae.caching.canonical import to_text
from protsae.caching.content import ContentHasher
from protsae.caching.fingerprint import Fingerprint, Parts, differences, fingerprint, is_parameter
from protsae.caching.kedro_internals import (
    Catalog,
    base_path,
    companion,
    in_memory,
    inner,
    is_absent,
    local_path,
)
from protsae.caching.locations import cache_folders
from protsae.caching.measure import Measure
from protsae.caching.records import MEMORY_FILE, Record, read_json, read_record, record_path, write_record
from protsae.caching.sizes import sizes
from protsae.core.code import CodeIndex
from protsae.core.files import Stamp, sha256_text, write_text_atomic


class Verdict(Enum):
    """What happens to a node."""

    RUN = "run"
    SKIP = "skip"
    WAIT = "wait"
    """Its outputs live in memory: it runs when a node that needs them runs."""
    MAYBE = "run?"
    """Only in a plan: it runs if what comes before it changes its inputs."""


@dataclass(frozen=True)
class Decision:
    """A verdict, and why."""

    verdict: Verdict
    reason: str
    record: Record | None = None
    """What the last run cost, if it is known."""


UP_TO_DATE = "up to date"
NOT_GIVEN = "not given"
"""Content of an optional input that the catalog leaves out."""


def record_file(node: Node, catalog: Catalog, otherwise: list[Path]) -> Path | None:
    """Return where a node's record lies.

    Args:
        node: any node.
        catalog: its datasets.
        otherwise: cache folders of the run, for a node whose outputs have no place on this disk.
    """
    datasets = {name: catalog.get(name) for name in node.outputs}
    folders = cache_folders(list(datasets.values())) or otherwise
    if not folders or not datasets:
        return None
    return record_path(folders[0], {name: base_path(dataset) for name, dataset in datasets.items()})


class Decider:
    """Compares nodes with their records.

    The fingerprints of code and parameters are taken here, before the first node runs, so that an edit made
    while a long node runs reruns the nodes after it the next time.

    Args:
        pipeline: the nodes that are to be brought up to date.
        catalog: their datasets.
        verify: read every file again instead of trusting its size and times.
    """

    def __init__(self, pipeline: Pipeline, catalog: Catalog, verify: bool = False) -> None:
        self._catalog = catalog
        self._makers = {name: node for node in pipeline.nodes for name in node.outputs}
        self._wanted = {name for node in pipeline.nodes for name in node.inputs}
        self.folders = cache_folders([catalog.get(name) for name in sorted(self._makers)])
        memory = read_json(self.folders[0] / MEMORY_FILE) if self.folders else {}
        self._code = CodeIndex(memory.get("code"))
        self._hasher = ContentHasher(memory.get("contents"), verify)
        self._fingerprints: dict[str, Fingerprint] = {
            node.name: fingerprint(node, catalog, self._code) for node in pipeline.nodes
        }
        self._stamps: dict[str, dict[str, dict[str, Stamp] | None]] = {}

    def decide(self, node: Node, in_doubt: Collection[str] = ()) -> Decision:
        """Return whether a node must run, and why.

        Args:
            node: a node of the pipeline.
            in_doubt: for a plan: inputs that nodes before it may change.
        """
        file = record_file(node, self._catalog, self.folders)
        record = read_record(file) if file else None
        if reason := self.refusal(node):
            return Decision(Verdict.RUN, f"always: {reason}", record)
        parts = self._parts(node, leave_out=in_doubt)
        kept, lost = self._split_outputs(node)
        if not kept:
            return Decision(Verdict.WAIT, "its outputs are kept in memory", record)
        if reason := self._staleness(record, parts, kept, in_doubt):
            return Decision(Verdict.RUN, reason, record)
        if doubtful := sorted(set(in_doubt) & set(node.inputs)):
            return Decision(Verdict.MAYBE, f"if {doubtful[0]} changes", record)
        return Decision(Verdict.WAIT if lost else Verdict.SKIP, UP_TO_DATE, record)

    def refusal(self, node: Node) -> str | None:
        """Return why the node can never be skipped; None if it can."""
        if reason := self._fingerprints[node.name].refusal:
            return reason
        for name in node.outputs:
            if in_memory(self._catalog.get(name)) and name not in self._wanted:
                return f"its output {name} is kept in memory only"
        for name in node.inputs:
            if not is_parameter(name) and self._lives_in_memory(name):
                maker = self._makers.get(name)
                if maker is None:
                    return f"its input {name} is kept in memory only"
                if self.refusal(maker):
                    return f"its input {name} is made in memory by a node that always runs"
        return None

    def memory_makers(self, node: Node) -> list[Node]:
        """Return the nodes that make this node's inputs in memory."""
        return [
            self._makers[name] for name in node.inputs if name in self._makers and self._lives_in_memory(name)
        ]

    def forget(self, node: Node) -> None:
        """Delete the record, before the node runs: from here on nothing vouches for its outputs."""
        self._stamps[node.name] = self._input_stamps(node)
        if file := record_file(node, self._catalog, self.folders):
            file.unlink(missing_ok=True)

    def commit(self, node: Node, measure: Measure, run_id: str | None) -> None:
        """Write the record of a node that has run, once its outputs are whole."""
        file = record_file(node, self._catalog, self.folders)
        if file is None:
            return
        refusal = self.refusal(node) or self._disturbed(node)
        datasets = {name: self._catalog.get(name) for name in node.outputs}
        outputs = {name: self._content(name) for name, dataset in datasets.items() if not in_memory(dataset)}
        missing = [name for name, digest in outputs.items() if digest is None]
        record = Record(
            node=node.name,
            parts=self._parts(node) if not refusal else {},
            outputs={name: digest for name, digest in outputs.items() if digest is not None},
            seconds=round(measure.seconds, 3),
            peak_memory_mb=round(measure.peak_memory_mb, 1),
            bytes_written=sum(content.size(path) for item in datasets.values() if (path := local_path(item))),
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            run_id=run_id,
            refusal=refusal or (f"output {missing[0]} was not written" if missing else None),
            sizes=sizes(self._catalog, ingested=True),
        )
        write_record(file, record)
        self.save_memory()

    def save_memory(self) -> None:
        """Keep the hashes for the next process. Losing them costs time, nothing else."""
        if self.folders:
            memory = {"code": self._code.remembered(), "contents": self._hasher.remembered()}
            with suppress(OSError):
                write_text_atomic(self.folders[0] / MEMORY_FILE, to_text(memory))

    def _staleness(
        self, record: Record | None, parts: Parts, kept: list[str], in_doubt: Collection[str]
    ) -> str | None:
        """Return in words why a record does not vouch for the outputs; None if it does."""
        if record is None:
            return "never run"
        if record.refusal:
            return f"its last run does not count: {record.refusal}"
        reasons = differences(_without(record.parts, in_doubt), parts) + self._damage(record, kept)
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        return reasons[0] + more if reasons else None

    def _parts(self, node: Node, leave_out: Collection[str] = ()) -> Parts:
        data = [name for name in node.inputs if not is_parameter(name) and name not in leave_out]
        return {**self._fingerprints[node.name].parts, "inputs": {name: self._content(name) for name in data}}

    def _content(self, name: str) -> str | None:
        """Return the hash of a dataset's content; for one in memory, of all that its content depends on."""
        dataset = inner(self._catalog.get(name))
        if in_memory(dataset):
            maker = self._makers.get(name)
            return sha256_text(name, to_text(self._parts(maker))) if maker else None
        if hasattr(dataset, "fingerprint"):
            return dataset.fingerprint()  # type: ignore[no-any-return]
        if is_absent(dataset):
            return NOT_GIVEN
        if hasattr(dataset, "check"):
            dataset.check()
        digests = [self._hasher.digest(path) for path in (local_path(dataset), companion(dataset)) if path]
        found = [digest for digest in digests if digest is not None]
        if not digests or digests[0] is None:
            return None
        return found[0] if len(found) == 1 else sha256_text(*found)

    def _lives_in_memory(self, name: str) -> bool:
        return in_memory(self._catalog.get(name))

    def _split_outputs(self, node: Node) -> tuple[list[str], list[str]]:
        """Return the outputs that outlive the process, and those that do not."""
        lost = [name for name in node.outputs if self._lives_in_memory(name)]
        return [name for name in node.outputs if name not in lost], lost

    def _damage(self, record: Record, kept: list[str]) -> list[str]:
        words = []
        for name in kept:
            now = self._content(name)
            if now != record.outputs.get(name):
                words.append(f"output {name} {'deleted' if now is None else 'changed on disk'}")
        return words

    def _input_stamps(self, node: Node) -> dict[str, dict[str, Stamp] | None]:
        paths = {name: local_path(self._catalog.get(name)) for name in node.inputs if not is_parameter(name)}
        return {name: content.stamps(path) for name, path in paths.items() if path}

    def _disturbed(self, node: Node) -> str | None:
        """Return what changed while the node ran; its result is then not recorded."""
        if self._code.edited(self._fingerprints[node.name].closure):
            return "its code was edited while it ran"
        before = self._stamps.get(node.name, {})
        after = self._input_stamps(node)
        # an input that was missing before is one that its dataset fetched on loading
        if any(stamps != after.get(name) for name, stamps in before.items() if stamps is not None):
            return "an input was written while it ran"
        return None


def _without(parts: Parts, names: Collection[str]) -> Parts:
    inputs = {name: digest for name, digest in parts.get("inputs", {}).items() if name not in names}
    return {**parts, "inputs": inputs}
