"""The missing-annotations pipeline run whole, in memory."""

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.missing.missing_example import Example

from protsae.missing.candidates import COLUMNS
from protsae.missing.check import CHECK_COLUMNS
from protsae.pipelines.missing_annotations import create_pipeline
from protsae.pipelines.missing_annotations.parameters import MissingAnnotationsParameters
from protsae.pipelines.wiring import Wiring
from protsae.probing.config import ScoringConfig

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    return Example(tmp_path_factory.mktemp("missing") / "codes")


def run(example, **changed):
    parameters = MissingAnnotationsParameters(hiding={"n_top": 10, "n_draws": 2, "n_resamples": 20})
    own, references = example.score_tables()
    given = {
        "proteins": example.proteins,
        **example.labels,
        **example.ontology,
        "neighbours": example.neighbours,
        "mean_activations": example.activations,
        "sae.residue_codes": example.codes,
        "sae.encoding": example.encoding,
        "sae.concept_scores": own,
        "references.concept_scores": references,
        "params:probing.scoring": ScoringConfig(),
        "params:missing_annotations.candidates": parameters.candidates,
        "params:missing_annotations.hiding": parameters.hiding,
        **changed,
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    for name in ("sae.missing_annotations", "missing_annotations_check"):
        catalog[name] = MemoryDataset()
    SequentialRunner().run(create_pipeline(Wiring({"sae": "protsae"})), catalog)
    return catalog.load("sae.missing_annotations"), catalog.load("missing_annotations_check")


def test_candidates_and_their_check(example):
    candidates, check = run(example)
    assert list(candidates.columns) == list(COLUMNS)
    assert len(candidates) > 3 and set(candidates["method"]) == {"sae"}
    assert list(check.columns) == list(CHECK_COLUMNS)
    methods = ["sae_latent", "sae_listed", "sae_predictor", "nearest_neighbour", "prevalence"]
    assert sorted(set(check["method"])) == sorted(methods)
    value = check.set_index(["method", "stratum", "metric"])["value"]
    assert value["sae_predictor", "all", "precision_at_10"] > value["prevalence", "all", "precision_at_10"]


def test_two_runs_give_equal_tables(example):
    for one, other in zip(run(example), run(example), strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_without_concepts_of_whole_proteins_the_tables_are_empty(example):
    concepts = example.labels["concepts"].assign(level="residue")
    candidates, check = run(example, concepts=concepts)
    assert len(candidates) == len(check) == 0
    assert list(candidates.columns) == list(COLUMNS) and list(check.columns) == list(CHECK_COLUMNS)
