"""The sweeps pipeline over a toy store: from the list to one table, through the catalog."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import ParquetDataset
from tests.sweeps.conftest import JUDGING
from tests.training.conftest import ToyProteins, toy_plan

from protsae.core.errors import InputError
from protsae.datasets import SweepDataset
from protsae.pipelines.sweeps import create_pipeline
from protsae.pipelines.sweeps.parameters import SweepsParameters
from protsae.probing.config import ComparisonConfig
from protsae.sae.config import GuidanceConfig
from protsae.sweeps.config import SweepConfig
from protsae.sweeps.processes import ProcessExecutor

SWEEP = {
    "seeds": [3],
    "hook_points": ["layers.0.resid_post"],
    "members": [{"architecture": "topk", "k": [2, 3]}],
    "ablations": {"no_detach": {"detach": False}},
}


JUDGED = (
    *(
        "topk_latent",
        "topk_probe",
        "no_detach_latent",
        "no_detach_gate",
        "no_detach_predictor",
        "no_detach_probe",
    ),
    *("linear_probe", "prevalence", "shuffled_labels", "composition_probe"),
    *("gated_linear_probe", "neurons_latent", "random_directions_latent"),
    *(f"{name}_k{k}" for name in ("topk", "no_detach", "neurons", "random_directions") for k in (1, 5, 20)),
)


@pytest.fixture
def catalog(data, tmp_path):
    tables = data.known.tables
    inputs = {
        "activation_shards": data.store,
        "proteins": data.known.proteins,
        "protein_labels": tables.protein_labels,
        "labelled_aspects": tables.labelled_aspects,
        "residue_labels": tables.residue_labels,
        "concepts": tables.concepts,
        "axioms": data.axioms,
        "concept_terms": data.known.terms,
        "concept_relations": data.known.relations,
        "params:training.d_sae": 32,
        "params:training.k": 4,
        "params:training.trainer": toy_plan(ToyProteins(), "topk", epochs=1).trainer,
        "params:training.guidance": GuidanceConfig(),
        "params:sweeps.sweep": SweepConfig.model_validate(SWEEP),
        "params:sweeps.judging": JUDGING,
        "params:dictionaries": {"protsae": {"architecture": "protsae"}, "topk": {"architecture": "topk"}},
        "params:comparison": ComparisonConfig(subject="protsae", rival="topk"),
    }
    memory = {name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()}
    return DataCatalog(
        {
            **memory,
            "sweep_members": SweepDataset(filepath=str(tmp_path / "sweeps"), metadata={"a": 1}),
            **{name: MemoryDataset() for name in ("sweep_comparison", "sweep_ablations")},
            "sweep_metrics": ParquetDataset(filepath=str(tmp_path / "metrics.parquet")),  # memory is released
            **{f"figure_sweep_{name}": MemoryDataset() for name in ("curves", "ablations", "layers")},
        }
    )


def test_a_run_gives_members_and_one_table(catalog, tmp_path):
    assert not catalog["sweep_members"].exists()
    SequentialRunner().run(create_pipeline(), catalog)
    table = catalog["sweep_metrics"].load()
    compared = catalog["sweep_comparison"].load().set_index("method")
    assert compared.index.value_counts().to_dict() == dict.fromkeys(JUDGED, 1) | {
        **{f"topk_{role}": 2 for role in ("latent", "probe", "k1", "k5", "k20")},
    }
    assert set(catalog["sweep_ablations"].load()["ablation"]) <= {"no_detach"}
    assert catalog["figure_sweep_curves"].load().data
    assert isinstance(table, pd.DataFrame)
    assert set(table["method"]) == {*JUDGED, "topk", "no_detach"}
    runs = table[table["method"].isin(["topk", "no_detach"])]
    assert set(runs["seed"]) == {3} and set(runs["k"]) == {2, 3, 4}
    about = [path.name for path in (tmp_path / "sweeps").iterdir() if path.is_dir()]
    assert sorted(about)[0] == "no_detach-layers.0.resid_post-d32-k4-seed3"
    assert catalog["sweep_members"].exists()


def test_errors_for_users_pass_through_kedro(tmp_path):
    with pytest.raises(InputError, match="the sweep never finished"):
        SweepDataset(filepath=str(tmp_path)).load()


def test_workers_and_processes_may_be_named_in_the_catalog(tmp_path):
    executor = SweepDataset(filepath=str(tmp_path), processes=2)._how
    assert isinstance(executor, ProcessExecutor) and executor._n_processes == 2
    dataset = SweepDataset(filepath=str(tmp_path), ray={"n_workers": 2})
    assert type(dataset._how).__name__ == "RayExecutor"
    assert str(tmp_path) in str(dataset)


def test_a_sweep_needs_seeds():
    with pytest.raises(ValueError, match="seeds"):
        SweepsParameters(sweep={"seeds": [], "hook_points": ["a"]})
