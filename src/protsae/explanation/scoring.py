"""Three tests of an explanation, after delphi (Paulo et al. 2025, arXiv 2410.13928).

* Detection: does a latent fire in this window?
* Fuzzing: are the marked residues of this window those on which it fires?
* Intruder: which of several windows is the one in which it does not fire?

The first two are balanced accuracies, .5 by chance; the third is an accuracy, one over the number of windows
by chance, and a tie counts as a guess among the tied.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from protsae.explanation.panel import Bools, Floats, Panel
from protsae.explanation.rules import Rule
from protsae.explanation.windows import Windows


class ThreeScores(NamedTuple):
    """What an explanation reaches; NaN where a test cannot be made."""

    detection: float
    fuzzing: float
    intruder: float

    @property
    def overall(self) -> float:
        """The mean of detection and fuzzing, or detection where fuzzing cannot be tested."""
        return self.detection if np.isnan(self.fuzzing) else (self.detection + self.fuzzing) / 2


@dataclass(frozen=True)
class Answers:
    """What is concluded from an explanation, window by window."""

    fires: Bools
    """Of the firing windows, those said to fire [..., n]."""
    fires_in_silent: Bools
    """The same of the silent ones [..., n]."""
    accepts: Bools
    """Of the firing windows with true marks, those whose marks are accepted [..., n]."""
    accepts_false: Bools
    """The same with false marks [..., n]."""
    can_fuzz: Bools
    """Which windows have false marks at all [..., n]."""


def detection_and_fuzzing(answers: Answers) -> tuple[Floats, Floats]:
    """Return both balanced accuracies, over the last axis; fuzzing is NaN where no window has false marks."""
    detection = (answers.fires.mean(axis=-1) + 1 - answers.fires_in_silent.mean(axis=-1)) / 2
    n = answers.can_fuzz.sum(axis=-1)
    right = (answers.accepts & answers.can_fuzz).sum(axis=-1)
    wrong = (answers.accepts_false & answers.can_fuzz).sum(axis=-1)
    fuzzing = np.full(n.shape, np.nan)
    np.divide(n + right - wrong, 2 * n, out=fuzzing, where=n > 0)
    return detection, fuzzing


def answers_of(firing: Bools, silent: Bools, panel: Panel, windows: Windows) -> Answers:
    """Conclude from where a latent is predicted to fire.

    A window is said to fire if any of its residues is predicted to. Marks are accepted if a larger share of
    the marked residues than of the others is predicted.

    Args:
        firing: predictions for `windows.firing` [..., n_draws, n, width].
        silent: predictions for `windows.silent`.
        panel: the proteins.
        windows: the windows.
    """
    real = panel.is_residue[windows.firing]

    def accepted(marks: Bools) -> Bools:
        inside = (firing & marks).sum(axis=-1) / np.maximum(marks.sum(axis=-1), 1)
        others = real & ~marks
        outside = (firing & others).sum(axis=-1) / np.maximum(others.sum(axis=-1), 1)
        found: Bools = inside > outside
        return found

    can_fuzz = np.broadcast_to(windows.false_marks.any(axis=-1), firing.shape[:-1])
    return Answers(
        np.asarray(firing.any(axis=-1)),
        np.asarray(silent.any(axis=-1)),
        accepted(windows.marks),
        accepted(windows.false_marks),
        can_fuzz,
    )


def intruder_credit(fires: Bools, fires_in_silent: Bools) -> Floats:
    """Return the chance of naming the intruder by guessing among the windows least said to fire.

    Args:
        fires: of the windows that belong [..., n_shown - 1].
        fires_in_silent: of the intruder [...].
    """
    n_silent = (~fires).sum(axis=-1)
    misled = np.where(n_silent == 0, 1 / (fires.shape[-1] + 1), 0.0)
    credit: Floats = np.where(fires_in_silent, misled, 1 / (1 + n_silent))
    return credit


def score_rule(rule: Rule, panel: Panel, windows: Windows) -> ThreeScores:
    """Return what a rule reaches, means over the draws."""
    firing, silent = rule.holds(panel, windows.firing), rule.holds(panel, windows.silent)
    return score_answers(answers_of(firing, silent, panel, windows), windows)


def score_answers(answers: Answers, windows: Windows) -> ThreeScores:
    """Return the three scores of answers [n_draws, n], means over the draws."""
    detection, fuzzing = detection_and_fuzzing(answers)
    draw = np.arange(len(windows.companions))[:, None, None]
    shown = answers.fires[draw, windows.companions]
    known = fuzzing[~np.isnan(fuzzing)]
    return ThreeScores(
        float(detection.mean()),
        float(known.mean()) if len(known) else float("nan"),
        float(intruder_credit(shown, answers.fires_in_silent).mean()),
    )
