"""Models that are trained on saving."""

import pytest
import torch
from kedro.io import DatasetError
from tests.pretraining.conftest import toy_plan

from protsae.core.errors import InputError
from protsae.datasets import PretrainedPlmDataset
from protsae.pretraining import trainer as trainer_module


def test_saving_trains_and_loading_gives_the_handle(tmp_path):
    dataset = PretrainedPlmDataset(filepath=str(tmp_path / "plm" / "plm.safetensors"), metadata={"a": 1})
    assert not dataset.exists()
    dataset.save(toy_plan())
    assert dataset.exists() and dataset.metadata == {"a": 1}
    handle = dataset.load()
    assert handle.path == tmp_path / "plm" / "plm.safetensors"
    assert handle.about["fingerprint"] == toy_plan().fingerprint
    assert "plm.safetensors" in str(dataset)


def test_errors_for_users_pass_through_kedro(tmp_path, monkeypatch):
    dataset = PretrainedPlmDataset(filepath=str(tmp_path / "plm.safetensors"))
    with pytest.raises(InputError, match="does not exist"):
        dataset.load()
    nan = torch.tensor([torch.nan], requires_grad=True)
    monkeypatch.setattr(trainer_module, "masked_loss", lambda *_: nan)
    with pytest.raises(InputError, match="stopped at step 0") as caught:
        dataset.save(toy_plan())
    assert isinstance(caught.value, DatasetError)
