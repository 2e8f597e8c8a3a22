"""What the nodes of this project depend on: static, nothing is imported or run."""

import pytest

from protsae.core.code import CodeIndex

pytestmark = pytest.mark.end_to_end

PIPELINES = (
    *(
        "ingestion",
        "annotation",
        "splitting",
        "labelling",
        "extraction",
        "training",
        "fidelity",
        "probing",
        "interpretation",
        "reporting",
    ),
    "pretraining",
)


SHARDS = "protsae.datasets.activation_shards:ActivationShardsDataset"
CHECKPOINT = "protsae.datasets.sae_checkpoint:SaeCheckpointDataset"


@pytest.fixture(scope="module")
def index() -> CodeIndex:
    return CodeIndex()


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_nodes_reach_no_declaration_and_no_computed_import(index, pipeline):
    closure = index.closure([f"protsae.pipelines.{pipeline}.nodes"])
    assert not [name for name in closure.modules if name.endswith(".pipeline")]
    assert closure.computed == set()


def test_extraction_depends_on_model_and_writer_but_no_autoencoder(index):
    closure = index.closure(["protsae.pipelines.extraction.nodes:extract_activations", SHARDS])
    assert {"protsae.plm.forward", "protsae.activations.writer"} <= closure.modules
    assert not [name for name in closure.modules if name.startswith(("protsae.sae", "protsae.training"))]


def test_training_depends_on_the_autoencoders_and_on_no_later_stage(index):
    closure = index.closure(["protsae.pipelines.training.nodes", CHECKPOINT])
    assert {"protsae.sae.topk", "protsae.sae.protsae", "protsae.training.trainer"} <= closure.modules
    later = ("protsae.probing", "protsae.interpretation", "protsae.reporting")
    assert not [name for name in closure.modules if name.startswith(later)]


def test_report_depends_on_its_templates(index):
    closure = index.closure(["protsae.pipelines.reporting.nodes"])
    assert "protsae/reporting/templates/report.html.j2" in closure.data_files


def test_raw_files_depend_on_no_other_dataset_class(index):
    closure = index.closure(["protsae.datasets.source_file:SourceFileDataset"])
    assert not [name for name in closure.modules if name.startswith(("protsae.sae", "protsae.activations"))]
