"""Which residues of a protein are kept, and in which stretches it is run through the model."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protsae.activations.config import ExtractionConfig
from protsae.core.seeding import numpy_generator
from protsae.plm.windows import Window, windows_of


def n_kept(length: int, config: ExtractionConfig) -> int:
    """Return how many residues of a protein of `length` are stored."""
    reach = _reach(length, config)
    return reach if config.residues_per_protein is None else min(reach, config.residues_per_protein)


def kept_residues(protein_id: str, length: int, config: ExtractionConfig) -> NDArray[np.int64]:
    """Return the 0-based positions that are stored, ascending.

    A sample depends on `sample_seed`, the protein's id and its length alone. A smaller sample is part of a
    larger one.
    """
    reach = _reach(length, config)
    if config.residues_per_protein is None or config.residues_per_protein >= reach:
        return np.arange(reach)
    generator = numpy_generator(config.sample_seed, "residues per protein", protein_id)
    order = np.argsort(generator.integers(2**63, size=reach), kind="stable")
    return np.sort(order[: config.residues_per_protein])


def _reach(length: int, config: ExtractionConfig) -> int:
    """Return how many residues of a protein of `length` are run, from the first on."""
    return min(length, config.max_residues) if config.long_sequences == "truncate" else length


@dataclass(frozen=True)
class Piece:
    """A stretch of one protein of a shard that is run by itself."""

    protein: int
    """Position of the protein in the shard."""
    window: Window
    """What is run, and what of it is kept at most."""

    @property
    def n_residues(self) -> int:
        """Residues that are run."""
        return self.window.end - self.window.start


def pieces_of(protein: int, length: int, kept: NDArray[np.int64], config: ExtractionConfig) -> list[Piece]:
    """Return the stretches of a protein of `length` residues that hold kept ones."""
    if config.long_sequences == "window":
        windows = windows_of(length, config.max_residues, config.window_overlap)
    else:
        reach = _reach(length, config)
        windows = [Window(0, reach, 0, reach)]
    bounds = [(np.searchsorted(kept, w.first), np.searchsorted(kept, w.last)) for w in windows]
    return [Piece(protein, w) for w, (low, high) in zip(windows, bounds, strict=True) if low < high]
