"""The metrics of a validation pass. The module is not changed."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.seeding import numpy_generator
from protsae.metrics.ranking import Ranking
from protsae.metrics.reconstruction import ReconstructionAccumulator, participation
from protsae.metrics.subsumption import subsumption_auc
from protsae.sae.axioms import nf1_excess
from protsae.sae.base import SparseAutoencoder
from protsae.sae.codes import SparseCodes
from protsae.sae.guidance import masked_bce
from protsae.sae.pooling import segment_mean
from protsae.sae.protsae import ProtSae
from protsae.training.data import ConceptAxioms, Labels, Split


@torch.no_grad()
def validate(sae: SparseAutoencoder, split: Split, ontology: ConceptAxioms | None = None) -> dict[str, float]:
    """Return `fve`, `mse`, `l0`, `dead_share` of a split."""
    return _measure(sae, split, lambda _, x: sae.sparse_codes(x))


@torch.no_grad()
def validate_guided(sae: SparseAutoencoder, split: Split, ontology: ConceptAxioms | None) -> dict[str, float]:
    """Return the same of ProtSAE, and what its guidance achieved, where labels and an ontology are given."""
    assert isinstance(sae, ProtSae)
    guided = None if split.labels is None else _Guided(sae, split.labels, split.means)
    values = validate(sae, split) if guided is None else _measure(sae, split, guided.update)
    if guided is not None:
        values |= guided.compute()
    if ontology is not None:
        values |= axiom_metrics(sae, ontology)
    return values


def _measure(
    sae: SparseAutoencoder, split: Split, codes_of: Callable[[ResidueBatch, Tensor], SparseCodes]
) -> dict[str, float]:
    quality = ReconstructionAccumulator()
    for batch in split.batches.epoch(0):
        x = batch.x.to(sae.b_dec.device)
        codes = codes_of(batch, x)
        n_fired = torch.bincount(codes.columns[codes.values > 0], minlength=sae.config.d_sae)
        quality.update_counts(x, sae.decode_sparse(codes), n_fired.cpu().numpy())
    return quality.compute()


@torch.no_grad()
def axiom_metrics(sae: ProtSae, ontology: ConceptAxioms) -> dict[str, float]:
    """Return how well the predictor's balls obey the subclass axioms."""
    centres, radii = sae.balls()
    m = sae.n_defined
    values = {}
    if len(ontology.axioms.nf1):
        outside = nf1_excess(centres, radii, ontology.axioms.nf1) > sae.config.guidance.axiom_margin
        values["axiom_violation"] = float(outside.double().mean())
    auc, n_pairs = subsumption_auc(
        centres[:m].cpu().numpy(),
        radii[:m].cpu().numpy(),
        ontology.is_ancestor,
        ontology.aspects,
        numpy_generator(0, "subsumption"),
    )
    return values | ({"subsumption_auc": auc} if n_pairs else {})


class _Guided:
    """Sums over a split that only ProtSAE has."""

    def __init__(self, sae: ProtSae, labels: Labels, means: Tensor | None) -> None:
        self._sae = sae
        self._labels = labels
        self._means = means
        is_residue_level = labels.is_residue_level
        self._residue_columns = [] if is_residue_level is None else torch.where(is_residue_level)[0].tolist()
        self._residues: list[tuple[Tensor, ...]] = []
        self._logits = torch.full_like(labels.labels, torch.nan)
        self._pooled = torch.full_like(labels.labels, torch.nan)
        self._squares = np.zeros(sae.config.d_sae)
        self._n_gated = self._n_pairs = 0
        self._lift = 0.0

    def update(self, batch: ResidueBatch, x: Tensor) -> SparseCodes:
        """Add one batch, whose activations `x` lie where the module does, and return its codes."""
        segment, proteins = batch.segment, batch.proteins
        codes = self._sae.codes(x)
        defined, logits = codes.defined.cpu(), codes.gates[0]
        self._logits[proteins] = self._protein_logits(batch, x, logits).cpu()
        logits = logits.cpu()
        truth = self._labels.of_residues(batch)
        if truth is not None:
            known = self._labels.labelled[proteins][segment]
            both = (logits, defined, truth, known)
            self._residues.append(tuple(values[:, self._residue_columns] for values in both))
        self._pooled[proteins] = segment_mean(defined, segment, len(proteins))
        active, gate = codes.sparse(), codes.gate
        weights = active.values.double().square().flatten()
        self._squares += torch.bincount(active.columns.flatten(), weights, len(self._squares)).cpu().numpy()
        self._n_gated += int(gate.sum())
        self._n_pairs += gate.numel()
        self._lift += float((codes.lifted.values - codes.driven).double().sum())
        return active

    def _protein_logits(self, batch: ResidueBatch, x: Tensor, logits: Tensor) -> Tensor:
        """Return the scores of a batch's proteins: of all their residues where their means are known, as
        training then takes them too."""
        n = len(batch.proteins)
        if self._means is None:
            return self._sae.protein_logits(x, logits, batch.segment.to(x.device), n)
        means = self._means[batch.proteins].to(x.device)
        each = torch.arange(n, device=x.device)
        return self._sae.protein_logits(means, self._sae.predictor_logits(means), each, n)

    def compute(self) -> dict[str, float]:
        """Return the metrics; average precision and AUC are means over concepts with both kinds of labels."""
        known = self._labels.labelled.clone()
        known[:, self._residue_columns] = False
        norms = self._sae.W_dec.double().norm(dim=1).cpu().numpy()
        values = {
            **_ranked("", self._logits, self._pooled, self._labels.labels, known),
            "gate_rate": self._n_gated / self._n_pairs,
            "mean_lift": self._lift / self._n_gated if self._n_gated else 0.0,
            "defined_participation": participation(self._squares, norms, self._sae.n_defined),
        }
        if self._residues:
            values |= _ranked("residue_", *map(torch.cat, zip(*self._residues, strict=True)))
        return values


def _ranked(level: str, logits: Tensor, acts: Tensor, truth: Tensor, known: Tensor) -> dict[str, float]:
    """Return what ranking by the predictor and by the latents is worth; `level` is part of the terms."""
    rankings = {
        kind: Ranking(scores.numpy(), truth.numpy() > 0, known.numpy())
        for kind, scores in (("predictor", logits), ("latent", acts))
    }
    values = {f"loss/{level}annotation": float(masked_bce(logits, truth, known))}
    for kind, ranking in rankings.items():
        values[f"average_precision/{level}{kind}"] = _mean(ranking.average_precision())
    for kind, ranking in rankings.items():
        values[f"auc/{level}{kind}"] = _mean(ranking.roc_auc())
    return values


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
