"""Baselines that show whether the pretraining of the language model matters.

Neighbours by sequence (`neighbours.py`), a linear probe on residue composition, and a linear probe on the
mean activations of the same model with random weights; projections on random directions. Prevalence and
shuffled labels are in `scores.py`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import torch_generator
from protsae.probing.config import ScoringConfig
from protsae.probing.neighbours import neighbour_scores
from protsae.probing.scores import probe_scores
from protsae.probing.splits import SplitLabels, feature_matrix

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.floating[Any]]


def unit_directions(d_model: int, n: int, seed: int) -> "Tensor":
    """Draw random unit vectors [d_model, n]."""
    import torch

    drawn = torch.randn(d_model, n, generator=torch_generator(seed, "alignment", "directions"))
    directions: Tensor = drawn / drawn.norm(dim=0)
    return directions


def project(activations: Mapping[str, Floats], n: int, seed: int) -> dict[str, Floats]:
    """Return projections on random unit vectors by split [n_proteins, n].

    Args:
        activations: split to mean activations of its proteins [n_proteins, d_model].
        n: number of directions.
        seed: of the directions.
    """
    directions = unit_directions(activations["train"].shape[1], n, seed).numpy()
    return {split: values @ directions for split, values in activations.items()}


def composition(sequences: Mapping[str, str]) -> pd.DataFrame:
    """Return `protein_id`, `composition`: shares of the twenty amino acids, and log of the length [21].

    Other letters count in the length alone.
    """
    shares = [
        np.array([*(text.count(letter) / len(text) for letter in AMINO_ACIDS), np.log(len(text))])
        for text in sequences.values()
    ]
    return pd.DataFrame({"protein_id": list(sequences), "composition": shares})


def score_baselines(
    proteins: pd.DataFrame,
    neighbours: pd.DataFrame | None,
    random_activations: pd.DataFrame | None,
    splits: Mapping[str, SplitLabels],
    config: ScoringConfig,
) -> dict[str, dict[str, Floats]]:
    """Return method to split to scores [n, n_concepts]: neighbours, composition, the random model.

    Args:
        proteins: `protein_id`, `sequence`.
        neighbours: see `neighbours.find_neighbours`; None: without `nearest_neighbour`.
        random_activations: mean activations of the model with random weights; None: without
            `random_plm_probe`.
        splits: labels by split.
        config: strengths that are tried.
    """
    sequences = dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))
    ids = [protein_id for labels in splits.values() for protein_id in labels.protein_ids]
    if unknown := [protein_id for protein_id in ids if protein_id not in sequences]:
        raise InputError(f"{len(unknown)} proteins have no sequence, the first is {unknown[0]}")
    found: dict[str, dict[str, Floats]] = {}
    if neighbours is not None:
        found["nearest_neighbour"] = dict(neighbour_scores(neighbours, splits, config.neighbour_priors))
    tables = {
        "composition_probe": (composition({name: sequences[name] for name in ids}), "composition"),
        "random_plm_probe": (random_activations, "activation"),
    }
    for method, (table, column) in tables.items():
        if table is not None:
            features = {s: feature_matrix(table, column, of.protein_ids) for s, of in splits.items()}
            found[method] = probe_scores(features, splits, config)
    return found
