"""How much of a prediction a few components carry on their own (Marks et al. 2024, arXiv 2403.19647)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from protsae.attribution.components import Components, Floats
from protsae.attribution.scores import Score
from protsae.core.errors import InputError

_RATE = 0.1
_FIRST = 3.0
_SHARPEST = 4.0
_WEIGHT = 20.0


class NothingToExplainError(InputError):
    """The score is the same with all components and without any."""


@dataclass(frozen=True)
class Curve:
    """What the first components of an order carry, from none of them to all [c + 1]."""

    order: NDArray[np.int64]
    """Indices of components."""
    faithfulness: Floats
    """(score with these alone - empty) / (full - empty)."""
    completeness: Floats
    """The same of all others: near 0 where these are all that matters."""

    def n_kept(self, share: float) -> int:
        """Return the smallest number of components whose faithfulness lies between share and 2 - share."""
        return int(np.argmax(self._is_near(share)))

    def n_settled(self, share: float) -> int:
        """Return the number of components from which on it stays there. `n_kept` may be an accident, where a
        curve that swings passes by; this one is not."""
        far = np.flatnonzero(~self._is_near(share))
        return int(far[-1]) + 1

    def _is_near(self, share: float) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = np.abs(self.faithfulness - 1) <= 1 - share
        return found


def curve(score: Score, components: Components, worth: Floats) -> Curve:
    """Keep components one after another, those first that are worth most, for the score or against it.

    Args:
        score: the prediction.
        components: of the protein.
        worth: of every component, in units of the score [c].

    Raises:
        InputError: the score without any component is that with all: there is nothing to explain.
    """
    empty, full = _ends(score, components)
    order = np.argsort(-np.abs(worth), kind="stable")
    found, rest = components.cumulative_scores(score, order.tolist())
    return Curve(order, (found - empty) / (full - empty), (rest - empty) / (full - empty))


def learned_mask(score: Score, components: Components, share: float, n_steps: int = 300) -> Floats:
    """Learn which few components suffice for a share of the score.

    Gates from 0 to 1 are learnt by gradient, from all open: their mean is made small, and what they lack of
    the share is punished by its square. They grow sharper in training, so that those of no use end near 0.

    Args:
        score: the prediction.
        components: of the protein.
        share: of the score, between 0 and 1.
        n_steps: of Adam.

    Returns:
        Gates [c]; `curve` of them says how many are needed.

    Raises:
        InputError: see `curve`.
    """
    empty, full = _ends(score, components)
    openness = torch.full((len(components),), _FIRST, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([openness], lr=_RATE)
    for step in range(n_steps):
        gates = torch.sigmoid(openness * (1 + (_SHARPEST - 1) * step / n_steps))
        found = (score(components.kept(gates[None]))[0] - empty) / (full - empty)
        loss = gates.mean() + _WEIGHT * torch.relu((found - 1).abs() - (1 - share)).square()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    learnt: Floats = torch.sigmoid(openness.detach() * _SHARPEST).numpy()
    return learnt


def _ends(score: Score, components: Components) -> tuple[float, float]:
    empty, full = components.ends(score)
    if not abs(full - empty) > 1e-12 * max(1.0, abs(full)):
        raise NothingToExplainError(
            f"the score is {full:g} with all latents and without any: no latent carries it. Choose another "
            "hook point or prediction"
        )
    return empty, full
