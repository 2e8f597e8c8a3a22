"""From a task to a trained autoencoder."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import torch

from protsae.activations.streaming import sampler_for
from protsae.annotations.labels import LabelTables
from protsae.annotations.local_evidence import LabelledSequences, LocalEvidenceConfig, local_evidence
from protsae.core.errors import InputError
from protsae.core.seeding import derive_seed, torch_generator
from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import CONFIGS, ProtSaeConfig, SaeConfig, SpliceConfig, shaped_config
from protsae.sae.dense import LinearEncoderSae
from protsae.sae.pooling import segment_mean
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import ARCHITECTURES
from protsae.sae.splice import SpliceCoder
from protsae.training.data import ConceptAxioms, Labels, Split, labels_of
from protsae.training.directions import concept_directions
from protsae.training.files import TrainingFiles
from protsae.training.task import Knowledge, Source, TrainingTask, UnguidedTask
from protsae.training.trainer import LOG_COLUMNS, Trainer, TrainingResult
from protsae.training.validation import validate, validate_guided
from protsae.training.warm_start import load_donor, start_from

_LOGGER = logging.getLogger(__name__)
Fitted = tuple[tuple[SparseAutoencoder, dict[str, Any]], pd.DataFrame]
Fitter = Callable[
    [type[SparseAutoencoder], type[SaeConfig], TrainingTask, TrainingFiles | None, type[Trainer]], Fitted
]


def fit(task: TrainingTask, files: TrainingFiles | None = None, trainer: type[Trainer] = Trainer) -> Fitted:
    """Train the autoencoder of a task on the training proteins.

    Args:
        task: everything that determines the weights.
        files: those of the unfinished training; None: nothing is kept.
        trainer: its class.

    Returns:
        ((module, checkpoint metadata), training log).

    Raises:
        InputError: an unknown architecture, k above the number of free latents, no concepts for a guided
            architecture, a split without proteins, or training that diverges.
    """
    fitter, kind, shape = fitter_of(task.architecture)
    if task.warm_start is None:
        return fitter(kind, shape, task, files, trainer)
    if fitter is not fit_guided:
        raise InputError(f"'{task.architecture}' does not start from another dictionary: ProtSAE alone does")
    donor = load_donor(task.warm_start, task.origin, task.source.store.d_model)
    return fit_guided(kind, shape, task, files, trainer, donor)


def fitter_of(architecture: str) -> tuple[Fitter, type[SparseAutoencoder], type[SaeConfig]]:
    """Return what trains an architecture, its class and that of its config.

    Raises:
        InputError: an unknown architecture.
    """
    if architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(f"architecture '{architecture}' is unknown: choose one of {known}")
    kind, shape = ARCHITECTURES[architecture], CONFIGS[architecture]
    if architecture == "splice":
        return fit_splice, kind, shape
    return fit_guided if "concept_ids" in shape.model_fields else fit_unguided, kind, shape


def fit_unguided(
    kind: type[SparseAutoencoder],
    shape: type[SaeConfig],
    task: UnguidedTask,
    files: TrainingFiles | None,
    trainer: type[Trainer],
) -> Fitted:
    """Train an unguided architecture, see `fit`."""
    seed = task.size.seed
    sae = kind(_config_of(task, shape), torch_generator(seed, "init"))
    train, validation = (split_of(task, name) for name in ("train", "validation"))
    _centre(sae, task.source, train)
    made = trainer(sae, task.trainer, train, validation, seed=derive_seed(seed, "training"))
    return _packed(sae, task, made.fit(files))


def fit_guided(
    kind: type[SparseAutoencoder],
    shape: type[SaeConfig],
    task: TrainingTask,
    files: TrainingFiles | None,
    trainer: type[Trainer],
    donor: LinearEncoderSae | None = None,
) -> Fitted:
    """Train ProtSAE on the training proteins, their labels and the axioms, see `fit`.

    Args:
        kind: its class.
        shape: the class of its config.
        task: everything that determines the weights.
        files: of an unfinished training.
        trainer: its class.
        donor: the dictionary whose latents the free ones start from.
    """
    tables, axioms = _knowledge_of(task)
    concepts = tables.concepts
    indices = AxiomIndices.from_table(axioms, len(concepts))
    ontology = ConceptAxioms.of(indices, concepts["aspect"].tolist())
    known = {
        "concept_ids": tuple(concepts["concept_id"]),
        "residue_level": tuple(concepts.loc[concepts["level"] == "residue", "concept_id"]),
        "n_zero": indices.n_classes - len(concepts),
        "n_relations": indices.n_relations,
    }
    config = _config_of(task, shape, **known)
    sae = kind(config, torch_generator(task.size.seed, "init"))
    assert isinstance(sae, ProtSae) and isinstance(config, ProtSaeConfig)
    train, validation = (labelled_split_of(task, name, tables) for name in ("train", "validation"))
    _centre(sae, task.source, train)
    assert train.labels is not None
    sae.set_concept_rates(train.labels.rates())
    if config.guidance.locate:
        located = _located(train, task.source, config.guidance.local_evidence)
        train = replace(train, labels=located)
        assert sae.sites is not None
        sae.sites.set_rates(located.site_rates())
    if config.guidance.needs_protein_means:
        train, validation = (_with_means(split, task.source) for split in (train, validation))
    if sae.whitening is not None:
        sae.set_whitening(_sampled_means(train))
    if donor is not None:
        n_copied = start_from(sae, donor, train.batches.epoch(0))
        _LOGGER.info("%d of %d free latents start from %s", n_copied, config.n_free, task.warm_start)
    whole_proteins = (concepts["level"] == "protein").any()
    select_by = "average_precision/predictor" if whole_proteins else "average_precision/residue_predictor"
    made = trainer(
        sae,
        task.trainer,
        train,
        validation,
        ontology=ontology,
        validator=validate_guided,
        select_by=select_by,
        seed=derive_seed(task.size.seed, "training"),
    )
    return _packed(sae, task, made.fit(files))


def fit_splice(
    kind: type[SparseAutoencoder],
    shape: type[SaeConfig],
    task: TrainingTask,
    files: TrainingFiles | None,
    trainer: type[Trainer],
) -> Fitted:
    """Set SpLiCE's directions from the training proteins' labels; nothing is trained."""
    tables = _knowledge_of(task).tables
    config = _config_of(task, shape, concept_ids=tuple(tables.concepts["concept_id"]))
    sae = kind(config)
    assert isinstance(sae, SpliceCoder) and isinstance(config, SpliceConfig)
    train, validation = (labelled_split_of(task, name, tables) for name in ("train", "validation"))
    _centre(sae, task.source, train)
    sae.set_directions(concept_directions(sae, train, config.directions, config.ridge))
    values = validate(sae, validation)
    log = pd.DataFrame(
        [(0, 0, "validation", term, value) for term, value in values.items()], columns=list(LOG_COLUMNS)
    )
    figures = {f"validation/{term}": value for term, value in values.items()}
    summary: dict[str, float | int] = {"n_steps": 0, "n_epochs": 0, "chosen_epoch": 0, **figures}
    return _packed(sae, task, TrainingResult(log, summary))


def _config_of(task: UnguidedTask, shape: type[SaeConfig], **concepts: Any) -> SaeConfig:
    d_sae, k, _ = task.size
    d_model = task.source.store.d_model
    return shaped_config(shape, task.settings, d_model=d_model, d_sae=d_sae, k=k, **concepts)


def _knowledge_of(task: TrainingTask) -> Knowledge:
    if task.knowledge is None or task.knowledge.tables.concepts.empty:
        raise InputError(
            f"there are no concepts to guide {task.architecture}: lower the bounds of labelling.vocabulary"
        )
    return task.knowledge


def split_of(task: UnguidedTask, name: str) -> Split:
    """Return the proteins of a split with the sampler of their residues.

    Raises:
        InputError: the split has no protein with activations.
    """
    source, config = task.source, task.trainer
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
        seed=derive_seed(task.size.seed, "sampler", name),
        max_memory_gb=config.max_memory_gb,
    )
    return Split(protein_ids, sampler)


def labelled_split_of(task: UnguidedTask, name: str, tables: LabelTables) -> Split:
    """Return the same with labels.

    Raises:
        InputError: see `split_of`.
    """
    split = split_of(task, name)
    return replace(split, labels=labels_of(tables, split.protein_ids, task.source.store.lengths()))


def _centre(sae: SparseAutoencoder, source: Source, train: Split) -> None:
    moments = source.store.statistics(source.hook_point, list(train.protein_ids))
    sae.set_input_statistics(torch.from_numpy(moments.mean), moments.total_variance)


def _located(train: Split, source: Source, config: LocalEvidenceConfig) -> Labels:
    """Return the labels of the training proteins with the local evidence for them.

    Raises:
        InputError: the proteins' sequences are not known.
    """
    if "sequence" not in source.proteins:
        raise InputError(
            "training.guidance.locate is true, which needs sequences: activations of your own have none. Set "
            "it to false"
        )
    assert train.labels is not None
    sequence_of = source.proteins.set_index("protein_id")["sequence"]
    known = train.labels.labels.numpy(), train.labels.labelled.numpy()
    proteins = LabelledSequences(sequence_of.loc[list(train.protein_ids)].tolist(), *known)
    return replace(train.labels, evidence=local_evidence(proteins, (), config)[0])


def _with_means(split: Split, source: Source) -> Split:
    means = source.store.protein_means(source.hook_point, split.protein_ids)
    return replace(split, means=torch.from_numpy(means))


def _sampled_means(train: Split) -> torch.Tensor:
    """Return the mean activation [n_proteins, d_model] of each protein's residues of one epoch."""
    epoch = train.batches.epoch(0)
    return torch.cat([segment_mean(batch.x, batch.segment, len(batch.proteins)) for batch in epoch])


def _packed(sae: SparseAutoencoder, task: UnguidedTask, result: TrainingResult) -> Fitted:
    metadata = task.origin | {"training": result.summary}
    return (sae, metadata), result.log
