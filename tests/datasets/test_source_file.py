"""Files that the user gives."""

from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from protsae.core.errors import InputError
from protsae.datasets import SourceFileDataset


def test_it_loads_to_the_path(tmp_path):
    path = tmp_path / "proteins.fasta"
    path.write_text(">P1\nACD\n")
    config = {"raw_fasta": {"type": "protsae.datasets.SourceFileDataset", "filepath": str(path)}}
    catalog = DataCatalog.from_config(config)
    assert catalog.load("raw_fasta") == path
    assert catalog.exists("raw_fasta")


def test_a_missing_file_is_named_with_its_purpose_and_the_way_out(tmp_path):
    dataset = SourceFileDataset(
        filepath=str(tmp_path / "x.obo"), metadata={"purpose": "the ontology, as OBO"}
    )
    assert not dataset.exists()
    message = r"x\.obo \(the ontology, as OBO\) does not exist: .*raw_root.*`filepath`"
    with pytest.raises(InputError, match=message) as caught:
        dataset.load()
    assert not str(caught.value).startswith("Failed while loading")


def test_a_folder_is_refused(tmp_path):
    dataset = SourceFileDataset(filepath=str(tmp_path))
    assert not dataset.exists()
    with pytest.raises(InputError, match="is a folder, not a file"):
        dataset.load()


def test_an_unreadable_file_is_refused(tmp_path, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InputError, match="cannot be read: Permission denied"):
        SourceFileDataset(filepath=str(tmp_path / "x")).load()


def test_it_is_never_saved(tmp_path):
    path = tmp_path / "x"
    path.write_text("mine")
    with pytest.raises(DatasetError, match="never written by a pipeline"):
        SourceFileDataset(filepath=str(path)).save("other")
    assert path.read_text() == "mine"


def test_an_unknown_dataset_is_an_attribute_error():
    import protsae.datasets

    with pytest.raises(AttributeError, match="NoSuchDataset"):
        protsae.datasets.NoSuchDataset  # noqa: B018
