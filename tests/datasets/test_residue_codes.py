"""Codes of residues through the catalog."""

import numpy as np
import pytest
from kedro.io import DatasetError
from tests.code_store import stored_codes

from protsae.datasets import ResidueCodesDataset


def test_codes_are_saved_whole_and_loaded_without_torch(tmp_path):
    acts = {"a": np.eye(3, dtype=np.float32)}
    dataset = ResidueCodesDataset(filepath=str(tmp_path / "data" / "codes"))
    assert not dataset.exists()
    dataset.save(stored_codes(tmp_path / "codes", acts, {"a": "test"}))
    assert dataset.exists()
    assert dataset.load().codes("a").latents.tolist() == [0, 1, 2]
    (tmp_path / "data/codes/codes.json").unlink()
    assert not dataset.exists()


def test_damage_is_a_dataset_error_that_names_the_file(tmp_path):
    dataset = ResidueCodesDataset(filepath=str(tmp_path / "codes"))
    dataset.save(stored_codes(tmp_path / "made", {"a": np.eye(3)}, {"a": "test"}))
    (tmp_path / "codes/latent.bin").write_bytes(b"")
    with pytest.raises(DatasetError, match=r"latent\.bin has 0 bytes, the index says 6; encode again"):
        dataset.load()
