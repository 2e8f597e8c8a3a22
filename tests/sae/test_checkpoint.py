"""Checkpoints: exact round trip, the same bytes, and a clear word on what is not one."""

import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.damaged_files import flipped

from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, atomic_path
from protsae.sae.checkpoint import SaeCheckpoint, is_checkpoint, save_sae

METADATA = {"hook_point": "layers.2.resid_post", "seed": 3, "training": {"n_steps": 7}}


@pytest.fixture
def saved(make_protsae, tmp_path):
    sae = make_protsae(lambda_axiom=0.5)
    save_sae(sae, tmp_path / "sae.safetensors", METADATA)
    return sae, tmp_path / "sae.safetensors"


def _with_header(source, target, change):
    """Write a checkpoint with another header, its seal in order."""
    raw = source.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    about = json.loads(header["__metadata__"]["protsae"])
    about["seal"] = UNSEALED
    change(about)
    header["__metadata__"]["protsae"] = json.dumps(about)
    text = json.dumps(header).encode()
    with atomic_path(target, sealed=True) as temporary:
        temporary.write_bytes(len(text).to_bytes(8, "little") + text + raw[8 + length :])
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
    path = _with_header(saved[1], tmp_path / "new.safetensors", lambda about: about.update(format_version=4))
    with pytest.raises(InputError, match="format version 4, this protsae reads up to 3"):
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


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.99])
def test_a_flipped_byte_is_refused(saved, share):
    flipped(share)(saved[1])
    with pytest.raises(InputError, match=re.escape(str(saved[1]))):
        SaeCheckpoint(saved[1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_weights_that_are_no_numbers_are_refused(saved, tmp_path, value):
    saved[0].W_dec.data[0, 1] = value
    save_sae(saved[0], tmp_path / "nan.safetensors", METADATA)
    with pytest.raises(InputError, match="W_dec holds NaN or infinite values"):
        SaeCheckpoint(tmp_path / "nan.safetensors").load()


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.update(config=None),
        lambda about: about.pop("config"),
        lambda about: about.update(metadata=7),
        lambda about: about["config"].update(d_sae=10**9),
        lambda about: about["config"].update(d_sae=int("9" * 4000)),
        lambda about: about["config"].update(n_relations=10**9),
        lambda about: about["config"].update(guidance=[]),
        lambda about: about["config"].update(architecture=["topk"]),
    ],
)
@pytest.mark.parametrize("version", [1, 3])
def test_a_header_of_another_form_is_refused(saved, tmp_path, change, version):
    def both(about):
        about["format_version"] = version
        change(about)

    path = _with_header(saved[1], tmp_path / "x.safetensors", both)
    with pytest.raises(InputError, match=re.escape(str(path))):
        SaeCheckpoint(path).load()


@pytest.mark.parametrize(
    "header",
    [
        '{"__metadata__":{"protsae":7},"a":{"data_offsets":[0,4]}}',
        '{"__metadata__":{"protsae":"7"},"a":{"data_offsets":[0,4]}}',
        '{"__metadata__":{"protsae":"{}"},"a":{"data_offsets":[]}}',
        '{"__metadata__":{"protsae":"{}"},"a":{"data_offsets":[0,"4"]}}',
        '{"__metadata__":{"protsae":"{}"},"a":{"data_offsets":[0,%s]}}' % ("9" * 5000),
        '{"__metadata__":{"protsae":"{}"},"a":[]}',
        '{"__metadata__":[]}',
        "[" * 100_000,
        "7",
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, header):
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(InputError, match=re.escape(str(path))):
        SaeCheckpoint(path)
    assert not is_checkpoint(path) or "protsae" in header


def test_tensors_are_plain_safetensors(saved):
    sae, path = saved
    assert torch.equal(load_file(path)["W_pred"], sae.W_pred)
