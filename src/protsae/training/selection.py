"""Which epoch's weights to keep."""

from dataclasses import dataclass
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

    An epoch leaves when its FVE falls out of reach, or when another is as good in both. Ties go to the
    earlier epoch.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = tolerance
        self._candidates: list[Candidate] = []

    def wants(self, fve: float, score: float) -> bool:
        """Say whether an epoch with these figures could be chosen, now or later."""
        if isnan(fve) or isnan(score):
            return False
        best = max((c.fve for c in self._candidates), default=fve)
        beaten = any(c.fve >= fve and c.score >= score for c in self._candidates)
        return fve >= best - self._tolerance and not beaten

    def offer(self, candidate: Candidate) -> None:
        """Take `candidate` in if it is wanted, and drop those that it puts out of reach."""
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
