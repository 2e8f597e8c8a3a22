import logging

from protsae.core import progress


def test_items_pass_unchanged_with_one_log_line_per_interval(monkeypatch, caplog):
    times = iter([0.0, 10.0, 31.0, 40.0, 62.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(times))
    with caplog.at_level(logging.INFO):
        assert list(progress._lines("abcd", "shards", 4)) == ["a", "b", "c", "d"]
    assert caplog.messages == ["shards: 2 of 4 after 31 s", "shards: 4 of 4 after 62 s"]


def test_a_bar_passes_items_through(monkeypatch):
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress.track([1, 2, 3], "x")) == [1, 2, 3]
