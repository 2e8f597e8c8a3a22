"""A dictionary as all measures of its latents see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.pooling import Pooling
from protsae.encoding.run import Run
from protsae.probing.splits import feature_matrix


@dataclass(frozen=True)
class EncodedDictionary:
    """Latents by kind and own concept, with their values pooled over the residues of each protein."""

    run: Run
    kind: NDArray[Any]
    """defined, free, or neuron for a dimension of the activations [n_latents]."""
    concept_idx: NDArray[np.int64]
    """The concept of a defined latent; -1 for others [n_latents]."""
    protein_ids: Mapping[str, Sequence[str]]
    """Split to its proteins."""
    pooled: Mapping[str, NDArray[np.floating[Any]]]
    """Split to the values of its proteins [n_proteins, n_latents]."""

    @classmethod
    def of(
        cls,
        run: Run,
        statistics: pd.DataFrame,
        encoding: pd.DataFrame,
        protein_ids: Mapping[str, Sequence[str]],
        pooling: Pooling,
    ) -> "EncodedDictionary":
        """Read a trained dictionary's tables.

        Args:
            run: which it is.
            statistics: `latent`, `kind`, `concept_idx`, sorted by latent.
            encoding: `protein_id`, `<pooling>_latents`.
            protein_ids: split to the proteins that are asked about.
            pooling: from residues to proteins.
        """
        index = statistics["concept_idx"].to_numpy(np.int64)
        pooled = pooled_latents(encoding, protein_ids, pooling)
        return cls(run, statistics["kind"].to_numpy(object), index, protein_ids, pooled)

    @classmethod
    def neurons(
        cls, hook_point: str, activations: pd.DataFrame, protein_ids: Mapping[str, Sequence[str]]
    ) -> "EncodedDictionary":
        """Take the dimensions of the activations themselves: the floor that dictionaries are to beat.

        Args:
            hook_point: where the activations were taken.
            activations: `protein_id`, `activation`: means over residues.
            protein_ids: split to the proteins that are asked about.
        """
        run = Run(method="neurons", seed=None, hook_point=hook_point, k=None)
        pooled = {s: feature_matrix(activations, "activation", names) for s, names in protein_ids.items()}
        d_model = next(iter(pooled.values())).shape[1]
        return cls(run, np.full(d_model, "neuron", object), np.full(d_model, -1), protein_ids, pooled)

    def kinds(self) -> list[str]:
        """Return which of `defined` and `free` it has."""
        return [kind for kind in ("defined", "free") if (self.kind == kind).any()]

    def latents_of(self, kind: str) -> NDArray[np.int64]:
        """Return the latents of a kind."""
        return np.flatnonzero(self.kind == kind)

    def own_latents(self, concept_idx: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """Return the defined latent of each of some concepts; -1 in a dictionary without defined ones."""
        latent_of = {int(c): latent for latent, c in enumerate(self.concept_idx) if c >= 0}
        return np.array([latent_of.get(int(c), -1) for c in concept_idx], dtype=np.int64)

    def of_concepts(self, values: NDArray[Any], missing: Any = "") -> NDArray[Any]:
        """Return the value [n_concepts] of each latent's own concept [n_latents]; `missing` without one."""
        found = np.full(len(self.concept_idx), missing, dtype=object)
        own = self.concept_idx >= 0
        found[own] = values[self.concept_idx[own]]
        return found

    def pooled_of(self, split: str, protein_ids: Sequence[str]) -> NDArray[np.floating[Any]]:
        """Return the values of some proteins of a split, in their order."""
        rows = pd.Index(self.protein_ids[split]).get_indexer(pd.Index(protein_ids))
        return self.pooled[split][rows]


def pooled_latents(
    encoding: pd.DataFrame, protein_ids: Mapping[str, Sequence[str]], pooling: Pooling
) -> dict[str, NDArray[np.floating[Any]]]:
    """Return split to latents of its proteins, pooled over residues [n_proteins, n_latents]."""
    return {s: feature_matrix(encoding, f"{pooling}_latents", names) for s, names in protein_ids.items()}
