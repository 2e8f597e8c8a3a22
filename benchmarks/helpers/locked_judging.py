"""The locked proteins in the place of the test split: all that is chosen on training and validation proteins
stays chosen on those of the run."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from helpers.locked_list import Sequences
from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.activations.reader import ActivationStatistics, ActivationStore
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.joining import JoinConfig, join_annotations
from protsae.annotations.labels import LabelTables, label_table
from protsae.annotations.rows import read_annotations
from protsae.core.errors import InputError
from protsae.ontology.closure import Preset
from protsae.ontology.obo import Ontology
from protsae.plm.checkpoint import PlmModel
from protsae.probing.judge import Judge
from protsae.probing.splits import labels_by_split, protein_level
from protsae.sequences.table import SequenceTableConfig, sequence_table
from protsae.sweeps.config import JudgingConfig
from protsae.sweeps.plan import SweepData

TEST = "test"


@dataclass(frozen=True)
class LockedProteins:
    """Sequences and annotations of the proteins of a list."""

    proteins: pd.DataFrame
    """`protein_id`, `sequence`, `cluster_id`."""
    protein_concepts: pd.DataFrame
    """`protein_id`, `concept_id`; propagated."""
    labelled_aspects: pd.DataFrame
    """`protein_id`, `aspect`."""

    @classmethod
    def read(
        cls,
        cluster_of: Mapping[str, str],
        sequences: Path,
        annotations: Path,
        ontology: Ontology,
        preset: Preset,
        config: AnnotationsConfig,
    ) -> "LockedProteins":
        """Read what the full files say of the proteins of a list.

        Args:
            cluster_of: the list, protein id to cluster id.
            sequences: the file of sequences.
            annotations: the file of annotations.
            ontology: the whole ontology.
            preset: relations that annotations propagate along.
            config: which annotations count.

        Raises:
            InputError: a protein of the list is not in the file, or what the readers refuse.
        """
        table, _ = sequence_table(sequences, SequenceTableConfig())
        table = table[table["protein_id"].isin(cluster_of)].reset_index(drop=True)
        if missing := sorted(set(cluster_of) - set(table["protein_id"])):
            raise InputError(
                f"{sequences}: {len(missing)} locked proteins are not there, the first is {missing[0]}. "
                "The list belongs to other files"
            )
        rows = read_annotations(annotations, config)
        joined = join_annotations(rows, table, ontology, preset, JoinConfig()).protein_concepts
        aspect = joined["concept_id"].map(ontology.terms.set_index("term_id")["aspect"])
        labelled = joined[["protein_id"]].assign(aspect=aspect).drop_duplicates(ignore_index=True)
        proteins = table[["protein_id", "sequence"]].assign(cluster_id=table["protein_id"].map(cluster_of))
        return cls(proteins, joined, labelled.astype("str"))

    def without(self, names: Collection[str]) -> "LockedProteins":
        """Return the others."""
        return replace(self, proteins=self.proteins[~self.proteins["protein_id"].isin(names)])

    @property
    def sequences(self) -> Sequences:
        """Protein id to residues."""
        return sequences_of(self.proteins)

    def in_place_of_test(self, data: SweepData, store: "JoinedStore") -> "LockedData":
        """Return what members are judged on: training and validation proteins of the run, and these as test.

        Args:
            data: what the run judges on.
            store: activations of the run and of these.
        """
        known, tables = data.known, data.known.tables
        own = self.proteins[self.proteins["protein_id"].isin(store.locked.protein_ids)]
        kept = known.proteins[known.proteins["split"] != TEST]
        proteins = pd.concat([kept, own.assign(split=TEST, is_audited=False)], ignore_index=True)
        labels = label_table(self.protein_concepts, tables.concepts).astype({"protein_id": "str"})
        together = LabelTables(
            tables.concepts,
            pd.concat([tables.protein_labels.astype({"protein_id": "str"}), labels], ignore_index=True),
            pd.concat([tables.labelled_aspects, self.labelled_aspects], ignore_index=True),
            tables.residue_labels,
        )
        return LockedData(store, known._replace(proteins=proteins, tables=together), data.axioms)


@dataclass(frozen=True)
class LockedJudge(Judge):
    """The judge, on the concepts with enough positives among the locked proteins."""

    min_positives: ClassVar[int] = 10

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """The `concept_idx` of the concepts that are scored [n_concepts]."""
        found = protein_level(self.known.tables.concepts)
        return found[self.n_positive[found] >= self.min_positives]

    @cached_property
    def n_positive(self) -> NDArray[np.int64]:
        """Locked proteins with each concept [n_concepts]."""
        test = labels_by_split(self.known.proteins, self.known.tables, self.available)[TEST]
        return (test.labels & test.labelled).sum(axis=0)


class LockedData(SweepData):
    """What members are judged on, with the locked proteins as test split."""

    def judge(self, config: JudgingConfig) -> LockedJudge:
        """Return the judge of the proteins with activations."""
        return LockedJudge(self.known, self.store.protein_ids, config.scoring, config.evaluation)


@dataclass(frozen=True)
class JoinedStore:
    """Activations of a run and of the locked proteins, read as one store."""

    known: ActivationStore
    locked: ActivationStore

    @property
    def protein_ids(self) -> list[str]:
        """Ids of all proteins."""
        return [*self.known.protein_ids, *self.locked.protein_ids]

    def fingerprint(self) -> str:
        """Return a hash of what is stored."""
        return self.known.fingerprint() + self.locked.fingerprint()

    def iter_residues(
        self, hook_point: str, protein_ids: Collection[str]
    ) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float32]]]:
        """Yield proteins as `ActivationStore.iter_residues` does."""
        for store, names in self._parts(protein_ids):
            yield from store.iter_residues(hook_point, names)

    def statistics(self, hook_point: str, protein_ids: Collection[str]) -> ActivationStatistics:
        """Return mean and variance over the residues of the proteins of a split: all of one store."""
        ((store, names),) = self._parts(protein_ids)
        return store.statistics(hook_point, names)

    def _parts(self, protein_ids: Iterable[str]) -> list[tuple[ActivationStore, list[str]]]:
        locked = set(self.locked.protein_ids)
        names = list(protein_ids)
        parts = [
            (self.known, [name for name in names if name not in locked]),
            (self.locked, [name for name in names if name in locked]),
        ]
        return [(store, those) for store, those in parts if those]


def sequences_of(proteins: pd.DataFrame) -> dict[str, str]:
    """Return protein id to residues."""
    return dict(zip(proteins["protein_id"], proteins["sequence"], strict=True))


def extract(
    locked: LockedProteins, model: PlmModel, known: Any, config: ExtractionConfig, folder: Path
) -> JoinedStore:
    """Extract the locked proteins as those of the run were, and return both.

    Args:
        locked: the proteins.
        model: the run's language model.
        known: the run's activations.
        config: how the run extracts.
        folder: where the shards go.

    Raises:
        InputError: the activations of the run are of another model.
    """
    if known.manifest.model.sha256 != model.sha256:
        raise InputError(f"{known.root} has activations of another language model than {model.name}")
    sequences = locked.sequences
    plan_extraction(list(sequences), list(sequences.values()), model, config).run(folder)
    return JoinedStore(known, ActivationStore(folder))
