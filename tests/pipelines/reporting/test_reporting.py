"""The reporting pipeline: run as declared, on the example tables, through its own catalog."""

import dataclasses
import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from protsae.disentanglement.nesting import COLUMNS
from protsae.fidelity.densities import density_histogram
from protsae.pipelines.reporting import create_pipeline
from protsae.pipelines.reporting.parameters import ReportingParameters
from protsae.pipelines.reporting.pipeline import _FILES
from protsae.pipelines.wiring import Wiring
from protsae.probing.config import ComparisonConfig

ARCHITECTURES = {"protsae": "protsae", "topk": "topk"}
ROOT = Path(__file__).parents[3]
# Dots in dataset names are the namespaces that training and probing write under.
pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")


@pytest.fixture(scope="module")
def example():
    path = ROOT / "tests" / "reporting" / "example_tables.py"
    spec = importlib.util.spec_from_file_location("example_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def after_collection() -> Pipeline:
    """Return the pipeline without `collect_metrics`: the example has the table that it makes."""
    nodes = create_pipeline(Wiring(ARCHITECTURES)).nodes
    return Pipeline([node for node in nodes if node.name != "collect_metrics"])


def parameters() -> ReportingParameters:
    text = (ROOT / "conf" / "base" / "parameters_report.yml").read_text(encoding="utf-8")
    return ReportingParameters(**yaml.safe_load(text)["reporting"])


def test_pipeline_writes_figures_and_page(example, tmp_path):
    text = (ROOT / "conf" / "base" / "catalog_08_reporting.yml").read_text(encoding="utf-8")
    entries = yaml.safe_load(text.replace("${globals:data_root}", str(tmp_path)))
    entries = {name: entry for name, entry in entries.items() if name in after_collection().all_outputs()}
    catalog = DataCatalog.from_config(entries)
    tables, logs = example.make_tables(), example.make_logs()
    given = {
        **{field.name: getattr(tables, field.name) for field in dataclasses.fields(tables)},
        "density_histogram": pd.concat(
            [density_histogram(table, name) for name, table in tables.statistics.items()], ignore_index=True
        ),
        **{f"{name}.latent_statistics": table for name, table in tables.statistics.items()},
        **{f"{name}.training_log": log for name, log in logs.items()},
        "protsae.sae_checkpoint": SimpleNamespace(metadata={"model": "esm2_tiny"}),
        "topk.sae_checkpoint": SimpleNamespace(metadata={"model": "another"}),
        "concept_alignment": example.make_alignment(),
        "monosemanticity": example.make_monosemanticity(),
        "absorption": pd.DataFrame(columns=list(COLUMNS)),
        "params:dictionaries": {name: {"architecture": name} for name in ARCHITECTURES},
        "params:comparison": ComparisonConfig(subject="protsae", rival="topk"),
        **dict.fromkeys(_FILES),
        "raw_sequences": ROOT / "conf" / "base" / "parameters_report.yml",
        "raw_concept_tables": {},
        "params:reporting.texts": parameters().texts,
        "params:reporting.cards": parameters().cards,
    }
    pipeline = after_collection()
    for name in pipeline.inputs():
        catalog[name] = MemoryDataset(given[name], copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)

    page = (tmp_path / "08_reporting" / "report" / "index.html").read_text(encoding="utf-8")
    assert "<h1>Named features of a protein language model</h1>" in page
    assert "esm2_tiny" in page
    assert "Files of this run: sequences: parameters_report.yml (SHA-256 " in page
    assert "Swiss-Prot" not in page and "Gene Ontology, release" not in page
    assert {path.stem for path in (tmp_path / "08_reporting" / "figures").iterdir()} == {
        "proteins",
        "concept_counts",
        "training",
        "methods",
        "concept_comparison",
        "density",
        "latent_f1",
        "recovered_loss",
        "fidelity_strata",
        "alignment",
        "monosemanticity",
        "absorption",
    }
    assert set(entries) == pipeline.all_outputs()


def test_nodes_are_named_after_their_functions():
    for node in after_collection().nodes:
        assert node.name == node.func.__name__


def test_unknown_parameter_is_named_with_the_nearest():
    with pytest.raises(ValueError, match="unknown key 'max_defind', did you mean 'max_defined'"):
        ReportingParameters(texts={"title": "x"}, cards={"max_defind": 3})
