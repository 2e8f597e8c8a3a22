"""The explorer pipeline: run as declared, on a made-up run, into its own dataset."""

from dataclasses import fields
from pathlib import Path

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from helpers.explorer_run import made_up_run
from protsae.datasets import ExplorerDataset
from protsae.explorer.content import Given
from protsae.explorer.tables import DictionaryTables
from protsae.pipelines.explorer import create_pipeline
from protsae.pipelines.explorer.parameters import ExplorerParameters
from protsae.pipelines.wiring import Wiring
from protsae.probing.config import ComparisonConfig
from protsae.reporting.config import ReportTexts

# Dots in dataset names are the namespaces that training and probing write under.
pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")


@pytest.mark.parametrize("names", [("protsae", "topk"), ("topk",)])
def test_pipeline_gives_a_page_and_all_its_data(tmp_path: Path, names: tuple[str, ...]):
    tables = made_up_run(tmp_path / "run", names=names)
    pipeline = create_pipeline(Wiring(dict(tables.dictionaries.architectures)))
    given = {
        "params:explorer": ExplorerParameters(proteins=("P00003",)),
        "params:reporting.texts": ReportTexts(title="A made-up run"),
        "params:dictionaries": {name: {"architecture": name} for name in names},
        "params:comparison": ComparisonConfig(subject=names[0], rival=names[1] if names[1:] else None),
        "concept_terms": tables.ontology.terms,
        "concept_relations": tables.ontology.relations,
        **{field.name: None for field in fields(Given)},
        **{f"{name}.{f.name}": getattr(own, f.name) for name, own in tables.of.items() for f in fields(own)},
    }
    wanted = pipeline.inputs()
    given |= {name: getattr(tables, name) for name in wanted - given.keys()}
    assert {f"{names[0]}.{f.name}" for f in fields(DictionaryTables)} <= wanted
    explorer = ExplorerDataset(filepath=str(tmp_path / "explorer"))
    catalog = DataCatalog({name: MemoryDataset(given[name], copy_mode="assign") for name in wanted})
    catalog["explorer"] = explorer
    SequentialRunner().run(pipeline, catalog)
    assert explorer.exists()
    page = explorer.load()
    assert "<title>A made-up run</title>" in page.read_text(encoding="utf-8")
    (data,) = (page.parent / "data").iterdir()
    assert {"index.js", "overview.js", f"latent-{len(names) - 1}-4.js", "protein-0.js"} <= {
        path.name for path in data.iterdir()
    }
