"""Members of a sweep made by several processes of this machine."""

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from protsae.core.errors import InputError
from protsae.training.stopping import StopRequests

Job = TypeVar("Job")
Done = TypeVar("Done")
_SECONDS_BETWEEN_LOOKS = 1.0


class ProcessExecutor:
    """Spreads jobs over processes (see `activations.executors.Executor`).

    On SIGTERM and Ctrl-C every process finishes its step and saves its state before all end.
    """

    def __init__(self, n_processes: int) -> None:
        """Keep the number of processes.

        Raises:
            InputError: it is below 1.
        """
        if n_processes < 1:
            raise InputError(f"processes is {n_processes}, it must be at least 1")
        self._n_processes = n_processes

    def run(self, make: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Yield the results of the jobs in their order.

        Raises:
            InputError: a process was lost, perhaps for lack of memory.
        """
        n_processes = min(self._n_processes, len(jobs))
        threads = max(1, (os.cpu_count() or 1) // n_processes)
        with (
            StopRequests() as requests,
            ProcessPoolExecutor(
                n_processes, multiprocessing.get_context("spawn"), initializer=_hold, initargs=(make, threads)
            ) as pool,
        ):
            waiting = [pool.submit(_call, job) for job in jobs]
            try:
                for future in waiting:
                    yield _result(future, requests)
            except BrokenProcessPool as error:
                if requests.received is None:
                    raise InputError(
                        f"a process was lost ({error}): lower `processes`, or give the machine more memory; "
                        "what is done is kept"
                    ) from error
            finally:
                pool.shutdown(cancel_futures=True)


def _result(future: "Future[Done]", requests: StopRequests) -> Done:
    while True:
        try:
            return future.result(timeout=_SECONDS_BETWEEN_LOOKS)
        except TimeoutError:
            if requests.received is not None:
                for process in multiprocessing.active_children():
                    process.terminate()


_make: Callable[[Any], Any]


def _hold(make: Callable[[Any], Any], threads: int) -> None:
    """Set up a new process: the function that makes its jobs, and its number of threads."""
    import torch

    global _make  # noqa: PLW0603 - the only way from an initialiser to the calls
    torch.set_num_threads(threads)
    logging.basicConfig(level=logging.INFO, format="%(process)d %(message)s")
    _make = make


def _call(job: Any) -> Any:
    return _make(job)
