"""Kills `kedro run` at random moments, and has the same command run again: all bytes have to come out."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from random import Random
from typing import NamedTuple

from tests.conftest import Miniature
from tests.fuzz.flips import contents, results

RUNS: dict[str, tuple[str, ...]] = {
    "demo": (),
    # more steps than environment `test` has, so that many kills fall into the training
    "pretraining": ("--pipelines", "pretraining", "--params", "pretraining.trainer.steps=30"),
    "sweep": ("--pipelines", "sweeps"),
}


class Kill(NamedTuple):
    """What a kill has hit."""

    last: str
    """The last node that had begun."""
    repeated: int
    """How many nodes that had begun before the kill ran after it."""
    unfinished: int
    """Temporary files that the run after it has left; `kedro clean-cache` removes them."""


class Killer:
    """Kills one command on a miniature of the project, and compares with a run that nobody disturbed."""

    def __init__(self, project: Miniature, *arguments: str) -> None:
        self._project, self._arguments = project, ("run", *arguments)
        self._clear()
        started = time.monotonic()
        project.kedro(*self._arguments)
        self._seconds = time.monotonic() - started
        self._expected = results(project.data)
        self._kept = contents(project.data, hidden=True).keys()

    def try_one(self, random: Random) -> Kill:
        """Kill the command in an empty data folder, run it to its end, and compare all files.

        Raises:
            AssertionError: bytes differ, or more was repeated than the node that the kill interrupted.
        """
        output = None
        while output is None:  # the machine may have been faster this time
            output = self._killed(random.random() * self._seconds)
        begun = _nodes_run(output)
        after = self._project.kedro(*self._arguments, check=False)
        last = begun[-1] if begun else "before the first node"
        assert after.returncode == 0, f"killed in {last}: {after.stdout[-300:]}{after.stderr[-300:]}"
        found = results(self._project.data)
        names = found.keys() | self._expected.keys()
        lost = sorted(str(name) for name in names if found.get(name) != self._expected.get(name))
        assert not lost, f"killed in {last}: {lost}"
        repeated = set(begun) & set(_nodes_run(after.stdout))
        assert repeated <= {last}, f"killed in {last}: ran again: {sorted(repeated)}"
        unfinished = contents(self._project.data, hidden=True).keys() - self._kept
        return Kill(last, len(repeated), len(unfinished))

    def _killed(self, after: float) -> str | None:
        """Return what the command printed until the kill; None if it ended first."""
        self._clear()
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            process = self._project.start(
                *self._arguments, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
            try:
                process.wait(after)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                output.seek(0)
                return output.read()
        assert process.returncode == 0
        self._seconds = min(self._seconds, time.monotonic() - started)
        return None

    def _clear(self) -> None:
        for folder in self._project.data.iterdir():
            if folder != self._project.raw:
                shutil.rmtree(folder)


def _nodes_run(output: str) -> list[str]:
    return re.findall(r"^run +(\S+)", output, re.MULTILINE)
