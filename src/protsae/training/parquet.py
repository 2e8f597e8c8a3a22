"""Splits and labels of activations from Parquet files of any origin."""

from typing import NamedTuple

import pandas as pd

from protsae.activations.parquet import ParquetStore
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.core.splits import EXCLUDED, SPLITS
from protsae.sequences.split import split_of_cluster
from protsae.training.config import ParquetConfig
from protsae.training.plan import Knowledge

ASPECT = "label"


class ParquetTables(NamedTuple):
    """What training needs in addition to activations."""

    proteins: pd.DataFrame
    """`protein_id`, `split`."""
    knowledge: Knowledge
    """Labels as concepts of one aspect, without axioms; none where the files have no column `labels`."""


def read_parquet_tables(store: ParquetStore, config: ParquetConfig) -> ParquetTables:
    """Return splits and labels of Parquet files of any origin.

    Args:
        store: the files.
        config: how labels become concepts, and proteins are dealt to splits.

    Raises:
        InputError: an unknown split, or labels of which none is frequent enough.
    """
    if not isinstance(store, ParquetStore):
        raise InputError(
            "training.source is parquet, but activation_shards holds the activations of an extraction: run "
            "`kedro run --env parquet --params training.manifest=PATH`"
        )
    proteins = protein_table(store, config)
    return ParquetTables(proteins, _knowledge(store, proteins, config.min_proteins))


def protein_table(store: ParquetStore, config: ParquetConfig) -> pd.DataFrame:
    """Return `protein_id`, `split`: the files' own, or dealt by id.

    Raises:
        InputError: a split of another name.
    """
    split = config.split
    names = [
        store.splits.get(protein_id) or split_of_cluster(protein_id, split.salt, split.fractions)
        for protein_id in store.protein_ids
    ]
    if strangers := sorted(set(names) - {*SPLITS, EXCLUDED}):
        raise InputError(
            f"{store.root}: column 'split' says {strangers[0]!r}, expected {', '.join(SPLITS)} or {EXCLUDED}"
        )
    return pd.DataFrame({"protein_id": store.protein_ids, "split": names})


def _knowledge(store: ParquetStore, proteins: pd.DataFrame, min_proteins: int) -> Knowledge:
    """Return labels as concepts. A protein without labels has none of them."""
    rows = pd.DataFrame(
        [(protein_id, label) for protein_id, labels in store.labels.items() for label in sorted(set(labels))],
        columns=["protein_id", "concept_id"],
    )
    train = set(proteins.loc[proteins["split"] == "train", "protein_id"])
    counts = rows.loc[rows["protein_id"].isin(train), "concept_id"].value_counts()
    kept = sorted(counts.index[counts >= min_proteins])
    if store.labels and not kept:
        raise InputError(
            f"{store.root}: no label is on {min_proteins} training proteins, the most frequent on "
            f"{int(counts.max()) if len(counts) else 0}: lower training.parquet.min_proteins"
        )
    concepts = pd.DataFrame(
        {
            "concept_idx": range(len(kept)),
            "concept_id": pd.array(kept, dtype="str"),
            "aspect": ASPECT,
            "level": "protein",
        }
    )
    index = pd.Index(kept).get_indexer(pd.Index(rows["concept_id"]))
    labels = pd.DataFrame({"protein_id": rows["protein_id"], "concept_idx": index})[index >= 0]
    labelled = pd.DataFrame({"protein_id": store.protein_ids, "aspect": ASPECT})
    axioms = pd.DataFrame(columns=["normal_form", "c", "relation", "d", "e"])
    spans = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS))
    return Knowledge(LabelTables(concepts, labels, labelled, spans), axioms)
