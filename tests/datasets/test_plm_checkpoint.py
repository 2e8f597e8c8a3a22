"""The language model as a catalog entry: a file, a folder, a name."""

from urllib.error import URLError

import pytest
import torch
from kedro.io import DataCatalog, DatasetError
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset
from tests.plm.hugging_face_folder import hugging_face_state, write_folder
from tests.plm.tiny_esm2 import fair_esm_content, tiny_esm2, write_safetensors

from protsae.caching import CachingRunner
from protsae.core.errors import InputError
from protsae.datasets import PlmCheckpointDataset
from protsae.plm import load_plm
from protsae.plm.names import ESM2_NAMES, cached_path

NAME = "esm2_t6_8M_UR50D"


@pytest.fixture
def downloads(tmp_path, monkeypatch):
    """Torch's cache in a folder of its own; the list of what was downloaded to it."""
    asked = []

    def download(url, target, **_kwargs):
        asked.append(url)
        torch.save(fair_esm_content(tiny_esm2(len(asked))), target)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    return asked


@pytest.mark.parametrize("variable", ["TORCH_HOME", "XDG_CACHE_HOME", None])
def test_names_lie_where_torch_hub_keeps_them(tmp_path, monkeypatch, variable):
    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, str(tmp_path))
    for name in ESM2_NAMES:
        assert str(cached_path(name)) == f"{torch.hub.get_dir()}/checkpoints/{name}.pt"


def test_a_file_loads_to_its_path(tmp_path):
    path = write_safetensors(tmp_path / "m.safetensors", tiny_esm2())
    config = {"plm": {"type": "protsae.datasets.PlmCheckpointDataset", "filepath": str(path)}}
    assert DataCatalog.from_config(config).load("plm") == path
    path.unlink()
    dataset = PlmCheckpointDataset(filepath=str(path), metadata={"purpose": "the weights"})
    assert not dataset.exists()
    with pytest.raises(InputError, match=r"m\.safetensors \(the weights\) does not exist"):
        dataset.load()
    with pytest.raises(DatasetError, match="never written"):
        dataset.save(1)


@pytest.mark.parametrize("name", ["", "model.safetensors"])
def test_a_folder_loads_to_itself_and_its_configuration_counts(tmp_path, name):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()))
    assert PlmCheckpointDataset(filepath=str(folder / name)).load() == folder
    _, runs = runner(tmp_path, filepath=str(folder / name))
    assert [runs(), runs()] == [1, 1]
    config = folder / "config.json"
    config.write_text(config.read_text().replace("true", "false"))
    assert [runs(), runs()] == [2, 2]


@pytest.mark.parametrize("given", [{}, {"filepath": "x.pt", "model": NAME}])
def test_a_place_or_a_name_but_not_both(given):
    with pytest.raises(InputError, match=r"give either `filepath`.*or `model`, a name"):
        PlmCheckpointDataset(**given)


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match="no ESM-2 model 'esm2_t33_650M': fair-esm's names are esm2_t6_8M"):
        PlmCheckpointDataset(model="esm2_t33_650M")


def test_no_internet_says_what_to_do(downloads, monkeypatch):
    def no_internet(*_args, **_kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_internet)
    dataset = PlmCheckpointDataset(model=NAME)
    assert not dataset.exists()
    with pytest.raises(InputError, match=r"could not be downloaded .*no route to host.*put it there or give"):
        dataset.load()


CALLS: list[str] = []


def describe(path):
    """Node: what the model is."""
    CALLS.append(path.name)
    return {"sha256": load_plm(path).sha256}


def runner(folder, **settings):
    """Return where the node's result lies, and a function that brings it up to date and counts the calls."""
    CALLS.clear()
    result = JSONDataset(filepath=str(folder / "data/08_reporting/model.json"))
    pipeline = Pipeline([Node(describe, "plm_checkpoint", "model", name="describe")])

    def run():
        catalog = DataCatalog({"plm_checkpoint": PlmCheckpointDataset(**settings), "model": result})
        CachingRunner().run(pipeline, catalog)
        return len(CALLS)

    return result, run


def test_a_named_model_is_fetched_once_and_its_content_is_what_counts(tmp_path, downloads):
    result, runs = runner(tmp_path, model=NAME)
    assert [runs(), runs()] == [1, 1]  # not there yet, fetched; then up to date
    assert len(downloads) == 1
    first = result.load()
    cached_path(NAME).unlink()
    assert [runs(), runs()] == [2, 2]  # gone, fetched again with other content
    assert len(downloads) == 2
    assert result.load() != first
