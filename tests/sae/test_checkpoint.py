"""Checkpoints: exact round trip, the same bytes, and a clear word on what is not one."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint, save_sae

METADATA = {"hook_point": "layers.2.resid_post", "seed": 3, "training": {"n_steps": 7}}


@pytest.fixture
def saved(make_protsae, tmp_path):
    sae = make_protsae(lambda_axiom=0.5)
    save_sae(sae, tmp_path / "sae.safetensors", METADATA)
    return sae, tmp_path / "sae.safetensors"


def _with_header(source, target, change):
    raw = source.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    about = json.loads(header["__metadata__"]["protsae"])
    change(about)
    header["__metadata__"]["protsae"] = json.dumps(about)
    text = json.dumps(header).encode()
    target.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
    return target


def test_protsae_comes_back_whole(saved, x):
    sae, path = saved
    loaded = SaeCheckpoint(path).load()
    assert loaded.config == sae.config
    assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in sae.state_dict().items())
    assert torch.equal(loaded(x), sae(x))
    assert not loaded.training


def test_levels_come_back_and_an_older_checkpoint_has_none(make_protsae, tmp_path):
    sae = make_protsae(residue_level=(3, 1))
    assert sae.is_residue_level.tolist() == [False, True, False, True]
    save_sae(sae, tmp_path / "sae.safetensors", METADATA)
    handle = SaeCheckpoint(tmp_path / "sae.safetensors")
    assert handle.config["residue_level"] == ["GO:0000003", "GO:0000001"]
    assert handle.load().is_residue_level.tolist() == [False, True, False, True]
    assert handle.load().is_residue_level.dtype == torch.bool
    older = tmp_path / "older.safetensors"
    path = _with_header(handle.path, older, lambda about: about["config"].pop("residue_level"))
    assert not SaeCheckpoint(path).load().is_residue_level.any()


def test_topk_comes_back_whole_in_float32(make_topk, tmp_path, x):
    sae = make_topk().float()
    save_sae(sae, tmp_path / "topk.safetensors", {})
    loaded = SaeCheckpoint(tmp_path / "topk.safetensors").load()
    assert torch.equal(loaded(x.float()), sae(x.float()))


def test_handle_has_config_and_metadata(saved):
    path = saved[1]
    handle = SaeCheckpoint(path)
    assert handle.path == path
    assert handle.config["guidance"]["lambda_axiom"] == 0.5
    expected = METADATA | {"concept_ids": [f"GO:{i:07d}" for i in range(4)], "d_model": 6}
    assert handle.metadata == expected


def test_same_content_same_bytes(saved, tmp_path):
    sae, path = saved
    save_sae(sae, tmp_path / "again.safetensors", dict(reversed(METADATA.items())))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        SaeCheckpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x05\0\0\0\0\0\0\0[1,2]", b"\xff" * 40])
def test_foreign_files(tmp_path, content):
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"not a checkpoint of format protsae\.sae"):
        SaeCheckpoint(path)


def test_other_safetensors(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "other.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="not a checkpoint"):
        SaeCheckpoint(tmp_path / "other.safetensors")


@pytest.mark.parametrize("n_bytes", [5, 100, -1])
def test_truncated_files(saved, tmp_path, n_bytes):
    short = tmp_path / "short.safetensors"
    short.write_bytes(saved[1].read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"truncated|not a checkpoint"):
        SaeCheckpoint(short)


def test_newer_version(saved, tmp_path):
    path = _with_header(saved[1], tmp_path / "new.safetensors", lambda about: about.update(format_version=3))
    with pytest.raises(InputError, match="format version 3, this protsae reads up to 2"):
        SaeCheckpoint(path)


def test_other_format(saved, tmp_path):
    path = _with_header(saved[1], tmp_path / "other.safetensors", lambda about: about.update(format="x"))
    with pytest.raises(InputError, match="of format 'x'"):
        SaeCheckpoint(path)


def test_config_that_does_not_hold(saved, tmp_path):
    path = _with_header(saved[1], tmp_path / "k.safetensors", lambda about: about["config"].update(k=99))
    with pytest.raises(InputError, match="config that is not valid"):
        SaeCheckpoint(path)


def test_tensors_that_do_not_fit_the_config(saved, tmp_path):
    def shrink(about):
        about["config"]["d_model"] = 5

    path = _with_header(saved[1], tmp_path / "d.safetensors", shrink)
    with pytest.raises(InputError, match="damaged"):
        SaeCheckpoint(path).load()


def test_tensors_are_plain_safetensors(saved):
    sae, path = saved
    assert torch.equal(load_file(path)["W_pred"], sae.W_pred)
