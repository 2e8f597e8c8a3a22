"""`python -m protsae.sae.interchange`."""

import pytest
import torch
from tests.sae.interchange import foreign
from tests.sae.interchange.foreign import load_module

from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.interchange.__main__ import main


@pytest.fixture
def checkpoint(make_topk, tmp_path):
    path = tmp_path / "sae.safetensors"
    save_sae(make_topk().float(), path, {"hook_point": "layers.2.resid_post", "model": "esm2_mini"})
    return path


@torch.no_grad()
def test_export_then_import(checkpoint, tmp_path, x, capsys):
    assert main(["export", str(checkpoint), str(tmp_path / "folder"), "--model-name", "esm2"]) == 0
    assert "topk, 16 latents of width 6, k 3" in capsys.readouterr().out
    target = tmp_path / "back.safetensors"
    assert main(["import", str(tmp_path / "folder"), str(target), "--hook-name", "layers.5.resid_post"]) == 0
    back = SaeCheckpoint(target)
    torch.testing.assert_close(
        back.load().encode(x.float()), SaeCheckpoint(checkpoint).load().encode(x.float())
    )
    about = back.metadata["imported"]["config"]["metadata"]
    assert (about["model_name"], about["hook_name"]) == ("esm2", "layers.2.resid_post")
    assert back.metadata["hook_point"] == "layers.5.resid_post"
    assert main(["import", str(tmp_path / "folder"), str(target)]) == 1
    assert "exists already" in capsys.readouterr().err


def test_protsae_needs_plain_and_prints_what_is_missing(make_protsae, tmp_path, capsys):
    save_sae(make_protsae(), tmp_path / "sae.safetensors", {})
    arguments = ["export", str(tmp_path / "sae.safetensors"), str(tmp_path / "folder")]
    assert main(arguments) == 1
    assert "error: no plain dictionary has ProtSAE's codes" in capsys.readouterr().err
    assert main([*arguments, "--plain"]) == 0
    assert "note: forced activation" in capsys.readouterr().out


@torch.no_grad()
def test_normalised_tokens_go_to_a_folder_only(tmp_path, capsys):
    path, codes, _ = foreign.write_interprot(tmp_path)
    k = ["--k", str(foreign.K)]
    assert main(["import", str(path), str(tmp_path / "sae.safetensors"), *k]) == 1
    assert "give a folder as the target" in capsys.readouterr().err
    assert main(["import", str(path), str(tmp_path / "folder"), *k]) == 0
    assert "note: stats_last_nonzero" in capsys.readouterr().out
    actual = load_module(tmp_path / "folder").encode(torch.from_numpy(foreign.INPUT).float())
    torch.testing.assert_close(actual, torch.from_numpy(codes).float())


def test_choices_reach_the_reader(tmp_path, capsys):
    path, _, _ = foreign.write_topk(tmp_path, None)
    target = str(tmp_path / "sae.safetensors")
    assert main(["import", str(path), target]) == 1
    assert "say which by `activation`" in capsys.readouterr().err
    assert main(["import", str(path), target, "--activation", "topk", "--layout", "interplm"]) == 0
