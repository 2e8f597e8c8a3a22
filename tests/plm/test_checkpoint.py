"""Checkpoints: what loads, and what is refused without being run."""

import hashlib
import io
import os
import pickle
import tarfile
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from esm.pretrained import load_model_and_alphabet_core
from tests.plm.tiny_esm2 import (
    D_MODEL,
    N_HEADS,
    N_LAYERS,
    fair_esm_activations,
    fair_esm_content,
    random_sequences,
    tiny_esm2,
    write_safetensors,
)

from protsae.core.errors import InputError
from protsae.plm import load_plm

SEQUENCES = random_sequences([5, 9])


def final(module):
    return fair_esm_activations(module, SEQUENCES)["final_norm"]


def test_safetensors_gives_the_module_and_its_facts(tmp_path):
    path = write_safetensors(tmp_path / "small.safetensors", tiny_esm2())
    model = load_plm(path)
    assert (model.name, model.n_layers, model.d_model, model.n_heads) == ("small", N_LAYERS, D_MODEL, N_HEADS)
    assert model.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert torch.equal(final(model.module), final(tiny_esm2()))


def test_float16_weights_go_up_to_float32(tmp_path):
    model = load_plm(write_safetensors(tmp_path / "half.safetensors", tiny_esm2(), torch.float16))
    rounded = tiny_esm2().half().float()
    assert model.module.embed_tokens.weight.dtype == torch.float32
    for name, value in rounded.state_dict().items():
        if "contact_head" not in name and "rot_emb" not in name:
            assert torch.equal(model.module.state_dict()[name], value), name


def test_the_language_model_head_stays_tied(tmp_path):
    state_model = tiny_esm2()
    module = load_plm(write_safetensors(tmp_path / "m.safetensors", state_model)).module
    assert module.lm_head.weight is module.embed_tokens.weight
    tokens = torch.tensor([[0, 5, 6, 2]])
    assert torch.equal(module(tokens)["logits"], state_model(tokens)["logits"])


def test_a_fair_esm_file_loads_as_fair_esm_loads_it(tmp_path):
    path = tmp_path / "esm2_tiny.pt"
    torch.save(fair_esm_content(tiny_esm2()), path)
    model = load_plm(path)
    with pytest.warns(UserWarning, match="Regression weights not found"):
        theirs, _ = load_model_and_alphabet_core("esm2_tiny", fair_esm_content(tiny_esm2()))
    assert (model.name, model.n_layers, model.d_model) == ("esm2_tiny", N_LAYERS, D_MODEL)
    assert torch.equal(final(model.module), final(theirs.eval()))


def test_loading_draws_no_random_number(tmp_path):
    path = write_safetensors(tmp_path / "m.safetensors", tiny_esm2())
    before = torch.random.get_rng_state()
    load_plm(path)
    assert torch.equal(torch.random.get_rng_state(), before)


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_runs_code_is_refused_and_runs_nothing(tmp_path, zipped):
    marker, path = tmp_path / "marker", tmp_path / "esm2_evil.pt"
    content = fair_esm_content(tiny_esm2())
    torch.save({**content, "extra": Malicious(marker)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        InputError, match=r"esm2_evil\.pt: not a plain fair-esm checkpoint \(unsafe global \w+\.system\)"
    ):
        load_plm(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)  # the file does what it says where it is trusted
    assert marker.exists()


@pytest.mark.filterwarnings(
    "ignore:Detected pickle protocol",
    "ignore:'torch.load' received a zip file",
    "ignore:.torch.jit:DeprecationWarning",
)
@pytest.mark.parametrize("kind", ["pickle", "tar", "torchscript", "safetensors"])
def test_other_containers_run_no_code_and_give_no_unsafe_advice(tmp_path, kind):
    marker, path = tmp_path / "marker", tmp_path / f"esm2.{'safetensors' if kind == 'safetensors' else 'pt'}"
    evil = pickle.dumps(Malicious(marker))
    if kind == "tar":  # torch's format before 0.1.10
        with tarfile.open(path, "w") as archive:
            for name in ("sys_info", "pickle", "storages", "tensors"):
                member = tarfile.TarInfo(name)
                member.size = len(evil)
                archive.addfile(member, io.BytesIO(evil))
    elif kind == "torchscript":  # holds code by its nature
        torch.jit.save(torch.jit.trace(torch.nn.Linear(2, 2), torch.zeros(1, 2)), path)
    else:
        path.write_bytes(evil)
    with pytest.raises(InputError, match=r"esm2\.\w+ is (not|truncated)") as caught:
        load_plm(path)
    assert "weights_only` argument" not in str(caught.value)
    assert not marker.exists()


def test_another_class_is_refused_by_name(tmp_path):
    path = tmp_path / "esm2_odd.pt"
    torch.save({**fair_esm_content(tiny_esm2()), "extra": Path("x")}, path)
    with pytest.raises(InputError, match=r"unsafe global pathlib\.\w*PosixPath\)\. Refusing to unpickle"):
        load_plm(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"esm2_cut{suffix}"
    if suffix == ".pt":
        torch.save(fair_esm_content(tiny_esm2()), path)
    else:
        write_safetensors(path, tiny_esm2())
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=f"esm2_cut{suffix} .*fetch it again"):
        load_plm(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html><body>404 Not Found</body></html>"])
def test_a_file_of_another_kind_is_refused(tmp_path, suffix, content):
    path = tmp_path / f"esm2_page{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"esm2_page{suffix} is"):
        load_plm(path)


@pytest.mark.parametrize(
    "content", [{"weights": 1}, [1, 2], {"args": {}, "model": {}}, {"cfg": {"model": 3}}]
)
def test_a_torch_file_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "other.pt"
    torch.save(content, path)
    with pytest.raises(InputError, match=r"other\.pt is not a fair-esm ESM-2 checkpoint"):
        load_plm(path)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"architecture": "ESM1"}, "holds no ESM2"),
        ({"alphabet": "ESM-1"}, "holds no ESM2"),
        ({"num_layers": "two"}, "lacks or garbles the model's shape"),
        ({"token_dropout": "maybe"}, "lacks or garbles the model's shape"),
        ({"num_layers": "4"}, r"does not fit an ESM-2 of 4 layers and width 24.*layers\.3\."),
        ({"num_layers": "2"}, r"does not fit an ESM-2 of 2 layers.*layers\.2\."),
        ({"embed_dim": "48"}, "does not fit an ESM-2 of 3 layers and width 48"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(tmp_path, header, message):
    path = write_safetensors(tmp_path / "m.safetensors", tiny_esm2(), **header)
    with pytest.raises(InputError, match=message):
        load_plm(path)


def test_a_missing_file_is_refused_with_what_can_be_given(tmp_path):
    with pytest.raises(
        InputError, match=r"no model file .*nothing\.pt: give a \.safetensors.*esm2_t6_8M_UR50D"
    ):
        load_plm(tmp_path / "nothing.pt")


def test_a_name_is_looked_up_in_the_cache_of_torch_hub(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cached = tmp_path / "hub/checkpoints/esm2_t6_8M_UR50D.pt"
    cached.parent.mkdir(parents=True)
    torch.save(fair_esm_content(tiny_esm2()), cached)
    assert load_plm("esm2_t6_8M_UR50D").name == "esm2_t6_8M_UR50D"


def test_a_name_without_internet_says_what_to_do(tmp_path, monkeypatch):
    def no_internet(*_args, **_kwargs):
        raise URLError("no route to host")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", no_internet)
    with pytest.raises(
        InputError, match=r"esm2_t6_8M_UR50D is not in .*could not be downloaded.*no route to host"
    ):
        load_plm("esm2_t6_8M_UR50D")
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_name_is_downloaded_once(tmp_path, monkeypatch):
    asked = []

    def download(url, target, **_kwargs):
        asked.append(url)
        torch.save(fair_esm_content(tiny_esm2()), target)

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    assert load_plm("esm2_t6_8M_UR50D").sha256 == load_plm("esm2_t6_8M_UR50D").sha256
    assert asked == ["https://dl.fbaipublicfiles.com/fair-esm/models/esm2_t6_8M_UR50D.pt"]


def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    for name in ("x.pt", "x.safetensors"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match=rf"{name} is a named pipe or a device, not a file of a model"):
            load_plm(tmp_path / name)
