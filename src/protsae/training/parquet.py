"""Training on activations that someone else stored: splits and labels from the files, no language model."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from protsae.activations.parquet import ParquetStore
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.core.splits import EXCLUDED, SPLITS
from protsae.sequences.split import SplitConfig, split_of_cluster
from protsae.training.config import TrainerConfig
from protsae.training.plan import Knowledge, Size, Source, TrainingPlan

ASPECT = "label"


def plan_on_parquet(
    store: ParquetStore,
    architecture: str,
    size: Size,
    trainer: TrainerConfig,
    settings: Mapping[str, Any] | None = None,
    *,
    min_proteins: int = 10,
    split: SplitConfig | None = None,
) -> TrainingPlan:
    """Plan a training on Parquet files of any origin.

    Args:
        store: the files.
        architecture: name in the registry; guided ones need the column `labels`.
        size: shape and seed.
        trainer: settings.
        settings: further fields of the architecture's config.
        min_proteins: training proteins that a label needs to become a concept.
        split: how proteins are dealt where the files have no column `split`: by their ids, so that related
            proteins may stand on both sides.

    Raises:
        InputError: an unknown split, or no label that is frequent enough for a guided architecture.
    """
    from protsae.sae.registry import ARCHITECTURES

    proteins = protein_table(store, split or SplitConfig())
    guided = architecture in ARCHITECTURES and "concept_ids" in ARCHITECTURES[architecture][1].model_fields
    knowledge = _knowledge(store, proteins, min_proteins) if guided else None
    source = Source(store, store.column, proteins)
    return TrainingPlan(architecture, source, size, trainer, dict(settings or {}), knowledge)


def protein_table(store: ParquetStore, split: SplitConfig) -> pd.DataFrame:
    """Return `protein_id`, `split`: the files' own, or dealt by id.

    Raises:
        InputError: a split of another name.
    """
    names = [
        store.splits.get(protein_id) or split_of_cluster(protein_id, split.salt, split.fractions)
        for protein_id in store.protein_ids
    ]
    if strangers := sorted(set(names) - {*SPLITS, EXCLUDED}):
        raise InputError(
            f"{store.root}: column 'split' says {strangers[0]!r}, expected {', '.join(SPLITS)} or excluded"
        )
    return pd.DataFrame({"protein_id": store.protein_ids, "split": names})


def _knowledge(store: ParquetStore, proteins: pd.DataFrame, min_proteins: int) -> Knowledge:
    """Return labels as concepts of one aspect, without axioms. A protein without labels has none of them."""
    if not store.labels:
        raise InputError(f"{store.root} has no column 'labels' (list of strings), which guides training")
    rows = pd.DataFrame(
        [(protein_id, label) for protein_id, labels in store.labels.items() for label in sorted(set(labels))],
        columns=["protein_id", "concept_id"],
    )
    train = set(proteins.loc[proteins["split"] == "train", "protein_id"])
    counts = rows.loc[rows["protein_id"].isin(train), "concept_id"].value_counts()
    kept = sorted(counts.index[counts >= min_proteins])
    if not kept:
        raise InputError(
            f"{store.root}: no label is on {min_proteins} training proteins, the most frequent on "
            f"{int(counts.max()) if len(counts) else 0}: lower min_proteins"
        )
    concepts = pd.DataFrame(
        {"concept_idx": range(len(kept)), "concept_id": kept, "aspect": ASPECT, "level": "protein"}
    )
    labels = rows.merge(concepts[["concept_idx", "concept_id"]], on="concept_id")[
        ["protein_id", "concept_idx"]
    ]
    labelled = pd.DataFrame({"protein_id": store.protein_ids, "aspect": ASPECT})
    axioms = pd.DataFrame(columns=["normal_form", "c", "relation", "d", "e"])
    spans = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS))
    return Knowledge(LabelTables(concepts, labels, labelled, spans), axioms)
