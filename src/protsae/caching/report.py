"""What a user sees of the cache: one line per node, and a summary at the end."""

from pathlib import Path

from rich.console import Console
from rich.text import Text

from protsae.caching.decisions import Decision, Verdict
from protsae.caching.foresight import Cost

PAGES = frozenset({"explorer", "report"})
"""Datasets that are pages for a browser."""
INDEX = "index.html"
"""The page of a folder that is opened."""
_STYLES = {Verdict.RUN: "yellow", Verdict.SKIP: "green", Verdict.WAIT: "cyan", Verdict.MAYBE: "magenta"}


class Report:
    """Prints to standard output: coloured on a terminal, plain and unwrapped elsewhere.

    Args:
        labels: the names of all nodes, to align the columns.
    """

    def __init__(self, labels: list[str]) -> None:
        self._width = max(map(len, labels), default=0)
        self._console = Console(highlight=False, markup=False, soft_wrap=True)

    def line(self, label: str, decision: Decision, cost: str = "") -> None:
        """Print what happens to one node and why."""
        verdict = Text(f"{decision.verdict.value:<5}", style=_STYLES[decision.verdict])
        self._console.print(Text.assemble(verdict, f" {label:<{self._width}}  {decision.reason}{cost}"))

    def page(self, name: str, path: Path) -> None:
        """Print where a page is, and a command that opens it; nothing where it is not."""
        page = path / INDEX if path.is_dir() else path
        if page.is_file():
            self.text(f"{name}: {path}; to open it: python -m webbrowser {page.absolute().as_uri()}")

    def text(self, text: str) -> None:
        """Print one line of text."""
        self._console.print(text)


def cost(expected: Cost | None) -> str:
    """Return what a node or several are expected to take."""
    if expected is None:
        return "time, disk and memory unknown"
    memory = f", {disk(1e6 * expected.peak_mb)} of memory" if expected.peak_mb else ""
    return f"{duration(expected.seconds)}, {disk(expected.n_bytes)}{memory}"


def duration(seconds: float) -> str:
    """Return seconds for people."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def disk(n_bytes: float) -> str:
    """Return bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"
