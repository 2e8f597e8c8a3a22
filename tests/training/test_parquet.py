"""Training on somebody's Parquet files from Python: no manifest of ours, no language model."""

from dataclasses import replace

import numpy as np
import pytest
from tests.activations.test_parquet import write

from protsae.activations.parquet import ParquetStore
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sequences.split import SplitConfig, split_of_cluster
from protsae.training.config import ParquetConfig, TrainerConfig
from protsae.training.parquet import read_parquet_tables
from protsae.training.plan import SizeAndSeed, Source, TrainingPlan, log_of

CONFIG = TrainerConfig(
    epochs=8, residues_per_protein=16, proteins_per_batch=10, learning_rate=1e-2, device="cpu"
)


def plan_on_parquet(store, architecture, size, trainer, **config) -> TrainingPlan:
    proteins, knowledge = read_parquet_tables(store, ParquetConfig(**config))
    source = Source(store, store.column, proteins)
    guided = knowledge if architecture == "protsae" else None
    return TrainingPlan(architecture, source, size, trainer, {}, guided)


@pytest.fixture
def folder(toy, tmp_path):
    proteins = dict(zip(toy.ids, toy.x, strict=True))
    labels = {
        protein_id: [f"L{c}" for c in np.flatnonzero(row)] + ["rare"] * (protein_id == "P000")
        for protein_id, row in zip(toy.ids, toy.labels, strict=True)
    }
    write(tmp_path / "0.parquet", proteins, dtype="float16", rows_per_group=500, labels=labels)
    return tmp_path


def test_an_unguided_training_explains_the_planted_residues(folder, tmp_path):
    plan = plan_on_parquet(ParquetStore(folder), "topk", SizeAndSeed(48, 4, 0), CONFIG)
    plan.run(tmp_path / "out/sae.safetensors")
    made = SaeCheckpoint(tmp_path / "out/sae.safetensors")
    assert made.metadata["training"]["validation/fve"] > 0.5
    assert made.metadata["hook_point"] == "embedding"
    split = plan.source.proteins.set_index("protein_id")["split"]
    assert len(split) == 60 and 28 <= (split == "train").sum() <= 44
    config = SplitConfig()
    assert all(one == split_of_cluster(name, config.salt, config.fractions) for name, one in split.items())


def test_labels_of_the_files_guide_protsae(folder, tmp_path):
    plan = plan_on_parquet(ParquetStore(folder), "protsae", SizeAndSeed(48, 3, 0), CONFIG, min_proteins=5)
    plan.run(tmp_path / "out/sae.safetensors")
    made = SaeCheckpoint(tmp_path / "out/sae.safetensors")
    assert made.metadata["concept_ids"] == ["L0", "L1"]
    log = log_of(made)
    auc = log.loc[log["term"] == "auc/predictor", "value"]
    assert auc.max() > 0.8


def test_splits_of_the_files_are_kept(toy, tmp_path):
    proteins = dict(zip(toy.ids, toy.x, strict=True))
    splits = {protein_id: "train" if i < 50 else "validation" for i, protein_id in enumerate(toy.ids)}
    write(tmp_path / "0.parquet", proteins, split=splits)
    plan = plan_on_parquet(ParquetStore(tmp_path), "topk", SizeAndSeed(48, 4, 0), CONFIG)
    assert dict(plan.source.proteins.itertuples(index=False)) == splits
    splits["P059"] = "dev"
    write(tmp_path / "0.parquet", proteins, split=splits)
    with pytest.raises(InputError, match="column 'split' says 'dev', expected train, validation, test"):
        plan_on_parquet(ParquetStore(tmp_path), "topk", SizeAndSeed(48, 4, 0), CONFIG)


def test_guidance_without_labels_or_with_rare_ones_is_refused(toy, folder, tmp_path):
    with pytest.raises(
        InputError, match=r"no label is on 50 training proteins, the most frequent on \d+: lower"
    ):
        plan_on_parquet(ParquetStore(folder), "protsae", SizeAndSeed(48, 3, 0), CONFIG, min_proteins=50)
    write(folder / "0.parquet", dict(zip(toy.ids, toy.x, strict=True)))
    _, (tables, axioms) = read_parquet_tables(ParquetStore(folder), ParquetConfig())
    assert tables.concepts.empty and axioms.empty
    with pytest.raises(InputError, match="there are no concepts to guide"):
        plan_on_parquet(ParquetStore(folder), "protsae", SizeAndSeed(48, 3, 0), CONFIG).run(tmp_path / "out")


def test_activations_of_an_extraction_are_no_files_of_any_origin(toy):
    with pytest.raises(InputError, match=r"kedro run --env parquet --params training\.manifest=PATH"):
        read_parquet_tables(toy.store(), ParquetConfig())


def test_an_unknown_architecture_is_refused(folder, tmp_path):
    plan = plan_on_parquet(ParquetStore(folder), "topk", SizeAndSeed(48, 4, 0), CONFIG)
    with pytest.raises(InputError, match="'tok' is unknown"):
        replace(plan, architecture="tok").run(tmp_path / "out/sae.safetensors")
