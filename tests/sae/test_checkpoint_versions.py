"""Files of every format version keep loading: golden ones, and the seam for versions to come."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from protsae.core.errors import InputError
from protsae.sae import checkpoint
from protsae.sae.checkpoint import Migration, SaeCheckpoint, is_checkpoint

DATA = Path(__file__).parent / "data"
GOLDEN = {version: json.loads((DATA / f"version_{version}.json").read_text()) for version in (1, 2, 3)}
FILES = [(version, name) for version, golden in GOLDEN.items() for name in golden if name != "x"]


def _assert_kept(old, new):
    """Every setting of then has its value still; new ones may have joined."""
    for key, value in old.items():
        if isinstance(value, dict):
            _assert_kept(value, new[key])
        else:
            assert new[key] == value, key


@pytest.mark.parametrize(("version", "name"), FILES)
@torch.no_grad()
def test_golden_files(version, name):
    """Never make these files again: they are what users have."""
    handle, golden = SaeCheckpoint(DATA / f"{name}_v{version}.safetensors"), GOLDEN[version]
    expected = golden[name]
    _assert_kept(expected["config"], handle.load().config_json())
    assert (handle.metadata["hook_point"], handle.metadata["seed"]) == ("layers.1.resid_post", 3)
    sae, x = handle.load(), torch.tensor(golden["x"])
    torch.testing.assert_close(sae.encode(x), torch.tensor(expected["codes"]))
    torch.testing.assert_close(sae(x), torch.tensor(expected["reconstruction"]))


@pytest.mark.parametrize("version", GOLDEN)
def test_files_without_a_seal_are_loaded_with_a_warning(version, caplog):
    path = DATA / f"topk_v{version}.safetensors"
    SaeCheckpoint(path).load()
    warned = f"{path} has format version {version}, without a checksum" in caplog.text
    assert warned == (version < 3)


def test_the_newest_version_has_golden_files():
    assert max(GOLDEN) == checkpoint.FORMAT_VERSION


@pytest.fixture
def other_version_2(monkeypatch):
    """A version 2 that counts k one lower and holds half the encoder."""

    def header(about):
        return {**about, "config": about["config"] | {"k": about["config"]["k"] - 1}}

    def tensors(state):
        return state | {"encoder": state["encoder"] / 2}

    monkeypatch.setattr(checkpoint, "FORMAT_VERSION", 2)
    monkeypatch.setitem(checkpoint.MIGRATIONS, 1, Migration(header, tensors))


@pytest.mark.usefixtures("other_version_2")
def test_migrations_change_header_and_tensors():
    before = load_file(DATA / "topk_v1.safetensors")
    handle = SaeCheckpoint(DATA / "topk_v1.safetensors")
    assert handle.config["k"] == 1
    assert torch.equal(handle.load().encoder, before["encoder"] / 2)
    assert torch.equal(handle.load().W_dec, before["W_dec"])


@pytest.mark.usefixtures("other_version_2")
def test_what_is_written_is_of_the_newest_version(tmp_path):
    sae = SaeCheckpoint(DATA / "topk_v1.safetensors").load()
    checkpoint.save_sae(sae, tmp_path / "new.safetensors", {})
    again = SaeCheckpoint(tmp_path / "new.safetensors").load()
    assert torch.equal(again.encoder, sae.encoder)
    assert again.config.k == 1


def test_every_older_version_has_its_migration():
    assert sorted(checkpoint.MIGRATIONS) == list(range(1, checkpoint.FORMAT_VERSION))


def test_is_checkpoint(tmp_path):
    assert is_checkpoint(DATA / "protsae_v1.safetensors")
    assert not is_checkpoint(DATA / "version_1.json")
    assert not is_checkpoint(DATA / "none")


@pytest.mark.parametrize("version", [0, -1, "1", None])
def test_versions_that_never_were(tmp_path, version):
    raw = (DATA / "topk_v1.safetensors").read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    about = json.loads(header["__metadata__"]["protsae"]) | {"format_version": version}
    header["__metadata__"]["protsae"] = json.dumps(about)
    text = json.dumps(header).encode()
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    with pytest.raises(InputError, match="not protsae"):
        SaeCheckpoint(path)
