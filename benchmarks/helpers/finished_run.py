"""Datasets and parameters of a finished run of the project, as benchmarks read them."""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from helpers.provenance import ROOT
from protsae.activations.reader import ActivationStore
from protsae.annotations.labels import LabelTables
from protsae.probing.judge import Judge, Known
from protsae.probing.labelled import LabelledProteins
from protsae.probing.splits import SplitLabels, labels_by_split, protein_level, split_of_proteins
from protsae.probing.vocabulary import Vocabulary
from protsae.sae.base import SparseAutoencoder
from protsae.sweeps.config import SweepConfig
from protsae.sweeps.members import Member, expand
from protsae.training.dictionaries import Defaults, Dictionary
from protsae.training.plan import Knowledge, Source, TrainingPlan


class FinishedRun:
    """A run of the project. Everything is loaded where it is asked for first."""

    judge_type: type[Judge] = Judge
    """What `judge` is."""

    def __init__(
        self, env: str | None = None, *, project: Path = ROOT, conf_source: Path | None = None
    ) -> None:
        """Open the catalog.

        Args:
            env: environment of the configuration.
            project: folder of the project.
            conf_source: another folder of configuration.
        """
        bootstrap_project(project)
        with KedroSession.create(project_path=project, env=env, conf_source=conf_source) as session:
            self._catalog = session.load_context().catalog
        logging.getLogger("kedro").setLevel(logging.WARNING)  # the project set up its own logging before

    def load(self, name: str) -> Any:
        """Return a dataset or parameter of the catalog."""
        return self._catalog.load(name)

    def exists(self, name: str) -> bool:
        """Return whether a dataset was made."""
        return bool(self._catalog.exists(name))

    @cached_property
    def proteins(self) -> pd.DataFrame:
        """All proteins of the run."""
        return self.load("proteins")

    @cached_property
    def tables(self) -> LabelTables:
        """Labels of proteins and residues."""
        names = ("concepts", "protein_labels", "labelled_aspects", "residue_labels")
        return LabelTables(*map(self.load, names))

    @cached_property
    def axioms(self) -> pd.DataFrame:
        """EL axioms of the concepts."""
        return self.load("axioms")

    @cached_property
    def store(self) -> ActivationStore:
        """Stored activations."""
        return self.load("activation_shards")

    @property
    def hook_point(self) -> str:
        """Hook point that dictionaries are trained at."""
        return self.load("params:training.hook_point")

    @property
    def source(self) -> Source:
        """What dictionaries are trained on."""
        return Source(self.store, self.hook_point, self.proteins)

    @cached_property
    def split_of(self) -> dict[str, str]:
        """Split of each protein that activations are stored of."""
        return split_of_proteins(self.proteins, self.store.protein_ids)

    @cached_property
    def encoded(self) -> pd.DataFrame:
        """The proteins that activations are stored of."""
        return self.proteins[self.proteins["protein_id"].isin(self.split_of)]

    @cached_property
    def labelled(self) -> LabelledProteins:
        """These proteins, lined up with their labels."""
        return LabelledProteins.of(self.proteins, self.tables, self.split_of)

    @cached_property
    def columns(self) -> Any:
        """Columns of the concepts of whole proteins."""
        return protein_level(self.tables.concepts)

    @cached_property
    def labels(self) -> dict[str, SplitLabels]:
        """Labels by split, of all concepts."""
        return labels_by_split(self.proteins, self.tables, self.split_of)

    @cached_property
    def splits(self) -> dict[str, SplitLabels]:
        """Labels by split, of the concepts of whole proteins."""
        return {split: found.of_concepts(self.columns) for split, found in self.labels.items()}

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Concepts of whole proteins with their ontology."""
        return self.judge.vocabulary

    @cached_property
    def judge(self) -> Judge:
        """The judge of this run."""
        ontology = self.load("concept_terms"), self.load("concept_relations")
        known = Known(self.proteins, self.tables, *ontology)
        settings = (self.load(f"params:probing.{name}") for name in ("scoring", "evaluation"))
        return self.judge_type(known, set(self.split_of), *settings)

    def own_dictionary(self, name: str, seed: int) -> SparseAutoencoder | None:
        """Return the run's own dictionary, if it has this seed."""
        checkpoint = self.load(f"{name}.sae_checkpoint")
        return checkpoint.load() if int(checkpoint.metadata["seed"]) == seed else None

    def plan(self, name: str, seed: int) -> TrainingPlan:
        """Return the training of a dictionary of the list with a seed, else with the run's settings."""
        config = self.load(f"params:dictionaries.{name}").model_copy(update={"seed": seed})
        knowledge = Knowledge(self.tables, self.axioms)
        return Dictionary.of(name, config, self.defaults).plan(self.source, knowledge)

    @property
    def defaults(self) -> Defaults:
        """Settings that dictionaries have where their own entry does not set them."""
        settings = {"protsae": {"guidance": self.load("params:training.guidance").model_dump()}}
        d_sae, k, trainer = (self.load(f"params:training.{name}") for name in ("d_sae", "k", "trainer"))
        return Defaults(self.store.d_model, d_sae, k, 0, trainer, settings, len(self.tables.concepts))

    @property
    def sweep(self) -> SweepConfig:
        """The list of members."""
        return self.load("params:sweeps.sweep")

    @property
    def sweep_folder(self) -> Path:
        """Where the members lie."""
        return Path(self._catalog["sweep_members"]._describe()["filepath"])

    @cached_property
    def members(self) -> list[Member]:
        """Members of the sweep, finished or not."""
        return expand(self.sweep, self.defaults)
