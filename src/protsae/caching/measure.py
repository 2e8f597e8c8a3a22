"""Time and memory of one node."""

import os
import resource
import threading
import time
from pathlib import Path
from types import TracebackType

_STATM = Path("/proc/self/statm")
_INTERVAL_SECONDS = 0.02


class Measure:
    """Context manager: `seconds` of wall time and `peak_memory_mb` while the block ran.

    The kernel's own maximum (`ru_maxrss`) never falls, so that a small node after a large one would seem
    large. Resident memory is sampled instead, every 20 ms; `ru_maxrss` serves where /proc is missing.
    """

    seconds = 0.0
    peak_memory_mb = 0.0

    def __enter__(self) -> "Measure":
        self._stop = threading.Event()
        self._started = time.perf_counter()
        self.peak_memory_mb = _resident_mb()
        self._thread = threading.Thread(target=self._sample, name="memory sampler", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.seconds = time.perf_counter() - self._started
        self.peak_memory_mb = max(self.peak_memory_mb, _resident_mb())

    def _sample(self) -> None:
        while not self._stop.wait(_INTERVAL_SECONDS):
            self.peak_memory_mb = max(self.peak_memory_mb, _resident_mb())


def _resident_mb() -> float:
    try:
        pages = int(_STATM.read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
