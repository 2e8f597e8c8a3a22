"""Absorption between nested concepts of residues: on the residues of test proteins that carry the narrower.

As for whole proteins (`absorption`), but a latent fires on a residue where it exceeds a share of its largest
activation on validation; the share, and for free latents which one stands for a concept, has the best F1 over
the residues of validation proteins.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from protsae.annotations.labels import LabelTables, ResidueLabels, label_matrix
from protsae.disentanglement.config import AbsorptionConfig
from protsae.disentanglement.nesting import Events, Nest, Representatives, nearest_pairs, nothing, report
from protsae.metrics.association import THRESHOLDS, AssociationAccumulator, ResidueCodes, ResidueTruth
from protsae.ontology.obo import Ontology
from protsae.probing.batches import ProteinBatch, ProteinSource, protein_batches
from protsae.probing.encoding import Run
from protsae.sae.base import SparseAutoencoder

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PER_BATCH = 8192


@dataclass(frozen=True)
class ResidueWorld:
    """The nested concepts of residues and who carries them."""

    nest: Nest
    own_latent: Ints
    """The defined latent of each concept; -1 in a dictionary without defined ones [n_concepts]."""
    concept_idx: Ints
    """Rows of the `concepts` table [n_concepts]."""
    tables: LabelTables
    spans: pd.DataFrame
    """`residue_labels` of these concepts, numbered as here."""

    @classmethod
    def of(
        cls, run: Run, statistics: pd.DataFrame, tables: LabelTables, ontology: Ontology
    ) -> "ResidueWorld":
        """Find the concepts of residues that are nested.

        Args:
            run: the dictionary.
            statistics: `latent`, `concept_idx`, sorted by latent.
            tables: concepts, and what carries them.
            ontology: the tables `concept_terms` and `concept_relations`.
        """
        ordered = tables.concepts.sort_values("concept_idx", ignore_index=True)
        of_residues = ordered[ordered["level"] == "residue"].reset_index(drop=True)
        pairs = nearest_pairs(of_residues, ontology.terms, ontology.relations)
        used, numbers = np.unique(pairs, return_inverse=True)
        concepts = of_residues.iloc[used].reset_index(drop=True)
        index = concepts["concept_idx"].to_numpy(np.int64)
        latent_of = {int(c): latent for latent, c in enumerate(statistics["concept_idx"]) if c >= 0}
        own = np.array([latent_of.get(int(c), -1) for c in index], dtype=np.int64)
        number = pd.Index(index).get_indexer(pd.Index(tables.residue_labels["concept_idx"]))
        spans = tables.residue_labels.assign(concept_idx=number)[number >= 0]
        return cls(Nest(run, "residue", concepts, numbers.reshape(pairs.shape)), own, index, tables, spans)

    def known(self, protein_ids: list[str]) -> NDArray[np.bool_]:
        """Return for which concepts proteins are labelled [n_proteins, n_concepts]."""
        tables = self.tables
        found = label_matrix(tables.protein_labels, tables.labelled_aspects, tables.concepts, protein_ids)
        return np.asarray(found[1][:, self.concept_idx])


@torch.inference_mode()
def residue_absorption(
    source: ProteinSource,
    sae: SparseAutoencoder,
    world: ResidueWorld,
    proteins: pd.DataFrame,
    config: AbsorptionConfig,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Measure absorption of every pair of nested concepts of residues; nothing is read where there is none.

    Args:
        source: stored activations.
        sae: the dictionary.
        world: the concepts.
        proteins: `protein_id`, `split`, `cluster_id` of those that have activations.
        config: settings.

    Returns:
        The table in the columns `nesting.COLUMNS`, and rows of the metrics table.
    """
    if not len(world.nest.pairs):
        return nothing()
    hook_point = world.nest.run.hook_point
    ids = {split: proteins.loc[proteins["split"] == split, "protein_id"] for split in ("validation", "test")}
    validation = _Codes(source, sae, hook_point, list(ids["validation"]))
    largest = np.zeros(sae.config.d_sae)
    for _, acts in validation:
        np.maximum(largest, acts.max(axis=0), out=largest)
    chosen = _choose(validation, largest, sae, world)
    counted = _count(_Codes(source, sae, hook_point, list(ids["test"])), chosen, world)
    clusters = dict(zip(proteins["protein_id"], proteins["cluster_id"].astype(str), strict=True))
    return report(world.nest, counted, [clusters[protein_id] for protein_id in ids["test"]], config)


@dataclass(frozen=True)
class _Codes:
    """The codes of some proteins, encoded anew whenever they are gone through."""

    source: ProteinSource
    sae: SparseAutoencoder
    hook_point: str
    protein_ids: list[str]

    def __iter__(self) -> Iterator[tuple[ProteinBatch, NDArray[np.float32]]]:
        split_of = dict.fromkeys(self.protein_ids, "one")
        for batch in protein_batches(self.source, self.hook_point, split_of, _PER_BATCH):
            yield batch, self.sae.encode(batch.x).numpy()


def _choose(
    validation: _Codes, largest: Floats, sae: SparseAutoencoder, world: ResidueWorld
) -> dict[str, Representatives]:
    """Return the latents that stand for the concepts by kind; F1 on test is filled in when it is counted."""
    together = pd.factorize(world.nest.concepts["aspect"])[0]
    accumulator = AssociationAccumulator(largest, together, THRESHOLDS)
    for batch, acts in validation:
        lengths = dict(zip(batch.protein_ids, batch.lengths, strict=True))
        truth = ResidueTruth.of(world.spans, batch.protein_ids, lengths, world.known(batch.protein_ids))
        accumulator.update(ResidueCodes.of_dense(acts), truth)
    counts, n_concepts = accumulator.counts(), len(together)
    f1 = np.stack([counts.scores(concept).f1 for concept in range(n_concepts)])  # concept, latent, threshold
    best, floor = f1.max(axis=2), counts.always_on()
    candidates = {}
    if sae.n_defined:
        candidates["defined"] = world.own_latent
    if sae.n_defined < sae.config.d_sae:
        candidates["free"] = sae.n_defined + best[:, sae.n_defined :].argmax(axis=1)
    rows = np.arange(n_concepts)
    return {
        kind: Representatives(
            latent,
            np.array(THRESHOLDS)[f1[rows, latent].argmax(axis=1)] * largest[latent],
            np.full(n_concepts, np.nan),
            best[rows, latent] > floor,
        )
        for kind, latent in candidates.items()
    }


def _count(
    test: _Codes, chosen: Mapping[str, Representatives], world: ResidueWorld
) -> dict[str, tuple[Representatives, Events]]:
    """Count what the chosen latents do on the residues of test proteins."""
    place = {protein_id: row for row, protein_id in enumerate(test.protein_ids)}
    n_concepts = len(world.own_latent)
    events = {kind: np.zeros((4, len(place), len(world.nest.pairs))) for kind in chosen}
    totals = {kind: np.zeros((3, n_concepts)) for kind in chosen}  # hits, firing residues, residues
    for batch, acts in test:
        labels, known = _labels(batch, world)
        rows = [place[protein_id] for protein_id in batch.protein_ids]
        begins = np.cumsum(batch.lengths, dtype=np.int64) - np.array(batch.lengths)
        for kind, latents in chosen.items():
            on = (acts[:, latents.latent] > latents.threshold) & known
            totals[kind] += [(on & labels).sum(axis=0), on.sum(axis=0), labels.sum(axis=0)]
            happens = np.stack(_happens(on, labels, world.nest.pairs)).astype(np.int64)
            events[kind][:, rows] = np.add.reduceat(happens, begins, axis=1)
    found = {}
    for kind, latents in chosen.items():
        hits, fired, positive = totals[kind]
        f1 = 2 * hits / np.maximum(fired + positive, 1)
        with_f1 = Representatives(latents.latent, latents.threshold, f1, latents.is_above_floor)
        found[kind] = (with_f1, Events(*events[kind]))
    return found


def _happens(on: NDArray[Any], labels: NDArray[Any], pairs: Ints) -> tuple[NDArray[Any], ...]:
    """Return carries, silent, fires and both of each residue and pair [n_residues, n_pairs]."""
    child, parent = pairs.T
    carries = labels[:, child] & labels[:, parent]
    silent, fires = carries & ~on[:, parent], carries & on[:, child]
    return carries, silent, fires, silent & fires


def _labels(batch: ProteinBatch, world: ResidueWorld) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which residues carry the concepts, and where that is known: [n_residues, n_concepts] both."""
    lengths = np.array(batch.lengths)
    protein = np.repeat(np.arange(len(lengths)), lengths)
    within = np.arange(len(protein)) - (np.cumsum(lengths) - lengths)[protein]
    index = ResidueLabels.of(
        world.spans, batch.protein_ids, dict(zip(batch.protein_ids, batch.lengths, strict=True))
    )
    known = world.known(batch.protein_ids)[protein]
    return (index.dense(protein, within, len(world.own_latent)) > 0) & known, known
