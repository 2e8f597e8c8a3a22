"""Windows of residues in which a latent fires, and others in which it does not: what explanations are scored
on."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protsae.core.seeding import numpy_generator
from protsae.explanation.config import ExplanationConfig
from protsae.explanation.panel import Bools, Ints, Panel

_TRIES = 6


@dataclass(frozen=True)
class Windows:
    """Windows of one latent in some proteins; `n_draws` draws of them."""

    firing: Ints
    """Rows of windows around the latent's peak in a protein [n_draws, n, width]."""
    silent: Ints
    """Rows of windows drawn at random in which it fires nowhere, the same shape."""
    marks: Bools
    """On which rows of `firing` it fires."""
    false_marks: Bools
    """As many other residues of the same window, drawn at random; fewer if there are not so many."""
    companions: Ints
    """Which firing windows each silent one is shown with [n_draws, n, n_shown - 1]: the intruder test."""


def peaks(panel: Panel, latent: int) -> Ints:
    """Return the row of the largest activation in each protein in which a latent fires."""
    rows, acts = panel.firing(latent)
    protein = panel.protein[rows]
    order = np.lexsort((rows, -acts, protein))
    _, first = np.unique(protein[order], return_index=True)
    found: Ints = rows[order[first]]
    return found


def draw_windows(panel: Panel, latent: int, config: ExplanationConfig, purpose: str) -> Windows | None:
    """Draw windows, at most one firing window of a protein in a draw; None where there are too few.

    Args:
        panel: the proteins.
        latent: whose windows.
        config: how many.
        purpose: names the draw, next to seed and latent.
    """
    centres = peaks(panel, latent)
    n = min(len(centres), config.n_windows)
    if n < config.min_windows:
        return None
    generator = numpy_generator(config.seed, "windows", purpose, latent)
    silent = _silent_centres(panel, latent, config.n_draws * n, config.flank, generator)
    n = min(n, len(silent) // config.n_draws)
    if n < config.min_windows:
        return None
    chosen = np.stack([generator.permutation(len(centres))[:n] for _ in range(config.n_draws)])
    offsets = np.arange(-config.flank, config.flank + 1)
    firing = centres[chosen][..., None] + offsets
    marks = panel.fires_on(latent, firing)
    companions = generator.random((config.n_draws, n, n)).argsort(axis=-1)[..., : config.n_shown - 1]
    return Windows(
        firing,
        silent[: config.n_draws * n].reshape(config.n_draws, n, 1) + offsets,
        marks,
        _elsewhere(panel.is_residue[firing] & ~marks, marks.sum(axis=-1), generator),
        companions,
    )


def _silent_centres(panel: Panel, latent: int, n: int, flank: int, generator: np.random.Generator) -> Ints:
    """Draw up to `n` residues further than `flank` from all on which a latent fires, without replacement."""
    residues = np.flatnonzero(panel.is_residue)
    drawn = residues[generator.choice(len(residues), min(len(residues), _TRIES * n), replace=False)]
    rows, _ = panel.firing(latent)
    clear = np.searchsorted(rows, drawn - flank) == np.searchsorted(rows, drawn + flank, side="right")
    found: Ints = drawn[clear][:n]
    return found


def _elsewhere(allowed: Bools, n: NDArray[np.integer], generator: np.random.Generator) -> Bools:
    """Mark `n` [...] of the allowed residues of each window [..., width] at random, or all if there are
    fewer."""
    keys = np.where(allowed, generator.random(allowed.shape), 2.0)
    rank = keys.argsort(axis=-1).argsort(axis=-1)
    found: Bools = (rank < n[..., None]) & allowed
    return found
