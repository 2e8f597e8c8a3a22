"""Which regions of a sequence a prediction relies on: EAGLE (arXiv 2509.22496) with masked residues."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protsae.core.errors import InputError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
SeenScore = Callable[[Bools], Floats]
"""Probability of the prediction, from 0 to 1 [n], where only some residues are seen, bool [n, length]."""


@dataclass(frozen=True)
class Greedy:
    """Regions in the order in which they were chosen, and what they had then."""

    order: list[int]
    insight: list[float]
    """The probability with the regions so far alone."""
    necessity: list[float]
    """1 - the probability without them."""


@dataclass(frozen=True)
class Curves:
    """Probabilities as regions are added to, or removed from, a protein in some order [n_regions + 1]."""

    insertion: Floats
    """From nothing seen."""
    deletion: Floats
    """From all seen."""

    @property
    def insertion_auc(self) -> float:
        """The mean of the curve: high is good."""
        return _area(self.insertion)

    @property
    def deletion_auc(self) -> float:
        """The mean of the curve: low is good."""
        return _area(self.deletion)


def windows(length: int, width: int, without: Bools | None = None) -> Bools:
    """Return consecutive regions of a protein, bool [n_regions, length].

    Args:
        length: of the protein.
        width: residues of a region; the last may have fewer.
        without: residues that are in no region, such as masked ones, bool [length].

    Raises:
        InputError: nothing is left.
    """
    number = np.arange(length) // width
    found: Bools = number == np.arange(number[-1] + 1)[:, None]
    if without is not None:
        found &= ~without
    found = found[found.any(axis=1)]
    if not len(found):
        raise InputError("every residue is left out of the regions: mask fewer")
    return found


def greedy(score: SeenScore, regions: Bools, weights: tuple[float, float] = (1.0, 1.0)) -> Greedy:
    """Order regions by EAGLE's search: always add the region with which insight + necessity is largest.

    Args:
        score: see `SeenScore`.
        regions: bool [n_regions, length]; residues in none of them are never seen.
        weights: of insight and necessity.
    """
    order, insight, necessity = list[int](), list[float](), list[float]()
    left = list(range(len(regions)))
    chosen = np.zeros(regions.shape[1], dtype=bool)
    whole = regions.any(axis=0)
    while left:
        tried = chosen | regions[left]
        found = score(np.concatenate([tried, whole & ~tried]))
        alone, without = found[: len(left)], found[len(left) :]
        best = int(np.argmax(weights[0] * alone + weights[1] * (1 - without)))
        insight.append(float(alone[best]))
        necessity.append(float(1 - without[best]))
        chosen = tried[best]
        order.append(left.pop(best))
    return Greedy(order, insight, necessity)


def occlusion(score: SeenScore, regions: Bools) -> Floats:
    """Return by how much the probability falls without each region [n_regions]."""
    whole: Bools = np.any(regions, axis=0, keepdims=True)
    found = score(np.concatenate([whole, whole & ~regions]))
    fall: Floats = found[0] - found[1:]
    return fall


def curves(score: SeenScore, regions: Bools, order: Sequence[int]) -> Curves:
    """Return insertion and deletion by an order of all regions.

    Raises:
        InputError: a region is missing from the order, or named twice.
    """
    if sorted(order) != list(range(len(regions))):
        raise InputError(f"an order of {len(regions)} regions names each once; this is {list(order)}")
    seen = np.zeros((len(order) + 1, regions.shape[1]), dtype=bool)
    for n, region in enumerate(order, 1):
        seen[n:] |= regions[region]
    found = score(np.concatenate([seen, seen[-1] & ~seen]))
    return Curves(found[: len(seen)], found[len(seen) :])


def _area(values: Floats) -> float:
    return float(np.mean((values[1:] + values[:-1]) / 2))
