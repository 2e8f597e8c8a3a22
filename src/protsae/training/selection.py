"""Which epoch's weights to keep, and when to stop early."""

from dataclasses import asdict, dataclass
from math import isnan
from typing import Any


@dataclass(frozen=True)
class Candidate:
    """One epoch that may still be chosen."""

    epoch: int
    fve: float
    score: float
    """What is maximised among candidates of nearly equal FVE."""
    state: dict[str, Any]


class CheckpointChoice:
    """Keeps only the epochs that can still win: best score among those within `tolerance` of the best FVE.

    An epoch is dropped when its FVE is out of tolerance, or when another is at least as good in both. Ties
    go to the earlier epoch.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._candidates: list[Candidate] = []

    def wants(self, fve: float, score: float) -> bool:
        """Return whether an epoch with these figures could be chosen, now or later."""
        if isnan(fve) or isnan(score):
            return False
        best = max((c.fve for c in self._candidates), default=fve)
        beaten = any(c.fve >= fve and c.score >= score for c in self._candidates)
        return fve >= best - self._tolerance and not beaten

    def offer(self, candidate: Candidate) -> None:
        """Take `candidate` in if it is wanted, and drop those that can no longer be chosen."""
        if not self.wants(candidate.fve, candidate.score):
            return
        self._candidates = [
            c
            for c in self._candidates
            if c.fve >= candidate.fve - self._tolerance
            and not (candidate.fve >= c.fve and candidate.score >= c.score)
        ]
        self._candidates.append(candidate)

    def best(self) -> Candidate | None:
        """Return the choice among what was offered; None if nothing was eligible."""
        return max(self._candidates, key=lambda c: (c.score, -c.epoch), default=None)

    def state(self) -> list[dict[str, Any]]:
        """Return what `load_state` takes."""
        return [dict(vars(candidate)) for candidate in self._candidates]

    def load_state(self, state: list[dict[str, Any]]) -> None:
        """Resume from a saved state."""
        self._candidates = [Candidate(**values) for values in state]


@dataclass
class Patience:
    """Counts epochs that bring no better score."""

    limit: int | None
    """Epochs in a row that may bring no better score; None: any number."""
    best: float | None = None
    """Best score so far."""
    waited: int = 0
    """Epochs since then."""

    def look(self, score: float) -> None:
        """Record the score of an epoch; NaN is never better."""
        if not isnan(score) and (self.best is None or score > self.best):
            self.best, self.waited = score, 0
        else:
            self.waited += 1

    @property
    def is_over(self) -> bool:
        """Whether to end."""
        return self.limit is not None and self.waited >= self.limit

    def state(self) -> dict[str, Any]:
        """Return what `load_state` takes."""
        return asdict(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Resume from a saved state."""
        self.best, self.waited = state["best"], state["waited"]
