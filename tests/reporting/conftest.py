"""A made-up run for the tests of the report."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.figures import (
    concept_counts,
    latent_density,
    method_comparison,
    protein_overview,
    training_curves,
)
from protsae.reporting.report import render_page
from protsae.reporting.scatters import concept_comparison, latent_f1
from protsae.reporting.tables import ReportTables

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """The module that makes example tables."""
    spec = importlib.util.spec_from_file_location("example_tables", HERE / "example_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tables(example: ModuleType) -> ReportTables:
    return example.make_tables()


def draw(tables: ReportTables, logs: dict) -> dict:
    """Every figure of the report."""
    return {
        "proteins": protein_overview(tables.proteins),
        "concept_counts": concept_counts(tables.concepts),
        "training": training_curves(logs),
        "methods": method_comparison(tables.metrics),
        "concept_comparison": concept_comparison(tables.concept_metrics),
        "density": latent_density(tables.statistics),
        "latent_f1": latent_f1(tables.latents),
    }


def render(
    tables: ReportTables, logs: dict, *, title: str = "A made-up run", notes: tuple[str, ...] = ()
) -> str:
    """The report of these tables."""
    texts = ReportTexts(title=title, notes=notes, attribution=("Made up, CC0",))
    metadata = {"model": "esm2_tiny", "hook_point": "layers.2.resid_post", "concept_ids": ["GO:1"] * 200}
    return render_page(tables, draw(tables, logs), texts, CardLimits(), metadata)


@pytest.fixture(scope="session")
def page(tables: ReportTables, example: ModuleType) -> str:
    """The rendered report of the example."""
    return render(tables, example.make_logs(), notes=("The model is <small>.",))
