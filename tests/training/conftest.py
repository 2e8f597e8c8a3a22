"""Toy proteins: residues are sparse sums of known directions, and two directions are concepts."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.activations.sampler import ResidueBatch
from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.training.config import TrainerConfig
from protsae.training.plan import Knowledge, SizeAndSeed, Source, TrainingPlan

D_MODEL, N_ATOMS, ACTIVE = 24, 32, 3


class ToyProteins:
    """Proteins with residues; the first atoms are concepts of the proteins that carry them."""

    def __init__(self, n_proteins: int = 60, length: int = 40) -> None:
        rng = np.random.default_rng(0)
        atoms = rng.normal(size=(N_ATOMS, D_MODEL))
        self.atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
        self.mean = rng.normal(size=D_MODEL)
        self.labels = rng.random((n_proteins, 2)) < [0.3, 0.5]
        self.x = []
        for protein in range(n_proteins):
            codes = np.zeros((length, N_ATOMS))
            for residue in codes:
                residue[rng.choice(np.arange(2, N_ATOMS), ACTIVE, replace=False)] = rng.uniform(1, 2, ACTIVE)
            for concept in np.flatnonzero(self.labels[protein]):
                codes[rng.random(length) < 0.6, concept] = 1.5
            self.x.append((codes @ self.atoms + self.mean).astype(np.float32))
        self.ids = [f"P{i:03d}" for i in range(n_proteins)]

    def store(self) -> SimpleNamespace:
        """What `fit` needs of an `ActivationStore`."""
        of = dict(zip(self.ids, self.x, strict=True))
        position = {protein_id: i for i, protein_id in enumerate(self.ids)}

        def statistics(hook_point: str, protein_ids: list[str]) -> SimpleNamespace:
            rows = np.concatenate([of[protein_id] for protein_id in protein_ids]).astype(np.float64)
            return SimpleNamespace(mean=rows.mean(axis=0), total_variance=float(rows.var(axis=0).sum()))

        return SimpleNamespace(
            protein_ids=self.ids,
            d_model=D_MODEL,
            lengths=lambda: {protein_id: len(x) for protein_id, x in of.items()},
            positions=lambda ids: np.array([position[protein_id] for protein_id in ids]),
            n_rows=lambda: {protein_id: len(x) for protein_id, x in of.items()},
            iter_proteins=lambda hook_point, ids: ((i, of[i]) for i in sorted(ids)),
            iter_residues=lambda hook_point, ids: ((i, np.arange(len(of[i])), of[i]) for i in sorted(ids)),
            iter_stored=lambda hook_point, ids: (
                (position[i], np.arange(len(of[i])), of[i]) for i in sorted(ids)
            ),
            groups=lambda ids: [np.array([i]) for i in sorted(position[protein_id] for protein_id in ids)],
            read_group=lambda hook_point, group: ((i, np.arange(len(self.x[i])), self.x[i]) for i in group),
            largest_group=max(map(len, self.x)),
            statistics=statistics,
            protein_means=lambda hook_point, ids: np.stack([of[i].mean(axis=0) for i in ids]),
            fingerprint=lambda: "toy",
            manifest=SimpleNamespace(dtype="float32", model=SimpleNamespace(name="toy", sha256="ab")),
        )


class ListBatches:
    """The same batches in every epoch."""

    def __init__(self, batches: list[ResidueBatch]) -> None:
        self.batches = batches
        self.n_batches = len(batches)

    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield them."""
        yield from self.batches


@pytest.fixture(scope="session")
def toy() -> ToyProteins:
    return ToyProteins()


@pytest.fixture(scope="session")
def batches(toy: ToyProteins) -> Callable[[range, int], ListBatches]:
    """Batches of proteins of a range, so many per batch, whole or first residues; indices count from the
    range's start."""

    def make(proteins: range, per_batch: int, residues: int | None = None) -> ListBatches:
        made = []
        for first in range(0, len(proteins), per_batch):
            chunk = range(first, min(first + per_batch, len(proteins)))
            blocks = [toy.x[proteins[i]][:residues] for i in chunk]
            x, lengths = torch.from_numpy(np.concatenate(blocks)), torch.tensor([len(b) for b in blocks])
            segment = torch.repeat_interleave(torch.arange(len(chunk)), lengths)
            residue_index = torch.cat([torch.arange(int(length)) for length in lengths])
            made.append(ResidueBatch(x, segment, torch.tensor(list(chunk)), residue_index))
        return ListBatches(made)

    return make


def toy_plan(toy: ToyProteins, architecture: str, **trainer: Any) -> TrainingPlan:
    """Return a training of three epochs of four steps, the state saved after every third."""
    settings = {"epochs": 3, "residues_per_protein": 16, "proteins_per_batch": 10, "device": "cpu"}
    config = TrainerConfig(
        **{**settings, "save_every": 3, "log_every": 2, "dead_after_n_tokens": 500, **trainer}
    )
    split = ["train"] * 40 + ["validation"] * 15 + ["test"] * 5
    proteins = pd.DataFrame({"protein_id": toy.ids, "split": split})
    source = Source(toy.store(), "layers.0.resid_post", proteins)
    knowledge = None
    if architecture == "protsae":
        rows = [(toy.ids[p], c) for p, c in zip(*toy.labels.nonzero(), strict=True)]
        concepts = pd.DataFrame(
            {"concept_idx": [0, 1], "concept_id": ["GO:1", "GO:2"], "aspect": "BPO", "level": "protein"}
        )
        tables = LabelTables(
            concepts,
            pd.DataFrame(rows, columns=["protein_id", "concept_idx"]),
            pd.DataFrame({"protein_id": toy.ids, "aspect": "BPO"}),
            pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
        )
        axioms = [("NF1", 0, -1, 1), ("NF4", 1, 0, 2)]
        knowledge = Knowledge(tables, pd.DataFrame(axioms, columns=["normal_form", "c", "relation", "d"]))
    return TrainingPlan(architecture, source, SizeAndSeed(48, 3, 0), config, {}, knowledge)
