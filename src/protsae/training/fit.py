"""From a plan to a trained autoencoder: puts the trainer's parts together."""

import logging
from dataclasses import replace
from typing import Any

import pandas as pd
import torch

from protsae.activations.streaming import sampler_for
from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.seeding import derive_seed, torch_generator
from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import GuidanceConfig, ProtSaeConfig, SpliceConfig
from protsae.sae.pooling import segment_mean
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import ARCHITECTURES, TOPK_FAMILY, build, unguided_config
from protsae.sae.splice import SpliceCoder
from protsae.training.config import TrainerConfig
from protsae.training.data import ConceptAxioms, Split, labels_of
from protsae.training.directions import concept_directions
from protsae.training.files import TrainingFiles
from protsae.training.plan import Knowledge, Size, Source, TrainingPlan
from protsae.training.trainer import LOG_COLUMNS, Trainer, TrainingResult
from protsae.training.validation import validate
from protsae.training.warm_start import load_donor, start_from

__all__ = ["Fitted", "Knowledge", "Size", "Source", "TrainingPlan", "fit", "fit_protsae", "fit_topk"]

_LOGGER = logging.getLogger(__name__)
Fitted = tuple[tuple[SparseAutoencoder, dict[str, Any]], pd.DataFrame]


def fit(plan: TrainingPlan, files: TrainingFiles | None = None, trainer: type[Trainer] = Trainer) -> Fitted:
    """Train the autoencoder of a plan on the training proteins.

    Args:
        plan: everything that the weights follow from.
        files: where an unfinished training lies and will lie; None: nowhere.
        trainer: which trainer.

    Returns:
        ((module, checkpoint metadata), training log).

    Raises:
        InputError: an unknown architecture, k above the number of free latents, no concepts for a guided
            architecture, a split without proteins, or training that diverges.
    """
    if plan.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(f"architecture '{plan.architecture}' is not known: take one of {known}")
    guided = "concept_ids" in ARCHITECTURES[plan.architecture][1].model_fields
    if plan.warm_start is not None and (not guided or plan.architecture == "splice"):
        raise InputError(f"'{plan.architecture}' does not start from another dictionary: ProtSAE alone does")
    if plan.architecture == "splice":
        return _fit_splice(plan)
    if guided:
        return _fit_guided(plan, files, trainer)
    if plan.architecture in TOPK_FAMILY:
        _check_k(plan.size, 0)
    d_sae, k, seed = plan.size
    config = unguided_config(
        plan.architecture, plan.settings, d_model=plan.source.store.d_model, d_sae=d_sae, k=k
    )
    sae = build(config, torch_generator(seed, "init"))
    train, validation = (split_of(plan, name) for name in ("train", "validation"))
    _centre(sae, plan.source, train)
    made = trainer(sae, plan.trainer, train, validation, seed=derive_seed(plan.size.seed, "training"))
    return _packed(sae, plan, made.fit(files))


def _fit_guided(plan: TrainingPlan, files: TrainingFiles | None, trainer: type[Trainer]) -> Fitted:
    """Train ProtSAE on the training proteins, their labels and the axioms."""
    if plan.knowledge is None or plan.knowledge.tables.concepts.empty:
        raise InputError("there are no concepts to guide ProtSAE: lower the bounds of labelling.vocabulary")
    tables, axioms = plan.knowledge
    concepts = tables.concepts
    _check_k(plan.size, len(concepts))
    indices = AxiomIndices.from_table(axioms, len(concepts))
    ontology = ConceptAxioms.of(indices, concepts["aspect"].tolist())
    kind, shape = ARCHITECTURES[plan.architecture]
    known = {
        "concept_ids": tuple(concepts["concept_id"]),
        "residue_level": tuple(concepts.loc[concepts["level"] == "residue", "concept_id"]),
        "n_zero": indices.n_classes - len(concepts),
        "n_relations": indices.n_relations,
    }
    config = shape(**_shape_of(plan), **known)
    sae = kind(config, torch_generator(plan.size.seed, "init"))
    assert isinstance(sae, ProtSae) and isinstance(config, ProtSaeConfig)
    train, validation = (split_of(plan, name, tables) for name in ("train", "validation"))
    _centre(sae, plan.source, train)
    assert train.labels is not None
    sae.set_concept_rates(train.labels.rates())
    if config.guidance.needs_protein_means:
        train, validation = (_with_means(split, plan.source) for split in (train, validation))
    if sae.whitening is not None:
        sae.set_whitening(_sampled_means(train))
    if plan.warm_start is not None:
        donor = load_donor(plan.warm_start, plan.about, sae.config.d_model)
        n_copied = start_from(sae, donor, train.batches.epoch(0))
        _LOGGER.info("%d of %d free latents start from %s", n_copied, config.n_free, plan.warm_start)
    whole_proteins = (concepts["level"] == "protein").any()
    select_by = "average_precision/predictor" if whole_proteins else "average_precision/residue_predictor"
    made = trainer(
        sae,
        plan.trainer,
        train,
        validation,
        ontology=ontology,
        select_by=select_by,
        seed=derive_seed(plan.size.seed, "training"),
    )
    return _packed(sae, plan, made.fit(files))


def _fit_splice(plan: TrainingPlan) -> Fitted:
    """Set SpLiCE's directions from the training proteins' labels; nothing is trained."""
    if plan.knowledge is None or plan.knowledge.tables.concepts.empty:
        raise InputError("there are no concepts for SpLiCE: lower the bounds of labelling.vocabulary")
    tables = plan.knowledge.tables
    known = {"d_model": plan.source.store.d_model, "concept_ids": tuple(tables.concepts["concept_id"])}
    config = SpliceConfig.model_validate({**known, **plan.settings})
    sae = SpliceCoder(config)
    train, validation = (split_of(plan, name, tables) for name in ("train", "validation"))
    _centre(sae, plan.source, train)
    sae.set_directions(concept_directions(sae, train, config.directions, config.ridge))
    values = validate(sae, validation, None)
    log = pd.DataFrame(
        [(0, 0, "validation", term, value) for term, value in values.items()], columns=list(LOG_COLUMNS)
    )
    figures = {f"validation/{term}": value for term, value in values.items()}
    summary: dict[str, float | int] = {"n_steps": 0, "n_epochs": 0, "chosen_epoch": 0, **figures}
    return _packed(sae, plan, TrainingResult(log, summary))


def fit_topk(source: Source, size: Size, config: TrainerConfig) -> Fitted:
    """Train a TopK autoencoder, see `fit`."""
    return fit(TrainingPlan("topk", source, size, config))


def fit_protsae(
    source: Source,
    size: Size,
    config: TrainerConfig,
    guidance: GuidanceConfig,
    *,
    tables: LabelTables,
    axioms: pd.DataFrame,
) -> Fitted:
    """Train ProtSAE, see `fit`."""
    return fit(
        TrainingPlan("protsae", source, size, config, {"guidance": guidance}, Knowledge(tables, axioms))
    )


def _shape_of(plan: TrainingPlan) -> dict[str, Any]:
    """Return what ProtSAE's config takes of the plan."""
    d_sae, k, _ = plan.size
    chosen = {"k": k} if "k" in ARCHITECTURES[plan.architecture][1].model_fields else {}
    return {"d_model": plan.source.store.d_model, "d_sae": d_sae, **chosen, **plan.settings}


def _check_k(size: Size, n_defined: int) -> None:
    n_free = size.d_sae - n_defined
    if size.k > n_free:
        raise InputError(
            f"training.k {size.k} is more than the {n_free} free latents that training.d_sae {size.d_sae} "
            f"leaves beside {n_defined} concepts: lower training.k or raise training.d_sae"
        )


def split_of(plan: TrainingPlan, name: str, tables: LabelTables | None = None) -> Split:
    """Return the proteins of a split with the sampler of their residues and, given tables, their labels.

    Raises:
        InputError: the split has no protein with activations.
    """
    source, config = plan.source, plan.trainer
    stored = set(source.store.protein_ids)
    chosen = source.proteins.loc[source.proteins["split"] == name, "protein_id"]
    protein_ids = [protein_id for protein_id in chosen if protein_id in stored]
    if not protein_ids:
        raise InputError(
            f"no protein of split '{name}' has activations: change splitting.split or extract again"
        )
    residues = config.residues_per_protein if name == "train" else config.validation_residues_per_protein
    sampler = sampler_for(
        source.store,
        source.hook_point,
        protein_ids,
        residues_per_protein=residues,
        proteins_per_batch=config.proteins_per_batch,
        seed=derive_seed(plan.size.seed, "sampler", name),
        max_memory_gb=config.max_memory_gb,
    )
    labels = None if tables is None else labels_of(tables, protein_ids, source.store.lengths())
    return Split(protein_ids, sampler, labels)


def _centre(sae: SparseAutoencoder, source: Source, train: Split) -> None:
    moments = source.store.statistics(source.hook_point, list(train.protein_ids))
    sae.set_input_statistics(torch.from_numpy(moments.mean), moments.total_variance)


def _with_means(split: Split, source: Source) -> Split:
    means = source.store.protein_means(source.hook_point, split.protein_ids)
    return replace(split, means=torch.from_numpy(means))


def _sampled_means(train: Split) -> torch.Tensor:
    """Return the mean activation [n_proteins, d_model] of each protein's residues of one epoch."""
    epoch = train.batches.epoch(0)
    return torch.cat([segment_mean(batch.x, batch.segment, len(batch.proteins)) for batch in epoch])


def _packed(sae: SparseAutoencoder, plan: TrainingPlan, result: TrainingResult) -> Fitted:
    metadata = plan.about | {"training": result.summary}
    return (sae, metadata), result.log
