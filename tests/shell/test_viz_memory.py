"""kedro-viz's files keep what they know of nodes that a run skipped."""

import json
from pathlib import Path

from protsae.caching.viz import VizMemory, merge_events

BEFORE = [
    {"event": "before_pipeline_run", "timestamp": "1"},
    {"event": "after_dataset_loaded", "node_id": "d1", "size": 1},
    {"event": "after_node_run", "node_id": "n1", "duration": 1.0},
    {"event": "after_node_run", "node_id": "n2", "duration": 2.0},
    {"event": "on_node_error", "node_id": "n3", "error": "old"},
    {"event": "after_pipeline_run", "timestamp": "2"},
]


def test_events_of_skipped_nodes_are_kept_others_replaced():
    now = [
        {"event": "before_pipeline_run", "timestamp": "3"},
        {"event": "after_node_run", "node_id": "n2", "duration": 5.0},
        {"event": "after_pipeline_run", "timestamp": "4"},
    ]
    assert merge_events(BEFORE, now) == [now[0], BEFORE[1], BEFORE[2], now[1], now[2]]


def test_files_are_completed_and_made_only_by_kedro_viz(tmp_path: Path):
    VizMemory(tmp_path).complete()
    assert list(tmp_path.iterdir()) == []
    folder = tmp_path / ".viz"
    folder.mkdir()
    stats, events = folder / "stats.json", folder / "kedro_pipeline_events.json"
    stats.write_text(json.dumps({"proteins": {"rows": 3}, "metrics": {"rows": 1}}))
    events.write_text(json.dumps(BEFORE))
    memory = VizMemory(tmp_path)
    stats.write_text(json.dumps({"metrics": {"rows": 2}}))
    events.write_text(json.dumps(BEFORE[:1]))
    memory.complete()
    assert json.loads(stats.read_text()) == {"proteins": {"rows": 3}, "metrics": {"rows": 2}}
    assert json.loads(events.read_text()) == BEFORE[:4]
