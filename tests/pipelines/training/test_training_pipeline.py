"""The training pipeline: its declaration, its parameters, and a run over a toy store."""

import warnings

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS
from protsae.pipelines.training import create_pipeline
from protsae.pipelines.training.parameters import TrainingParameters
from protsae.pipelines.wiring import Wiring
from protsae.sae.config import GuidanceConfig
from protsae.training.config import DictionaryConfig, TrainerConfig

WIRING = Wiring({"guided": "protsae", "plain": "topk", "small": "topk"})
SIZE = {"params:training.hook_point", "params:training.d_sae", "params:training.k", "params:training.seed"}


def test_each_dictionary_depends_on_what_it_uses_and_no_more():
    nodes = {node.name: node for node in create_pipeline(WIRING).nodes}
    common = {"activation_shards", "proteins", "params:training.trainer", *SIZE}
    assert set(nodes["plain.plan_training"].inputs) == common | {"params:dictionaries.plain"}
    guided = {"protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms", "warm_start"}
    guided |= {"params:training.guidance", "params:dictionaries.guided"}
    assert set(nodes["guided.plan_guided_training"].inputs) == common | guided
    for name, plan in (("plain", "plan_training"), ("guided", "plan_guided_training")):
        assert nodes[f"{name}.{plan}"].outputs == [f"{name}.sae_checkpoint"]
        log = nodes[f"{name}.read_training_log"]
        assert (log.inputs, log.outputs) == ([f"{name}.sae_checkpoint"], [f"{name}.training_log"])
    assert len(nodes) == 6


def test_declaring_it_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        create_pipeline(WIRING)


def test_k_larger_than_the_dictionary_is_refused():
    with pytest.raises(ValidationError, match="k 33 is larger than d_sae 32: lower k or raise d_sae"):
        TrainingParameters(hook_point="final_norm", seed=0, d_sae=32, k=33)
    assert TrainingParameters(hook_point="final_norm", seed=0, d_sae=32, k=32).k == 32


def test_unknown_parameter_names_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'guidance'"):
        TrainingParameters(hook_point="final_norm", seed=0, guidence={})


def test_a_run_gives_checkpoints_and_logs(store, tmp_path):
    ids = store.protein_ids
    labels = pd.DataFrame({"protein_id": ids[::3], "concept_idx": 0})
    inputs = {
        "activation_shards": MemoryDataset(store, copy_mode="assign"),
        "proteins": MemoryDataset(
            pd.DataFrame({"protein_id": ids, "split": ["train"] * 20 + ["validation"] * 10})
        ),
        "protein_labels": MemoryDataset(labels),
        "labelled_aspects": MemoryDataset(pd.DataFrame({"protein_id": ids, "aspect": "MFO"})),
        "residue_labels": MemoryDataset(pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS))),
        "concepts": MemoryDataset(
            pd.DataFrame({"concept_idx": [0], "concept_id": ["GO:1"], "aspect": "MFO", "level": "protein"})
        ),
        "axioms": MemoryDataset(
            pd.DataFrame([("NF1", 0, -1, 1)], columns=["normal_form", "c", "relation", "d"])
        ),
        "warm_start": MemoryDataset(None),
        "params:training.hook_point": MemoryDataset("final_norm"),
        "params:training.d_sae": MemoryDataset(16),
        "params:training.k": MemoryDataset(2),
        "params:training.seed": MemoryDataset(0),
        "params:training.trainer": MemoryDataset(TrainerConfig(epochs=2, proteins_per_batch=8)),
        "params:training.guidance": MemoryDataset(GuidanceConfig()),
        "params:dictionaries.guided": MemoryDataset(DictionaryConfig(architecture="protsae")),
        "params:dictionaries.plain": MemoryDataset(DictionaryConfig(architecture="topk")),
        "params:dictionaries.small": MemoryDataset(
            DictionaryConfig(architecture="topk", d_sae=8, k=1, seed=3, trainer={"epochs": 1})
        ),
    }
    for name in WIRING.names:
        inputs[f"{name}.sae_checkpoint"] = _checkpoint(tmp_path, name)
        inputs[f"{name}.training_log"] = MemoryDataset()
    catalog = DataCatalog(inputs)
    SequentialRunner().run(create_pipeline(WIRING), catalog)
    plain, small = (catalog[f"{name}.sae_checkpoint"].load() for name in ("plain", "small"))
    assert (plain.name, plain.config["architecture"], plain.config["d_sae"]) == ("plain", "topk", 16)
    assert (small.name, small.config["d_sae"], small.config["k"]) == ("small", 8, 1)
    assert (small.metadata["seed"], small.metadata["training"]["n_epochs"]) == (3, 1)
    handle = catalog["guided.sae_checkpoint"].load()
    assert handle.metadata["concept_ids"] == ["GO:1"]
    assert handle.config["k"] == 2
    assert handle.load().encode(_tensor(store)).shape == (5, 16)
    log = catalog["guided.training_log"].load()
    assert set(log["epoch"]) == {0, 1} and set(log["split"]) == {"train", "validation"}
    fve = log.loc[(log["term"] == "fve") & (log["epoch"] == handle.metadata["training"]["chosen_epoch"])]
    assert fve["value"].item() == handle.metadata["training"]["validation/fve"]
    assert sorted(path.name for path in (tmp_path / "plain").iterdir()) == [".live.jsonl", "sae.safetensors"]


def _checkpoint(tmp_path, method):
    from protsae.datasets import SaeCheckpointDataset

    return SaeCheckpointDataset(filepath=str(tmp_path / method / "sae.safetensors"))


def _tensor(store):
    import torch

    return torch.from_numpy(next(store.iter_stored("final_norm", store.protein_ids))[2])


@pytest.fixture
def store():
    """Thirty proteins of five residues; what `fit` needs of an `ActivationStore`."""
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(30)]
    x = {protein_id: rng.normal(size=(5, 8)).astype(np.float32) for protein_id in ids}
    position = {protein_id: i for i, protein_id in enumerate(ids)}
    return SimpleNamespace(
        protein_ids=ids,
        d_model=8,
        hook_point_of=lambda wanted: wanted,
        lengths=lambda: dict.fromkeys(ids, 5),
        positions=lambda wanted: np.array([position[i] for i in wanted]),
        n_rows=lambda: dict.fromkeys(ids, 5),
        iter_stored=lambda hook_point, wanted: ((position[i], np.arange(5), x[i]) for i in sorted(wanted)),
        statistics=lambda hook_point, wanted: SimpleNamespace(mean=np.zeros(8), total_variance=8.0),
        fingerprint=lambda: "toy",
        manifest=SimpleNamespace(dtype="float32", model=SimpleNamespace(name="toy", sha256="ab")),
    )
