"""What a user can cause comes as one line with its cause; what is a bug does not."""

import errno
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from kedro.framework.context import KedroContext
from kedro.io import DataCatalog, DatasetError
from kedro_datasets.pandas import CSVDataset

from protsae.config_loader import ARGUMENTS, ProjectConfigLoader
from protsae.core.errors import InputError
from protsae.core.files import atomic_path, sha256_file
from protsae.failures import explain
from protsae.hooks import RunRecordHooks
from protsae.sae.config import TopKConfig


def raised_by(work, *arguments) -> Exception:
    try:
        work(*arguments)
    except Exception as error:  # noqa: BLE001  (whatever it is)
        return error
    raise AssertionError("nothing was raised")


def os_error(number: int, *names: str) -> OSError:
    return OSError(number, os.strerror(number), *names)


def below(error: Exception, message: str) -> DatasetError:
    outer = DatasetError(message)
    outer.__cause__ = error
    return outer


def too_large() -> None:
    np.empty(1 << 60, np.uint8)


def read_from_a_broken_disk() -> None:
    sha256_file("/proc/self/mem")


def too_large_for_torch() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


OURS = "protsae.datasets"
SAVING = (
    "Failed while saving data to dataset kedro_datasets.CSVDataset(filepath=PurePosixPath('/d/x.csv'), a=1)"
)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (os_error(errno.ENOSPC, "/d/x"), "/d/x: the disk is full"),
        (below(os_error(errno.ENOSPC), SAVING), "/d/x.csv: the disk is full"),
        (below(RuntimeError("I/O error: No space left on device (os error 28)"), SAVING), "disk is full"),
        (os_error(errno.EROFS, "/d/x"), "/d/x: the file system is read-only"),
        (os_error(errno.EACCES, "/d/x"), "/d/x: no permission"),
        (os_error(errno.EISDIR, "/d/x"), "/d/x: Is a directory"),
        (os_error(errno.EMFILE), "too many files are open"),
        (raised_by(too_large), "too little memory"),
        (raised_by(too_large_for_torch), "too little memory"),
        (below(raised_by(too_large_for_torch), "Failed while saving"), r"^too little memory \(\["),
        (raised_by(lambda: torch.empty(10**18, 160)), r"too little memory \(Storage size"),
        (raised_by(read_from_a_broken_disk), r"^/proc/self/mem: Input/output error"),
        (raised_by(lambda: Path("a" * 5000).read_text()), r"^a{100}\.\.\. File name too long"),
        (MemoryError(), r"too little memory \(MemoryError\)"),
        (raised_by(Path("a\0b").stat), "holds a NUL character"),
        (below(InputError("x:3: no"), SAVING), "^x:3: no$"),
    ],
)
def test_errors_of_the_system(error, message):
    found = explain(error)
    assert found is not None and re.search(message, found) and "\n" not in found


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyError("x"), RuntimeError("y"), None])
def test_a_bug_is_not_explained(error):
    assert explain(error) is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "protsae.datasets.Nope", "filepath": "x"}, "'x'.*Nope' not found"),
        ({"type": "nope.Nope", "filepath": "x"}, "'x'.*No module named 'nope'"),
        (
            {"type": "protsae.datasets.SaeCheckpointDataset", "filepth": "x"},
            "argument 'filepth'. Dataset 'x'",
        ),
        ({"filepath": "x"}, "'x'.*'type' is missing"),
        (5, "'x' is not a valid"),
        (
            {"type": "protsae.datasets.ActivationShardsDataset", "filepath": "x", "ray": {"a": 1}},
            "unknown key",
        ),
    ],
)
def test_catalog_entries(entry, message):
    found = explain(raised_by(lambda: DataCatalog.from_config({"x": entry}).get("x")))
    assert found is not None and re.search(message, found) and "\n" not in found


def test_settings_that_a_model_refuses():
    assert "d_sae" in str(explain(raised_by(TopKConfig.model_validate, {"d_sae": "x"})))


FAULTS = {
    "syntax": ("a: [1,", "line 2"),
    "tab": ("a:\n\tb: 1\n", "line 2"),
    "twice": ("training:\n  k: 4\n  k: 5\n", "duplicate key k.*line 3"),
    "latin-1": (b"a: \xe9\n", "'utf-8' codec can't decode byte 0xe9 in position 3"),
    "list": ("- 1\n", "holds no names"),
    "code": ('a: !!python/object/apply:os.system ["true"]\n', "could not determine a constructor"),
    "deep": ("a: " + "[" * 5000 + "]" * 5000, "line 1 is nested over 100 deep"),
    "deep list": ("a:\n  " + "- " * 50_000 + "1\n", "line 2 is nested over 100 deep"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_configuration_files_are_named(tmp_path, fault):
    content, message = FAULTS[fault]
    for environment in ("base", "local"):
        (tmp_path / environment).mkdir()
    path = tmp_path / "local" / "parameters_x.yml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    read = lambda: ProjectConfigLoader(conf_source=str(tmp_path), **ARGUMENTS)["parameters"]  # noqa: E731
    found = explain(raised_by(read))
    assert found is not None and re.match(f"{re.escape(str(path))}: .*{message}", found)
    assert "\n" not in found


def test_a_key_in_two_files_names_both(tmp_path):
    (tmp_path / "local").mkdir()
    (tmp_path / "base").mkdir()
    for name in ("parameters.yml", "parameters_x.yml"):
        (tmp_path / "base" / name).write_text("training: {k: 4}\n")
    loader = ProjectConfigLoader(conf_source=str(tmp_path), **ARGUMENTS)
    with pytest.raises(InputError, match=r"Duplicate keys.*base/parameters.*training\.k"):
        loader["parameters"]


def test_braces_in_the_path_of_the_project(tmp_path):
    context = KedroContext.__new__(KedroContext)
    context.__dict__["project_path"] = tmp_path / "pr{oj}"
    with pytest.raises(InputError, match="has braces"):
        RunRecordHooks().after_context_created(context)


def test_a_full_disk_is_told_by_its_free_space(tmp_path, monkeypatch):
    """torch and safetensors report it in words of their own."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    with pytest.raises(OSError, match="No space left") as caught, atomic_path(tmp_path / "x"):
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
    assert str(tmp_path / "x") in str(explain(caught.value)) and "disk is full" in str(explain(caught.value))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_table_names_its_file(tmp_path):
    (tmp_path / "x.csv").write_bytes(b'a,b\n1,"2\n')
    dataset = CSVDataset(filepath=str(tmp_path / "x.csv"), load_args={"quoting": 0})
    found = explain(raised_by(dataset.load))
    assert found is not None and "x.csv" in found and "\n" not in found
