"""A made-up run for the tests of the report."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from protsae.fidelity.densities import HISTOGRAM_COLUMNS, density_histogram
from protsae.metrics.table import stack_tables
from protsae.reporting.alignment import alignment_curves
from protsae.reporting.config import CardLimits, ReportTexts
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.disentanglement import monosemanticity_curves
from protsae.reporting.fidelity import recovered_loss
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


@pytest.fixture(scope="session")
def dictionaries(example: ModuleType) -> Dictionaries:
    return example.DICTIONARIES


def histograms(tables: ReportTables) -> pd.DataFrame:
    """The densities of all dictionaries."""
    statistics = {name: table for name, table in tables.statistics.items() if len(table)}
    parts = [density_histogram(table, name) for name, table in statistics.items()]
    return stack_tables(parts, HISTOGRAM_COLUMNS)


def draw(tables: ReportTables, example: ModuleType, dictionaries: Dictionaries, n_rows: int | None) -> dict:
    """Every figure of the report, of the first rows of logs and of the tables that are not on the page."""
    logs = {name: log[:n_rows] for name, log in example.make_logs(dictionaries).items()}
    alignment = example.make_alignment(dictionaries)[:n_rows]
    return {
        "proteins": protein_overview(tables.proteins),
        "concept_counts": concept_counts(tables.concepts),
        "training": training_curves(logs, dictionaries),
        "methods": method_comparison(tables.metrics, dictionaries),
        "concept_comparison": concept_comparison(tables.concept_metrics, dictionaries),
        "density": latent_density(histograms(tables), dictionaries),
        "latent_f1": latent_f1(tables.latents, dictionaries),
        "recovered_loss": recovered_loss(tables.metrics, dictionaries),
        "alignment": alignment_curves(alignment, dictionaries),
        "monosemanticity": monosemanticity_curves(
            example.make_monosemanticity(dictionaries)[:n_rows], dictionaries
        ),
    }


def render(
    tables: ReportTables,
    example: ModuleType,
    dictionaries: Dictionaries | None = None,
    *,
    title: str = "A made-up run",
    notes: tuple[str, ...] = (),
    n_rows: int | None = None,
) -> str:
    """The report of these tables; `n_rows`: see `draw`."""
    dictionaries = dictionaries or example.DICTIONARIES
    texts = ReportTexts(title=title, notes=notes, attribution=("Made up, CC0",))
    metadata = {"model": "esm2_tiny", "hook_point": "layers.2.resid_post", "concept_ids": ["GO:1"] * 200}
    figures = draw(tables, example, dictionaries, n_rows)
    return render_page(tables, figures, texts, CardLimits(), metadata, dictionaries)


@pytest.fixture(scope="session")
def page(tables: ReportTables, example: ModuleType) -> str:
    """The rendered report of the example."""
    return render(tables, example, notes=("The model is <small>.",))
