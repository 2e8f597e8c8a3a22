"""Ending a long loop at a safe point when the process is asked to stop."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequests:
    """Within the block, SIGTERM and Ctrl-C only set `received`; after it they act as usual.

    Outside the main thread, where Python allows no handlers, the block changes nothing.
    """

    def __init__(self) -> None:
        """Nothing was received yet."""
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """Name of the signal that came."""
        return "" if self.received is None else signal.Signals(self.received).name

    def __enter__(self) -> "StopRequests":
        """Install the handlers."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the former handlers, and raise a signal that was received."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        if self.received is not None:
            signal.raise_signal(self.received)
            raise SystemExit(128 + self.received)  # if the former handler ignored it

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
