"""The pretraining pipeline: its declaration, and a run that is killed and goes on."""

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.pretraining.conftest import protein_table, random_proteins, toy_plan

from protsae.pipelines.pretraining import create_pipeline
from protsae.pipelines.pretraining.parameters import PretrainingParameters
from protsae.plm import load_plm
from protsae.pretraining.config import PerplexityConfig, ShapeConfig
from protsae.pretraining.trainer import Pretrainer


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    table = protein_table(random_proteins(20, 0), random_proteins(6, 1), random_proteins(6, 2))
    plm = {
        "type": "protsae.datasets.PretrainedPlmDataset",
        "filepath": str(tmp_path / "06_models/plm.safetensors"),
    }
    return DataCatalog(
        {
            **DataCatalog.from_config({"pretrained_plm": plm}),
            "proteins": MemoryDataset(table),
            "pretraining_log": MemoryDataset(),
            "pretraining_report": MemoryDataset(),
            "params:pretraining.shape": MemoryDataset(ShapeConfig(n_layers=2, d_model=32, n_heads=4)),
            "params:pretraining.trainer": MemoryDataset(toy_plan().trainer),
            "params:pretraining.seed": MemoryDataset(0),
            "params:pretraining.evaluation": MemoryDataset(PerplexityConfig(max_proteins=5)),
        }
    )


def test_training_depends_on_no_setting_of_its_judgement():
    nodes = {node.name: node for node in create_pipeline().nodes}
    settings = {f"params:pretraining.{name}" for name in ("shape", "trainer", "seed")}
    assert set(nodes["pretrain_plm"].inputs) == {"proteins", *settings}
    assert set(nodes["judge_plm"].inputs) == {"pretrained_plm", "proteins", "params:pretraining.evaluation"}


def test_a_run_gives_a_model_its_log_and_its_report(catalog, tmp_path):
    SequentialRunner().run(create_pipeline(), catalog)
    report, log = catalog["pretraining_report"].load(), catalog["pretraining_log"].load()
    model = load_plm(tmp_path / "06_models/plm.safetensors")
    assert report["model"]["sha256"] == model.sha256
    assert report["model"]["n_parameters"] == sum(p.numel() for p in model.module.parameters())
    assert report["training"]["n_train_proteins"] == 20 and report["training"]["chosen_step"] in {2, 4, 6}
    assert report["test"]["n_in_split"] == 6 and report["test"]["n_proteins"] == 5
    # fresh weights guess among all 33 tokens, frequencies of random residues among 20
    assert 18 < report["test"]["floor_perplexity"] < 22 < report["test"]["perplexity"] < 40
    assert sorted(set(log["step"])) == [2, 4, 6]


def test_a_failed_run_goes_on_where_it_stopped(catalog, tmp_path, monkeypatch):
    original = Pretrainer._train_step
    steps: list[int] = []

    def train_step(self):
        steps.append(self._step)
        if self._step == 3 and steps.count(3) == 1:
            raise RuntimeError("killed")
        original(self)

    monkeypatch.setattr(Pretrainer, "_train_step", train_step)
    trainer = toy_plan().trainer.model_copy(update={"save_every": 1})
    catalog["params:pretraining.trainer"] = MemoryDataset(trainer)
    with pytest.raises(Exception, match="killed"):
        SequentialRunner().run(create_pipeline(), catalog)
    SequentialRunner().run(create_pipeline(), catalog)
    assert steps == [0, 1, 2, 3, 3, 4, 5]


def test_unknown_parameter_names_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'shape'"):
        PretrainingParameters(seed=0, shap={})


def test_a_crop_that_no_batch_holds_is_refused():
    with pytest.raises(ValueError, match="tokens_per_batch 200 does not hold a protein of max_residues 199"):
        PretrainingParameters(seed=0, trainer={"tokens_per_batch": 200, "max_residues": 199})
