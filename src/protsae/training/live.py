"""Metrics of a running training: one JSON object per line, appended after each stretch of steps."""

import json
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import write_text_atomic


class RunningMeans:
    """Means of named values since they were last taken."""

    def __init__(self) -> None:
        """Nothing was added yet."""
        self._sums: dict[str, float] = defaultdict(float)
        self._n = 0

    def __len__(self) -> int:
        """Return how often values were added since the means were taken."""
        return self._n

    def add(self, values: dict[str, float]) -> None:
        """Add the values of one step."""
        for term, value in values.items():
            self._sums[term] += value
        self._n += 1

    def take(self) -> dict[str, float]:
        """Return the means and start again."""
        means = {term: total / self._n for term, total in self._sums.items()}
        self._sums, self._n = defaultdict(float), 0
        return means

    def state(self) -> dict[str, Any]:
        """Return what `load_state` takes."""
        return {"sums": dict(self._sums), "n": self._n}

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a saved state."""
        self._sums, self._n = defaultdict(float, state["sums"]), state["n"]


class LiveLog:
    """A file of one line per logged stretch of steps and per validation pass.

    Each line holds `step`, `epoch`, `split` (`train`: means since the line before; `validation`) and the
    terms of the training log; null stands for a value that does not exist.
    """

    def __init__(self, path: Path | None) -> None:
        """Name the file, which `go_on` begins; None: nothing is written."""
        self.path = path
        self.n_lines = 0

    def go_on(self, n_lines: int) -> None:
        """Keep the first lines, which a saved state counts; drop what a killed run wrote after them."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.is_file() else ""
        lines = text.splitlines()[:n_lines]
        write_text_atomic(self.path, "".join(f"{line}\n" for line in lines))
        self.n_lines = len(lines)

    def write(self, step: int, epoch: int, split: str, values: dict[str, float]) -> None:
        """Append a line."""
        if self.path is None:
            return
        known = {term: value if math.isfinite(value) else None for term, value in values.items()}
        line = json.dumps({"step": step, "epoch": epoch, "split": split, **known}, allow_nan=False)
        with self.path.open("a", encoding="utf-8") as handle:
            handle.write(line + "\n")
        self.n_lines += 1


def read_live(path: Path) -> pd.DataFrame:
    """Return live metrics, also of a training that runs, in the columns of the training log.

    Returns:
        `step`, `epoch`, `split`, `term`, `value`; a line that is being written is left out.

    Raises:
        InputError: the file is missing or damaged.
    """
    rows = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                values = json.loads(line)
                about = [values.pop(name) for name in ("step", "epoch", "split")]
                rows += [[*about, term, value] for term, value in values.items()]
        table = pd.DataFrame(rows, columns=["step", "epoch", "split", "term", "value"])
        return table.astype({"value": "float64"})
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: no training has written it") from None
    except MALFORMED as error:
        raise InputError(f"{path} is damaged ({error}): train again to have live metrics") from error
