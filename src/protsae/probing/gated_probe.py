"""The control without an autoencoder: logistic regression through the gate, ReLU and pooling of ProtSAE.

ProtSAE's defined latents are its predictor's logits above the gate's thresholds, lifted and pooled. Here the
logits are those of a logistic regression on whitened means of proteins, applied residue by residue. The
difference from `<name>_latent` is what the dictionary adds to ranking.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from protsae.core.pooling import Pooling
from protsae.core.seeding import numpy_generator
from protsae.encoding.batches import ProteinBatch, ProteinSource, protein_batches
from protsae.metrics.bootstrap import macro_mean
from protsae.metrics.ranking import roc_auc
from protsae.probing.config import GatedProbeConfig, ScoringConfig
from protsae.probing.logistic import fit_path
from protsae.probing.splits import SplitLabels
from protsae.sae.guidance import firing_thresholds
from protsae.sae.pooling import SEGMENT_POOLINGS
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
class Gates:
    """Logits, and what they have to exceed."""

    direction: Direction
    thresholds: Floats
    """[n_concepts]."""

    def passed(self, x: NDArray[np.floating[Any]]) -> Floats:
        """Return what the logits of raw activations exceed the thresholds by [n, n_concepts]."""
        found: Floats = np.maximum(self.direction.logits(x) - self.thresholds, 0)
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


def gated_probe_table(
    source: ProteinSource,
    hook_point: str,
    train_means: NDArray[np.floating[Any]],
    splits: Mapping[str, SplitLabels],
    scoring: ScoringConfig,
    config: GatedProbeConfig,
) -> pd.DataFrame:
    """Score held-out proteins: one pass over stored activations for each split; memory stays bounded.

    The strength of the penalty is chosen on validation by the scores themselves, each concept's pooled as is
    best there: the strength of the best probe on means is another.

    Args:
        source: stored activations.
        hook_point: which ones.
        train_means: mean activations of the training proteins [n, d_model], in the order of `splits`.
        splits: labels by split, of the concepts of whole proteins.
        scoring: poolings, precision of the fits.
        config: draws of training residues, floor of the whitening, strengths of the penalty.

    Returns:
        `protein_id`, and `<pooling>_score`, float64 [n_concepts], for each pooling: of validation and test
        proteins and, where poolings are to be chosen, of training proteins.
    """
    train, validation = splits["train"], splits["validation"]
    if not train.labels.shape[1]:
        return pd.DataFrame(columns=["protein_id", *(f"{name}_score" for name in scoring.poolings)])
    sample = sample_residues(source, hook_point, train.protein_ids, config)
    whitening = whitening_matrix(torch.from_numpy(sample.means), config.whitening_floor).numpy()
    whitened = train_means @ whitening
    gates = []
    for probes in fit_path(whitened, train.labels, train.labelled, config.l2, precise=scoring.precise):
        scaled = probes.weights / probes.scale[:, None]
        direction = Direction(whitening @ scaled, probes.intercept - probes.mean @ scaled)
        gates.append(Gates(direction, gate_thresholds(direction, sample, train)))

    def scores(some: list[Gates], split: str) -> list[dict[Pooling, Floats]]:
        ids = splits[split].protein_ids
        wanted = dict.fromkeys(ids, split)
        batches = protein_batches(source, hook_point, wanted, config.residues_per_batch)
        return pooled_gates(some, batches, ids, scoring.poolings)

    def macro_auc(of_poolings: dict[Pooling, Floats]) -> float:
        aucs = [roc_auc(values, validation.labels, validation.labelled) for values in of_poolings.values()]
        return float(macro_mean(np.max(aucs, axis=0))[0])

    of_strengths = scores(gates, "validation")
    best = int(np.argmax([macro_auc(found) for found in of_strengths]))  # the strongest penalty on ties
    others = ("train", "test") if len(scoring.poolings) > 1 else ("test",)
    found = {"validation": of_strengths[best]} | {split: scores([gates[best]], split)[0] for split in others}
    tables = [
        pd.DataFrame({f"{name}_score": list(values) for name, values in of_poolings.items()}).assign(
            protein_id=splits[split].protein_ids
        )
        for split, of_poolings in found.items()
    ]
    return pd.concat(tables).sort_values("protein_id", ignore_index=True)


def pooled_gates(
    some: Sequence[Gates],
    batches: Iterable[ProteinBatch],
    protein_ids: Sequence[str],
    poolings: Sequence[Pooling],
) -> list[dict[Pooling, Floats]]:
    """Return what each of some gates makes of the proteins, in one pass over their residues: pooling to
    scores [n_proteins, n_concepts]."""
    place = {name: number for number, name in enumerate(protein_ids)}
    found: list[dict[Pooling, Floats]] = [
        {name: np.empty((len(place), len(gates.thresholds))) for name in poolings} for gates in some
    ]
    for batch in batches:
        x, owner = batch.x.numpy(), torch.from_numpy(batch.protein)
        rows = [place[name] for name in batch.protein_ids]
        for gates, scores in zip(some, found, strict=True):
            passed = torch.from_numpy(gates.passed(x))
            for name, of in scores.items():
                of[rows] = SEGMENT_POOLINGS[name](passed, owner, len(batch.lengths)).numpy()
    return found


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
