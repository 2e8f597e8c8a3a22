"""Files that the user gives."""

import os
from pathlib import Path

import pytest
from kedro.io import DataCatalog, DatasetError

from protsae.core.errors import InputError
from protsae.datasets import SourceFileDataset, SourceFilesDataset, SourceFolderDataset


def test_it_loads_to_the_path(tmp_path):
    path = tmp_path / "proteins.fasta"
    path.write_text(">P1\nACD\n")
    config = {"raw_sequences": {"type": "protsae.datasets.SourceFileDataset", "filepath": str(path)}}
    catalog = DataCatalog.from_config(config)
    assert catalog.load("raw_sequences") == path
    assert catalog.exists("raw_sequences")


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


def test_folders_and_pipes_are_refused_before_they_are_hashed(tmp_path):
    """Opening a pipe without a writer would wait for ever."""
    (tmp_path / "x.fa.gz").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name, message in (("x.fa.gz", "is a folder, not a file"), ("pipe", "is a named pipe or a device")):
        path = str(tmp_path / name)
        for step in (
            SourceFileDataset(filepath=path).check,
            SourceFileDataset(filepath=path).load,
            SourceFilesDataset(files={"x": {"filepath": path}}).fingerprint,
            SourceFilesDataset(files={"x": {"filepath": path}}).load,
        ):
            with pytest.raises(InputError, match=message):
                step()
    SourceFileDataset(filepath=None).check()
    SourceFileDataset(filepath=str(tmp_path / "missing")).check()


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


def test_an_input_may_be_left_out():
    dataset = SourceFileDataset(filepath=None)
    assert dataset.exists()
    assert dataset.load() is None
    assert dataset.is_absent


def test_several_files_load_by_name(tmp_path):
    (tmp_path / "m.txt").write_text("x")
    files = {"metal": {"filepath": str(tmp_path / "m.txt")}}
    config = {"raw": {"type": "protsae.datasets.SourceFilesDataset", "files": files}}
    assert DataCatalog.from_config(config).load("raw") == {"metal": tmp_path / "m.txt"}
    assert SourceFilesDataset(files={}).load() == {}


def test_the_fingerprint_of_several_files_follows_names_and_bytes(tmp_path):
    path = tmp_path / "m.txt"
    path.write_text("x")

    def of(*names: str) -> str | None:
        return SourceFilesDataset(files={name: {"filepath": str(path)} for name in names}).fingerprint()

    first = of("metal")
    assert of("metal") == first
    assert len({of(), first, of("zinc"), of("metal", "zinc")}) == 4
    path.write_text("y")
    assert of("metal") != first
    path.unlink()
    assert of("metal") is None


def test_one_missing_file_of_several_is_named(tmp_path):
    dataset = SourceFilesDataset(
        files={"metal": {"filepath": str(tmp_path / "m.txt")}}, metadata={"purpose": "binding sites"}
    )
    assert not dataset.exists()
    with pytest.raises(InputError, match=r"m\.txt \(binding sites\) does not exist"):
        dataset.load()
    with pytest.raises(DatasetError, match="never written by a pipeline"):
        dataset.save({})


def test_an_entry_without_filepath_is_refused():
    with pytest.raises(InputError, match=r"files\.metal: expected `\{filepath: path\}`, found 'm.txt'"):
        SourceFilesDataset(files={"metal": "m.txt"})


def test_folder_loads_to_its_path_and_errors_name_the_fix(tmp_path):
    assert SourceFolderDataset(filepath=str(tmp_path)).load() == tmp_path
    assert SourceFolderDataset(filepath=None).load() is None
    missing = SourceFolderDataset(filepath=str(tmp_path / "structures"))
    assert not missing.exists()
    assert not missing.is_absent
    with pytest.raises(InputError, match="structures is no folder: make it"):
        missing.load()
    (tmp_path / "structures").write_text("a file")
    with pytest.raises(InputError, match="structures is no folder"):
        missing.load()


def test_optional_folder_counts_as_not_given_until_it_is_there(tmp_path):
    dataset = SourceFolderDataset(filepath=str(tmp_path / "prediction"), optional=True)
    assert dataset.is_absent
    assert dataset.exists()
    assert dataset.load() is None
    (tmp_path / "prediction").mkdir()
    assert not dataset.is_absent
    assert dataset.load() == tmp_path / "prediction"


def test_an_optional_file_that_is_not_there_is_none(tmp_path):
    path = tmp_path / "arms.csv"
    dataset = SourceFileDataset(filepath=str(path), optional=True)
    assert (dataset.is_absent, dataset.exists(), dataset.load()) == (True, True, None)
    path.write_text("arm\n")
    assert (dataset.is_absent, dataset.load()) == (False, path)
    needed = SourceFileDataset(filepath=str(tmp_path / "other.csv"))
    assert (needed.is_absent, needed.exists()) == (False, False)
