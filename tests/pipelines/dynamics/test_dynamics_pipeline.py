"""The dynamics pipeline run whole, on two small trainings."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.training.conftest import ToyProteins, toy_plan

from protsae.core.errors import InputError
from protsae.pipelines.dynamics import create_pipeline
from protsae.pipelines.dynamics.parameters import DynamicsParameters
from protsae.pipelines.wiring import Wiring
from protsae.probing.config import ComparisonConfig
from protsae.sae.checkpoint import SaeCheckpoint

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

CONF = Path(__file__).parents[3] / "conf" / "base"


def inputs(folder, snapshots):
    toy = ToyProteins()
    plans = {name: toy_plan(toy, name, snapshots=snapshots) for name in ("protsae", "topk")}
    for name, plan in plans.items():
        plan.run(folder / name / "sae.safetensors")
    plan = plans["protsae"]
    tables = plan.knowledge.tables
    return {
        **{f"{name}.sae_checkpoint": SaeCheckpoint(folder / name / "sae.safetensors") for name in plans},
        "activation_shards": plan.source.store,
        "proteins": plan.source.proteins,
        "protein_labels": tables.protein_labels,
        "labelled_aspects": tables.labelled_aspects,
        "residue_labels": tables.residue_labels,
        "concepts": tables.concepts,
        "axioms": plan.knowledge.axioms,
        "params:training.trainer": plan.trainer,
        "params:dynamics.onsets": DynamicsParameters().onsets,
        "params:dictionaries": {name: {"architecture": name} for name in plans},
        "params:comparison": ComparisonConfig(subject="protsae", rival="topk"),
    }


def run(given):
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    pipeline = create_pipeline(Wiring({"protsae": "protsae", "topk": "topk"}))
    return {name: found.load() for name, found in SequentialRunner().run(pipeline, catalog).items()}


def test_curves_become_onsets_and_a_figure(tmp_path):
    outputs = run(inputs(tmp_path, snapshots=12))
    onsets = outputs["dynamics_onsets"]
    assert set(onsets["method"]) == {"protsae", "topk"}
    assert {"fve", "l0", "dead_share", "gate_rate", "defined_participation", "auc/latent"} <= set(
        onsets["metric"]
    )
    assert ((onsets["reason"] == "") == onsets["step"].notna()).all()
    figure = outputs["figure_dynamics"]
    assert {trace.name for trace in figure.data} == {"ProtSAE", "TopK SAE"}
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[0] == "Variance explained (fve)"


def test_without_snapshots_the_way_to_them_is_named(tmp_path):
    with pytest.raises(InputError, match=r"--params training\.trainer\.snapshots=24"):
        run(inputs(tmp_path, snapshots=0))
