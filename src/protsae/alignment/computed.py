"""Activations computed when they are asked for: of a trained language model, or of one that knows nothing."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from protsae.plm.checkpoint import PlmModel, load_plm
from protsae.plm.forward import Esm2Forward
from protsae.pretraining.config import ShapeConfig
from protsae.pretraining.model import build_module

_RESIDUES_PER_BATCH = 16_384


def random_model(checkpoint: Path, seed: int) -> PlmModel:
    """Return a model of a checkpoint's shape with random weights: normal, as pretraining begins."""
    trained = load_plm(checkpoint)
    shape = ShapeConfig(n_layers=trained.n_layers, d_model=trained.d_model, n_heads=trained.n_heads)
    module = build_module(shape, seed).eval().requires_grad_(False)
    return PlmModel("random", "", trained.n_layers, trained.d_model, trained.n_heads, module)


class ComputedActivations:
    """A source of proteins for whoever reads an `ActivationStore` protein by protein.

    Args:
        model: the language model.
        sequences: protein id to sequence; proteins are run whole.
    """

    def __init__(self, model: PlmModel, sequences: Mapping[str, str]) -> None:
        self._model, self._sequences = model, sequences

    def iter_proteins(
        self, hook_point: str, protein_ids: list[str] | None = None
    ) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Yield protein ids with their activations [length, d_model]."""
        forward = Esm2Forward(self._model, [hook_point])
        for names in _batches(list(self._sequences if protein_ids is None else protein_ids), self._sequences):
            found = forward.run([self._sequences[name] for name in names])[hook_point].numpy()
            ends = np.cumsum([len(self._sequences[name]) for name in names])[:-1]
            yield from zip(names, np.split(found, ends), strict=True)


def _batches(names: list[str], sequences: Mapping[str, str]) -> Iterator[list[str]]:
    waiting: list[str] = []
    n_residues = 0
    for name in names:
        waiting.append(name)
        n_residues += len(sequences[name])
        if n_residues >= _RESIDUES_PER_BATCH:
            yield waiting
            waiting, n_residues = [], 0
    if waiting:
        yield waiting
