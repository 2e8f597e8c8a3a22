"""The control without an autoencoder: logistic regression through the gate, ReLU and pooling of ProtSAE.

ProtSAE's defined latents are its predictor's logits above the gate's thresholds, lifted and pooled. Here the
logits are those of a logistic regression on whitened means of proteins, applied residue by residue. The
difference from `<name>_latent` is what the dictionary adds to ranking.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.core.seeding import numpy_generator
from protsae.core.splits import HELD_OUT
from protsae.encoding.batches import ProteinSource, protein_batches
from protsae.probing.config import GatedProbeConfig, ScoringConfig
from protsae.probing.logistic import LogisticProbes, choose_probes, fit_path
from protsae.probing.scores import Features
from protsae.probing.splits import SplitLabels
from protsae.sae.guidance import firing_thresholds
from protsae.sae.pooling import segment_max, segment_mean
from protsae.sae.predictor import whitening_matrix

Floats = NDArray[np.float64]
_CONCEPTS_AT_ONCE = 64


@dataclass(frozen=True)
class Direction:
    """Logits `x weights + bias` of raw activations x [n, d_model]."""

    weights: Floats
    """[d_model, n_concepts]."""
    bias: Floats
    """[n_concepts]."""

    def logits(self, x: NDArray[np.floating[Any]]) -> Floats:
        """Return logits [n, n_concepts]."""
        found: Floats = np.asarray(x, np.float64) @ self.weights + self.bias
        return found


@dataclass(frozen=True)
class SampledResidues:
    """Residues drawn of training proteins."""

    means: Floats
    """Mean activation of each protein's draw [n_proteins, d_model]."""
    x: NDArray[np.float32]
    """Activations of the draws, or of equally many residues of each [n_residues, d_model]."""
    protein: NDArray[np.int64]
    """Position of the protein of each [n_residues]."""


@dataclass(frozen=True)
class GatedProbes:
    """Logits above thresholds, pooled over the residues of proteins."""

    direction: Direction
    thresholds: Floats
    """[n_concepts]."""
    pool: Callable[[Tensor, Tensor, int], Tensor]
    source: ProteinSource
    hook_point: str
    residues_per_batch: int

    def logits(self, protein_ids: Sequence[str]) -> Floats:
        """Return scores [n, n_concepts] of proteins, in their order, in one pass over their activations."""
        scores = np.empty((len(protein_ids), len(self.thresholds)))
        place = {name: number for number, name in enumerate(protein_ids)}
        wanted = dict.fromkeys(protein_ids, "")  # of any split
        for batch in protein_batches(self.source, self.hook_point, wanted, self.residues_per_batch):
            passed = np.maximum(self.direction.logits(batch.x.numpy()) - self.thresholds, 0)
            owner = torch.from_numpy(batch.protein)
            pooled = self.pool(torch.from_numpy(passed), owner, len(batch.lengths))
            scores[[place[name] for name in batch.protein_ids]] = pooled.numpy()
        return scores


def gated_probe_table(
    source: ProteinSource,
    hook_point: str,
    means: Features,
    splits: Mapping[str, SplitLabels],
    scoring: ScoringConfig,
    config: GatedProbeConfig,
) -> pd.DataFrame:
    """Score held-out proteins in passes over stored activations; memory stays bounded.

    The strength of the penalty is chosen on validation by the scores themselves: that of the best probe on
    means is another.

    Args:
        source: stored activations.
        hook_point: which ones.
        means: split to mean activations of its proteins [n, d_model], in the order of `splits`.
        splits: labels by split, of the concepts of whole proteins.
        scoring: pooling, precision of the fits.
        config: draws of training residues, floor of the whitening, strengths of the penalty.

    Returns:
        `protein_id`, `score`: float64 [n_concepts], of validation and test proteins.
    """
    train, validation = splits["train"], splits["validation"]
    if not train.labels.shape[1]:
        return pd.DataFrame(columns=["protein_id", "score"])
    sample = sample_residues(source, hook_point, train.protein_ids, config)
    whitening = whitening_matrix(torch.from_numpy(sample.means), config.whitening_floor).numpy()
    pool = segment_max if scoring.pooling == "max" else segment_mean
    whitened = means["train"] @ whitening
    path = fit_path(whitened, train.labels, train.labelled, config.l2, precise=scoring.precise)

    def gated(probes: LogisticProbes) -> GatedProbes:
        scaled = probes.weights / probes.scale[:, None]
        direction = Direction(whitening @ scaled, probes.intercept - probes.mean @ scaled)
        thresholds = gate_thresholds(direction, sample, train)
        return GatedProbes(direction, thresholds, pool, source, hook_point, config.residues_per_batch)

    labels = validation.labels, validation.labelled
    chosen = choose_probes(map(gated, path), validation.protein_ids, *labels)
    tables = [
        pd.DataFrame({"protein_id": splits[split].protein_ids, "score": list(scores)})
        for split in HELD_OUT
        for scores in [chosen.logits(splits[split].protein_ids)]
    ]
    return pd.concat(tables).sort_values("protein_id", ignore_index=True)


def sample_residues(
    source: ProteinSource, hook_point: str, protein_ids: list[str], config: GatedProbeConfig
) -> SampledResidues:
    """Draw residues of every training protein, as an epoch of training does."""
    generator = numpy_generator(config.seed, "gated_probe")
    kept = min(config.residues_per_protein, max(1, config.max_residues // len(protein_ids)))
    place = {name: i for i, name in enumerate(protein_ids)}
    drawn: list[tuple[int, NDArray[np.float32]]] = []
    means = {}
    for name, _, block in source.iter_residues(hook_point, protein_ids):
        rows = block[generator.permutation(len(block))[: config.residues_per_protein]]
        means[place[name]] = rows.mean(axis=0, dtype=np.float64)
        drawn.append((place[name], rows[:kept].copy()))
    owner = np.repeat([number for number, _ in drawn], [len(rows) for _, rows in drawn])
    by_protein = np.stack([means[number] for number in range(len(protein_ids))])
    return SampledResidues(by_protein, np.concatenate([rows for _, rows in drawn]), owner)


def gate_thresholds(direction: Direction, sample: SampledResidues, train: SplitLabels) -> Floats:
    """Return the logit of each concept that residues of labelled proteins exceed as often as the concept
    occurs: the rule of ProtSAE's gate by prevalence, `sae.guidance.firing_thresholds` [n_concepts]."""
    n_positive = (train.labels & train.labelled).sum(axis=0)
    rates = (n_positive + 1) / (train.labelled.sum(axis=0) + 2)

    def some(columns: slice) -> Floats:
        part = Direction(direction.weights[:, columns], direction.bias[columns])
        return firing_thresholds(
            torch.from_numpy(part.logits(sample.x)),
            torch.from_numpy(rates[columns]),
            torch.from_numpy(train.labelled[:, columns].copy()),
            torch.from_numpy(sample.protein),
        ).numpy()

    return np.concatenate([some(columns) for columns in _blocks(len(rates))])


def _blocks(n: int) -> Iterator[slice]:
    for first in range(0, n, _CONCEPTS_AT_ONCE):
        yield slice(first, first + _CONCEPTS_AT_ONCE)
