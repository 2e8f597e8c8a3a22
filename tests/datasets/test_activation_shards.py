"""The folder of activation shards as a dataset."""

import numpy as np
import pytest
from tests.plm.tiny_esm2 import fair_esm_activations, random_sequences, tiny_esm2, tiny_model

from protsae.activations import writer
from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.core.errors import InputError
from protsae.datasets import ActivationShardsDataset

SEQUENCES = dict(zip(("A", "B", "C"), random_sequences([4, 9, 6]), strict=True))


@pytest.fixture
def plan(tmp_path):
    config = ExtractionConfig(
        hook_point="layers.0.resid_mid",
        max_tokens_per_batch=100,
        proteins_per_shard=2,
        dtype="float32",
        long_sequences="full",
        max_residues=1022,
    )
    return plan_extraction(list(SEQUENCES), list(SEQUENCES.values()), tiny_model(tmp_path), config)


@pytest.fixture
def dataset(tmp_path):
    return ActivationShardsDataset(filepath=str(tmp_path / "activations"))


def test_a_plan_is_run_on_saving_and_read_on_loading(plan, dataset):
    assert not dataset.exists()
    dataset.save(plan)
    assert dataset.exists()
    store = dataset.load()
    assert sorted(store.protein_ids) == ["A", "B", "C"]
    for name, values in store.iter_proteins("layers.0.resid_mid"):
        theirs = fair_esm_activations(tiny_esm2(), [SEQUENCES[name]])["layers.0.resid_mid"].numpy()
        np.testing.assert_allclose(values, theirs, rtol=1e-5, atol=1e-5)


def test_it_does_not_exist_until_the_manifest_does(plan, dataset, tmp_path, monkeypatch):
    def fail(table, job, path):
        if path.name == "shard-00001.parquet":
            raise KeyboardInterrupt
        original(table, job, path)

    original = writer.write_shard
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_shard", fail)
        with pytest.raises(KeyboardInterrupt):
            dataset.save(plan)
    assert [path.name for path in (tmp_path / "activations").iterdir()] == ["shard-00000.parquet"]
    assert not dataset.exists()
    with pytest.raises(InputError, match="the extraction never finished"):
        dataset.load()
    dataset.save(plan)
    assert dataset.load().lengths() == {"A": 4, "B": 9, "C": 6}


def test_user_errors_are_not_wrapped_by_kedro(plan, dataset, monkeypatch):
    def full(*_args):
        raise InputError("no room: free 3 GB")

    monkeypatch.setattr(writer, "_check_disk", full)
    with pytest.raises(InputError) as caught:
        dataset.save(plan)
    assert str(caught.value) == "no room: free 3 GB"


def test_it_describes_itself_by_its_folder(dataset, tmp_path):
    assert dataset._describe() == {"filepath": str(tmp_path / "activations")}
    assert dataset._filepath == tmp_path / "activations"
