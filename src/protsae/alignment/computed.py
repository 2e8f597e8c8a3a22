"""Activations computed when they are asked for."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward

_RESIDUES_PER_BATCH = 16_384


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
