"""From stored activations and tables to a trained autoencoder: puts the trainer's parts together."""

from typing import Any, NamedTuple

import pandas as pd
import torch

from protsae.activations.reader import ActivationStore
from protsae.activations.streaming import sampler_for
from protsae.annotations.labels import LabelTables
from protsae.core.errors import InputError
from protsae.core.seeding import derive_seed, torch_generator
from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import GuidanceConfig, ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae
from protsae.training.config import TrainerConfig
from protsae.training.data import Ontology, Split, labels_of
from protsae.training.trainer import Trainer, TrainingResult

Fitted = tuple[tuple[SparseAutoencoder, dict[str, Any]], pd.DataFrame]


class Source(NamedTuple):
    """Where residues come from."""

    store: ActivationStore
    hook_point: str
    proteins: pd.DataFrame
    """`protein_id`, `split`."""


class Size(NamedTuple):
    """How large an autoencoder is, and its seed."""

    d_sae: int
    k: int
    seed: int


def fit_topk(source: Source, size: Size, config: TrainerConfig) -> Fitted:
    """Train a TopK autoencoder on the training proteins.

    Returns:
        ((module, checkpoint metadata), training log).

    Raises:
        InputError: k above d_sae, a split without proteins, or training that diverges.
    """
    _check_k(size, 0)
    shape = TopKConfig(d_model=source.store.d_model, d_sae=size.d_sae, k=size.k)
    sae = TopKSae(shape, torch_generator(size.seed, "init"))
    train, validation = (_split(source, size, config, name) for name in ("train", "validation"))
    _centre(sae, source, train)
    return _packed(sae, source, size, Trainer(sae, config, train, validation).fit())


def fit_protsae(
    source: Source,
    size: Size,
    config: TrainerConfig,
    guidance: GuidanceConfig,
    *,
    tables: LabelTables,
    axioms: pd.DataFrame,
) -> Fitted:
    """Train ProtSAE on the training proteins, their labels and the axioms.

    Args:
        source: activations and proteins.
        size: shape and seed.
        config: trainer.
        guidance: how the ontology guides.
        tables: concepts, whose row order is latent order, and what carries them.
        axioms: see `sae.axioms.AxiomIndices.from_table`.

    Returns:
        ((module, checkpoint metadata), training log).

    Raises:
        InputError: k above the number of free latents, no concepts, or what `fit_topk` raises.
    """
    concepts = tables.concepts
    if concepts.empty:
        raise InputError("there are no concepts to guide ProtSAE: lower the counts in params:annotation")
    _check_k(size, len(concepts))
    indices = AxiomIndices.from_table(axioms, len(concepts))
    ontology = Ontology.of(indices, concepts["aspect"].tolist())
    shape = ProtSaeConfig(
        d_model=source.store.d_model,
        d_sae=size.d_sae,
        k=size.k,
        concept_ids=tuple(concepts["concept_id"]),
        residue_level=tuple(concepts.loc[concepts["level"] == "residue", "concept_id"]),
        n_zero=indices.n_classes - len(concepts),
        n_relations=indices.n_relations,
        guidance=guidance,
    )
    sae = ProtSae(shape, torch_generator(size.seed, "init"))
    train, validation = (_split(source, size, config, name, tables) for name in ("train", "validation"))
    _centre(sae, source, train)
    assert train.labels is not None
    sae.set_concept_rates(train.labels.rates())
    whole_proteins = (concepts["level"] == "protein").any()
    select_by = "average_precision/predictor" if whole_proteins else "average_precision/residue_predictor"
    trainer = Trainer(sae, config, train, validation, ontology=ontology, select_by=select_by)
    return _packed(sae, source, size, trainer.fit())


def _check_k(size: Size, n_defined: int) -> None:
    n_free = size.d_sae - n_defined
    if size.k > n_free:
        raise InputError(
            f"training.k {size.k} is more than the {n_free} free latents that training.d_sae {size.d_sae} "
            f"leaves beside {n_defined} concepts: lower training.k or raise training.d_sae"
        )


def _split(
    source: Source,
    size: Size,
    config: TrainerConfig,
    name: str,
    tables: LabelTables | None = None,
) -> Split:
    stored = set(source.store.protein_ids)
    chosen = source.proteins.loc[source.proteins["split"] == name, "protein_id"]
    protein_ids = [protein_id for protein_id in chosen if protein_id in stored]
    if not protein_ids:
        raise InputError(
            f"no protein of split '{name}' has activations: change ingestion.split or extract again"
        )
    residues = config.residues_per_protein if name == "train" else config.validation_residues_per_protein
    sampler = sampler_for(
        source.store,
        source.hook_point,
        protein_ids,
        residues_per_protein=residues,
        proteins_per_batch=config.proteins_per_batch,
        seed=derive_seed(size.seed, "sampler", name),
        max_memory_gb=config.max_memory_gb,
    )
    labels = None if tables is None else labels_of(tables, protein_ids, source.store.lengths())
    return Split(protein_ids, sampler, labels)


def _centre(sae: SparseAutoencoder, source: Source, train: Split) -> None:
    moments = source.store.statistics(source.hook_point, list(train.protein_ids))
    sae.set_input_statistics(torch.from_numpy(moments.mean), moments.total_variance)


def _packed(sae: SparseAutoencoder, source: Source, size: Size, result: TrainingResult) -> Fitted:
    model = source.store.manifest.model
    metadata = {
        "hook_point": source.hook_point,
        "model": model.name,
        "model_sha256": model.sha256,
        "seed": size.seed,
        "training": result.summary,
    }
    return (sae, metadata), result.log
