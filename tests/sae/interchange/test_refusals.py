"""What cannot be read is refused with the file, the value and the way out; nothing in a file is run."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.sae.interchange import foreign
from tests.sae.interchange.foreign import load_module

from protsae.core.errors import InputError
from protsae.sae.interchange import read_dictionary


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("layout", ["auto", "interplm", "interprot", "dictionary_learning"])
def test_a_file_that_runs_code_is_refused_and_runs_nothing(tmp_path, layout):
    marker, path = tmp_path / "marker", tmp_path / "ae.pt"
    torch.save({"encoder.weight": torch.zeros(2, 2), "extra": Malicious(marker)}, path)
    with pytest.raises(InputError, match=r"ae\.pt: not a plain .*unsafe global \w+\.system.*Refusing"):
        load_module(path, layout)
    assert not marker.exists()


def changed(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"transcode": True}, "transcode is True; only plain TopK"),
        ({"skip_connection": True}, "skip_connection is True"),
        ({"signed": True}, "signed is True"),
        ({"an_option_of_tomorrow": 0.5}, "an_option_of_tomorrow is 0.5"),
        ({"activation": "groupmax"}, "activation 'groupmax'"),
        ({"k": 0}, "k is 0, not a positive whole number"),
        ({"k": "32"}, "k is '32'"),
        ({"k": 13}, "k 13 of 12 latents"),
        ({"num_latents": 64}, r"cfg\.json: num_latents is 64, the weights have 12"),
        ({"d_in": 320}, r"cfg\.json: d_in is 320, the weights have 5"),
    ],
)
def test_sparsify(tmp_path, changes, message):
    folder, _, _ = foreign.write_sparsify(tmp_path)
    changed(folder / "cfg.json", **changes)
    with pytest.raises(InputError, match=message):
        load_module(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "jumprelu_transcoder"},
            "architecture 'jumprelu_transcoder'; those that can be read: ",
        ),
        ({"normalize_activations": "covariance_whitening"}, "normalize_activations 'covariance_whitening'"),
        ({"k": None}, "k is None"),
        (
            {"activation_fn": "relu", "activation_fn_str": "tanh-relu"},
            "activation_fn_str 'tanh-relu' cannot be",
        ),
        ({"activation_fn": "gelu"}, "activation_fn 'gelu' cannot be read; those that can: relu, topk"),
        ({"activation_fn_kwargs": {"temperature": 2}}, "activation_fn_kwargs has 'temperature'"),
        ({"is_transcoder": True}, "is_transcoder is True, which is not computed here"),
        ({"d_sae": 13}, r"cfg\.json: d_sae is 13, the weights have 12"),
        ({"d_in": "5"}, r"cfg\.json: d_in is '5', the weights have 5"),
        ({"d_out": 9}, "d_out is 9, which is not computed here"),
        ({"reshape_activations": "patches"}, "reshape_activations is 'patches'"),
        ({"architecture": "standard", "k": None, "d_in": 5}, None),
    ],
)
def test_saelens(tmp_path, changes, message):
    folder, _, _ = foreign.write_saelens(tmp_path, "topk")
    changed(folder / "cfg.json", **changes)
    if message is None:
        assert read_dictionary(folder).activation == "relu"
    else:
        with pytest.raises(InputError, match=message):
            read_dictionary(folder)


@pytest.mark.parametrize("kwargs", [{}, None, {"k": 0}])
@pytest.mark.parametrize("name", ["activation_fn", "activation_fn_str"])
def test_saelens_topk_needs_k_before_release_6_too(tmp_path, name, kwargs):
    folder, _, _ = foreign.write_saelens(tmp_path, "standard")
    changed(folder / "cfg.json", **{name: "topk", "activation_fn_kwargs": kwargs})
    with pytest.raises(InputError, match=r"'topk' without k|k is 0, not a positive whole number"):
        read_dictionary(folder)


def test_saelens_options_of_training_do_not_matter(tmp_path):
    folder, _, _ = foreign.write_saelens(tmp_path, "standard")
    training = {"noise_scale": 0.1, "use_ghost_grads": True, "lr": 1e-3, "normalize_sae_decoder": True}
    changed(folder / "cfg.json", activation_fn_str="relu", activation_fn_kwargs={}, **training)
    assert read_dictionary(folder).activation == "relu"


def test_saelens_scaling_factor(tmp_path):
    folder, _, _ = foreign.write_saelens(tmp_path, "standard")
    path = folder / "sae_weights.safetensors"
    save_file(load_file(path) | {"scaling_factor": torch.ones(foreign.D_SAE)}, path)
    read_dictionary(folder)
    save_file(load_file(path) | {"scaling_factor": torch.full((foreign.D_SAE,), 2.0)}, path)
    with pytest.raises(InputError, match="scaling factor that is not 1"):
        read_dictionary(folder)


def test_saelens_expected_average_gives_a_note(tmp_path):
    folder, _, _ = foreign.write_saelens(tmp_path, "standard")
    changed(folder / "cfg.json", normalize_activations="expected_average_only_in")
    assert "taken as 1, as SAELens does" in read_dictionary(folder).notes[0]


def test_threshold_that_was_never_set(tmp_path):
    path, _, _ = foreign.write_batch_topk(tmp_path, threshold=-1.0)
    with pytest.raises(InputError, match=r"ae\.pt: its threshold is -1"):
        read_dictionary(path)


def test_k_that_the_config_contradicts(tmp_path):
    path, _, _ = foreign.write_topk(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["trainer"]["k"] = 99
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"ae\.pt holds k 3, .*config\.json says 99"):
        read_dictionary(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("b_dec"), "lacks b_dec"),
        (lambda state: state.update(extra=torch.ones(1)), "has extra, which is not of this layout"),
        (lambda state: state.update(b_dec=torch.ones(6)), r"b_dec has shape \[6\], W_enc asks for \[5\]"),
        (lambda state: state["b_dec"].fill_(torch.nan), "b_dec holds values that are not finite"),
        (lambda state: state.update(b_dec="text"), "no state dict of tensors by name"),
    ],
)
def test_tensors_that_do_not_belong(tmp_path, change, message):
    path, _, _ = foreign.write_topk(tmp_path)
    state = torch.load(path, weights_only=True)
    change(state)
    torch.save(state, path)
    with pytest.raises(InputError, match=message) as refused:
        read_dictionary(path)
    assert str(path) in str(refused.value)


def test_class_that_is_not_known(tmp_path):
    path, _, _ = foreign.write_topk(tmp_path, "CrossCoder")
    with pytest.raises(InputError, match="dict_class 'CrossCoder' cannot be read; known: AutoEncoder"):
        read_dictionary(path)


def test_tensors_of_no_class(tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "ae.pt")
    with pytest.raises(InputError, match="of no known class; its tensors are weight"):
        read_dictionary(tmp_path)


@pytest.mark.parametrize("n_bytes", [0, 40, -100])
@pytest.mark.parametrize("write", [foreign.write_topk, foreign.write_interprot, foreign.write_sparsify])
def test_truncated_files(tmp_path, write, n_bytes):
    path, _, _ = write(tmp_path)
    path = path / "sae.safetensors" if path.is_dir() else path
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"fetch it again|not a "):
        read_dictionary(path)


def test_paths_of_no_layout(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_module(tmp_path / "none")
    with pytest.raises(InputError, match="holds no autoencoder of a known layout"):
        load_module(tmp_path)
    (tmp_path / "ae_normalized.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds ae_normalized\.pt: give the path of the one to read"):
        load_module(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match="give `layout`"):
        load_module(tmp_path / "notes.txt")
    with pytest.raises(InputError, match="unknown layout 'sae_lens'; known: auto, saelens"):
        load_module(tmp_path, "sae_lens")


def test_choices_that_a_layout_has_no_use_for(tmp_path):
    folder, _, _ = foreign.write_saelens(tmp_path, "topk")
    with pytest.raises(InputError, match="layout saelens does not take k"):
        load_module(folder, k=5)
