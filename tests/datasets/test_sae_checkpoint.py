"""Checkpoints through the catalog."""

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline

from protsae.caching.decisions import Decider
from protsae.core.errors import InputError
from protsae.core.files import sha256_file, sha256_text
from protsae.datasets import SaeCheckpointDataset
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae


@pytest.fixture
def sae():
    return TopKSae(TopKConfig(d_model=4, d_sae=8, k=2), torch.Generator().manual_seed(0))


@pytest.fixture
def dataset(tmp_path):
    return SaeCheckpointDataset(filepath=str(tmp_path / "topk" / "sae.safetensors"))


def test_module_with_metadata_makes_the_round_trip(dataset, sae):
    assert not dataset.exists()
    dataset.save((sae, {"seed": 4}))
    assert dataset.exists()
    handle = dataset.load()
    assert handle.metadata["seed"] == 4
    x = torch.randn(3, 4)
    assert torch.equal(handle.load()(x), sae(x))


def test_snapshots_belong_to_the_content_of_their_checkpoint(dataset, sae, tmp_path):
    """Damage in a snapshot makes the node of its training run."""
    catalog = DataCatalog({"x": MemoryDataset(1), "checkpoint": dataset})
    decider = Decider(Pipeline([Node(sha256_text, "x", "checkpoint")]), catalog)
    assert decider._content("checkpoint") is None
    dataset.save(sae)
    contents = [decider._content("checkpoint")]
    for text in ("one", "two"):
        (tmp_path / "topk/snapshots").mkdir(exist_ok=True)
        (tmp_path / "topk/snapshots/step-1.safetensors").write_text(text)
        contents.append(decider._content("checkpoint"))
    assert len(set(contents)) == 3 and contents[0] == sha256_file(tmp_path / "topk/sae.safetensors")


def test_module_alone(dataset, sae):
    dataset.save(sae)
    assert dataset.load().metadata == {"concept_ids": [], "d_model": 4}


def test_a_failed_save_leaves_the_old_file_and_nothing_else(dataset, sae, tmp_path):
    dataset.save((sae, {"seed": 1}))
    with pytest.raises(Exception, match="not JSON serializable"):
        dataset.save((sae, {"seed": object()}))
    assert dataset.load().metadata["seed"] == 1
    assert [path.name for path in (tmp_path / "topk").iterdir()] == ["sae.safetensors"]


def test_errors_for_users_pass_through_kedro(tmp_path):
    path = tmp_path / "sae.safetensors"
    path.write_text("<html>")
    with pytest.raises(InputError, match=r"not a checkpoint of format protsae\.sae"):
        SaeCheckpointDataset(filepath=str(path)).load()
    with pytest.raises(InputError, match="does not exist"):
        SaeCheckpointDataset(filepath=str(tmp_path / "none")).load()


def test_catalog_builds_it_and_it_describes_itself(tmp_path):
    entry = {
        "type": "protsae.datasets.SaeCheckpointDataset",
        "filepath": str(tmp_path / "{method}" / "sae.safetensors"),
        "metadata": {"kedro-viz": {"layer": "models"}},
    }
    dataset = DataCatalog.from_config({"{method}.sae_checkpoint": entry})["topk.sae_checkpoint"]
    assert str(tmp_path / "topk" / "sae.safetensors") in str(dataset)
    assert dataset.metadata == {"kedro-viz": {"layer": "models"}}
