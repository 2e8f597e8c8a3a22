"""Keeps what kedro-viz shows of earlier runs. Its hooks rewrite two files from the current run alone."""

import json
from pathlib import Path
from typing import Any

from protsae.core.errors import MALFORMED
from protsae.core.files import write_text_atomic

_EVENTS_OF_RUN = {"before_pipeline_run", "after_pipeline_run", "on_node_error", "on_pipeline_error"}


class VizMemory:
    """Reads kedro-viz's files before a run, and completes them after it.

    Args:
        project: the project's folder.
    """

    def __init__(self, project: Path) -> None:
        self._stats = project / ".viz" / "stats.json"
        self._events = project / ".viz" / "kedro_pipeline_events.json"
        self._stats_before = _read(self._stats, {})
        self._events_before = _read(self._events, [])

    def complete(self) -> None:
        """Add what is known of skipped nodes to the files that kedro-viz has just written."""
        if self._stats_before and self._stats.exists():
            _write(self._stats, {**self._stats_before, **_read(self._stats, {})})
        if self._events_before and self._events.exists():
            _write(self._events, merge_events(self._events_before, _read(self._events, [])))


def merge_events(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return this run's events and, after the first, the earlier ones of what this run did not touch."""
    touched = {event.get("node_id") for event in now}
    about_others = [event for event in before if event.get("node_id") not in touched]
    kept = [event for event in about_others if event["event"] not in _EVENTS_OF_RUN]
    return [*now[:1], *kept, *now[1:]]


def _read(path: Path, empty: Any) -> Any:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *MALFORMED):
        return empty
    return data if isinstance(data, type(empty)) else empty


def _write(path: Path, data: Any) -> None:
    write_text_atomic(path, json.dumps(data, indent=2))
