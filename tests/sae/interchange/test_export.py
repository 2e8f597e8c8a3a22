"""SAELens folders of our modules: the same codes, and nothing lost in silence."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.sae.interchange.foreign import load_module

from protsae.core.errors import InputError
from protsae.sae.checkpoint import save_sae
from protsae.sae.interchange import TokenNormalisedSae, export_saelens, read_dictionary
from protsae.sae.interchange.folding import dictionary_of, nearest_dictionary
from protsae.sae.interchange.modules import module_of
from protsae.sae.registry import ARCHITECTURES

METADATA = {"hook_point": "layers.2.resid_post", "model": "esm2_mini", "seed": 3}


@pytest.fixture
def topk(make_topk):
    return make_topk().eval()


ARCHITECTURES_HERE = {
    "topk": {},
    "batch_topk": {},
    "matryoshka": {"group_shares": (0.25, 0.75)},
    "ordered": {},
    "frozen_decoder": {},
    "frozen_encoder": {},
    "relu": {},
    "jumprelu": {},
    "gated": {},
    "gba": {},
    "gba, relu": {"activation": "relu"},
}
WRITTEN_AS = {
    "batch_topk": "jumprelu",
    "matryoshka": "jumprelu",
    "ordered": "topk",
    "frozen_decoder": "topk",
    "frozen_encoder": "topk",
    "relu": "standard",
    "gba": "jumprelu",
    "gba, relu": "standard",
}


@pytest.fixture(params=ARCHITECTURES_HERE)
def unguided(request, make_unguided):
    """Every architecture, with thresholds and biases that make a difference."""
    sae = make_unguided(request.param.split(",")[0], **ARCHITECTURES_HERE[request.param]).eval()
    with torch.no_grad():
        for name, value in (("threshold", 1.5), ("bias", -0.3)):
            if name in dict(sae.named_buffers()):
                getattr(sae, name).fill_(value)
        if hasattr(sae, "log_threshold"):
            sae.log_threshold.copy_(torch.linspace(-2, 1, 16))
    return request.param, sae


def forward_of(folder, x):
    """Codes and reconstruction by SAELens' formulas, from the files alone."""
    cfg = json.loads((folder / "cfg.json").read_text())
    w = load_file(folder / "sae_weights.safetensors")
    assert not cfg["apply_b_dec_to_input"]
    if cfg["architecture"] == "gated":
        gate = x @ w["W_enc"] + w["b_gate"] > 0
        codes = gate * (x @ (w["W_enc"] * w["r_mag"].exp()) + w["b_mag"]).clamp_min(0)
        return codes, codes @ w["W_dec"] + w["b_dec"]
    pre = x @ w["W_enc"] + w["b_enc"]
    codes = pre.clamp_min(0)
    if cfg["architecture"] == "jumprelu":
        codes = codes * (pre > w["threshold"].clamp_min(0))
    elif cfg["architecture"] == "topk":
        codes = torch.zeros_like(pre)
        for row, out in zip(pre, codes, strict=True):
            best = row.argsort(descending=True)[: cfg["k"]]
            out[best] = row[best].clamp_min(0)
    return codes, codes @ w["W_dec"] + w["b_dec"]


def test_every_architecture_is_tried():
    assert {name.split(",")[0] for name in ARCHITECTURES_HERE} == set(ARCHITECTURES) - {"protsae", "splice"}


def test_solving_for_codes_is_no_dictionary(make_splice, tmp_path):
    with pytest.raises(InputError, match="SpliceCoder has no plain dictionary"):
        export_saelens(make_splice(), tmp_path / "sae", METADATA)
    assert not (tmp_path / "sae").exists()


@torch.no_grad()
def test_every_architecture_keeps_its_codes_and_reconstructions(unguided, x, tmp_path):
    name, sae = unguided
    assert 0 < (sae.encode(x) > 0).double().mean() < 0.9
    export_saelens(sae, tmp_path / "sae", METADATA)
    codes, reconstruction = forward_of(tmp_path / "sae", x)
    torch.testing.assert_close(codes, sae.encode(x))
    torch.testing.assert_close(reconstruction, sae(x))
    cfg = json.loads((tmp_path / "sae/cfg.json").read_text())
    assert cfg["architecture"] == WRITTEN_AS.get(name, name)
    assert cfg["metadata"]["protsae"]["config"] == sae.config_json()


@torch.no_grad()
def test_every_architecture_takes_codes_in_raw_units(unguided, x, tmp_path):
    _, sae = unguided
    export_saelens(sae, tmp_path / "sae", unit_decoder=True)
    codes, reconstruction = forward_of(tmp_path / "sae", x)
    torch.testing.assert_close(codes, sae.encode(x) * (13 / 6) ** 0.5)
    torch.testing.assert_close(reconstruction, sae(x))


@torch.no_grad()
def test_every_architecture_comes_back(unguided, x, tmp_path):
    _, sae = unguided
    export_saelens(sae, tmp_path / "sae")
    back = load_module(tmp_path / "sae")
    torch.testing.assert_close(back.encode(x), sae.encode(x))
    torch.testing.assert_close(back(x), sae(x))
    again = module_of(dictionary_of(sae))
    torch.testing.assert_close(again.encode(x), sae.encode(x))
    expected = dict.fromkeys(("ordered", "frozen_decoder", "frozen_encoder"), "topk")
    expected["gba"] = back.config.architecture
    assert again.config.architecture == expected.get(sae.config.architecture, sae.config.architecture)


@torch.no_grad()
def test_every_architecture_in_our_own_checkpoints(unguided, x, tmp_path):
    _, sae = unguided
    save_sae(sae, tmp_path / "sae.safetensors", METADATA)
    back = load_module(tmp_path / "sae.safetensors")
    assert back.config == sae.config
    assert torch.equal(back.encode(x), sae.encode(x))
    assert all(torch.equal(tensor, back.state_dict()[name]) for name, tensor in sae.state_dict().items())


@torch.no_grad()
def test_unit_decoder_keeps_its_rows_and_records_the_code_scale(topk, x, tmp_path):
    export_saelens(topk, tmp_path / "sae", METADATA, unit_decoder=True)
    codes, reconstruction = forward_of(tmp_path / "sae", x)
    cfg = json.loads((tmp_path / "sae/cfg.json").read_text())
    scale = cfg["metadata"]["protsae"]["codes_scale"]
    assert scale == pytest.approx((13 / 6) ** 0.5)
    torch.testing.assert_close(codes, topk.encode(x) * scale)
    torch.testing.assert_close(reconstruction, topk(x))
    torch.testing.assert_close(load_file(tmp_path / "sae/sae_weights.safetensors")["W_dec"], topk.W_dec.data)


def test_the_folder_is_saelens_own(topk, tmp_path):
    export_saelens(topk.float(), tmp_path / "sae", METADATA)
    assert sorted(path.name for path in (tmp_path / "sae").iterdir()) == [
        "cfg.json",
        "sae_weights.safetensors",
    ]
    tensors = load_file(tmp_path / "sae/sae_weights.safetensors")
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items()}
    assert shapes == {"W_enc": [6, 16], "W_dec": [16, 6], "b_enc": [16], "b_dec": [6]}
    cfg = json.loads((tmp_path / "sae/cfg.json").read_text())
    about = cfg.pop("metadata")
    assert cfg == {
        "architecture": "topk",
        "d_in": 6,
        "d_sae": 16,
        "k": 3,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False,
    }
    assert about["sae_lens_version"].startswith("6.")
    assert (about["hook_name"], about["model_name"]) == ("layers.2.resid_post", "esm2_mini")
    assert about["training_architecture"] == "topk"
    assert about["protsae"]["config"] == topk.config_json()
    assert about["protsae"]["metadata"] == METADATA


@torch.no_grad()
def test_what_is_exported_comes_back(topk, x, tmp_path):
    export_saelens(topk, tmp_path / "sae")
    back = load_module(tmp_path / "sae")
    torch.testing.assert_close(back.encode(x), topk.encode(x))
    torch.testing.assert_close(back(x), topk(x))
    assert float(back.input_scale) == 1
    save_sae(back, tmp_path / "again.safetensors", {})
    assert torch.equal(load_module(tmp_path / "again.safetensors").encode(x), back.encode(x))


@pytest.mark.parametrize("norm", ["layer_norm", "sqrt_d"])
@torch.no_grad()
def test_normalised_tokens_stay_normalised(topk, x, tmp_path, norm):
    sae = TokenNormalisedSae(module_of(dictionary_of(topk)), norm)
    export_saelens(sae, tmp_path / "sae")
    back = load_module(tmp_path / "sae")
    assert isinstance(back, TokenNormalisedSae)
    assert back.input_norm == norm
    torch.testing.assert_close(back(x), sae(x))


def test_an_export_is_not_overwritten(topk, tmp_path):
    export_saelens(topk, tmp_path)
    before = (tmp_path / "cfg.json").read_bytes()
    with pytest.raises(InputError, match=r"cfg\.json exists already: give another folder"):
        export_saelens(topk, tmp_path, METADATA)
    assert (tmp_path / "cfg.json").read_bytes() == before


def test_protsae_is_refused_unless_plainly_asked_for(make_protsae, tmp_path):
    with pytest.raises(InputError, match="no plain dictionary has ProtSAE's codes"):
        export_saelens(make_protsae(), tmp_path / "sae")
    assert not (tmp_path / "sae").exists()


@pytest.mark.parametrize("defined_bias", ["tied", "free", "none"])
@torch.no_grad()
def test_plain_protsae_has_pre_activations_of_drive_and_free(make_protsae, x, defined_bias):
    sae = make_protsae(defined_bias=defined_bias, forced_activation=False)
    near = nearest_dictionary(sae)
    pre = x @ near.W_enc + near.b_enc
    codes = sae.codes(x)
    torch.testing.assert_close(pre[:, :4].clamp_min(0), codes.drive)
    torch.testing.assert_close(pre[:, 4:], sae.scale_input(x) @ sae.W_free + sae.b_free)
    torch.testing.assert_close(codes.latent_acts @ near.W_dec + near.b_dec, sae(x))


def test_a_plain_protsae_says_that_it_lacks_the_sites(make_protsae):
    lacking = [
        any("the sites" in note for note in nearest_dictionary(sae).notes)
        for sae in (make_protsae(defined_bias="tied"), make_protsae(defined_bias="tied", locate=True))
    ]
    assert lacking == [False, True]


@torch.no_grad()
def test_plain_protsae_is_written_next_to_the_whole_one(make_protsae, x, tmp_path):
    sae = make_protsae(residue_level=(1,))
    written = export_saelens(sae, tmp_path / "sae", METADATA, plain=True)
    about = json.loads((tmp_path / "sae/protsae.json").read_text())
    assert about["missing_from_the_dictionary"] == list(written.notes)
    assert any("forced activation" in note for note in written.notes)
    assert any("concept predictor" in note for note in written.notes)
    cfg = json.loads((tmp_path / "sae/cfg.json").read_text())
    assert cfg["metadata"]["protsae"]["missing"] == list(written.notes)
    assert cfg["metadata"]["protsae"]["config"]["concept_ids"] == [f"GO:{i:07d}" for i in range(4)]
    whole = load_module(tmp_path / "sae")
    assert whole.config == sae.config
    assert torch.equal(whole.encode(x), sae.encode(x))
    assert torch.equal(whole.predictor_logits(x), sae.predictor_logits(x))
    plain = load_module(tmp_path / "sae", "saelens")
    assert plain.config.architecture == "topk"
    torch.testing.assert_close(plain.encode(x), forward_of(tmp_path / "sae", x)[0])


def test_additional_files_must_match_their_dictionary(make_protsae, tmp_path):
    export_saelens(make_protsae(), tmp_path, plain=True)
    path = tmp_path / "sae_weights.safetensors"
    kept = path.read_bytes()
    save_file(load_file(path) | {"b_dec": torch.zeros(6, dtype=torch.float64)}, path)
    with pytest.raises(InputError, match=r"sae_weights\.safetensors is not the file that protsae\.json was"):
        load_module(tmp_path)
    path.write_bytes(kept)
    (tmp_path / "protsae.safetensors").unlink()
    with pytest.raises(InputError, match=r"protsae\.safetensors is not the file"):
        load_module(tmp_path)
    assert read_dictionary(tmp_path, "saelens").d_sae == 16
    about = json.loads((tmp_path / "protsae.json").read_text())
    (tmp_path / "protsae.json").write_text(json.dumps(about | {"format_version": 2}))
    with pytest.raises(InputError, match=r"version 2; this protsae reads protsae\.beside, version 1"):
        load_module(tmp_path)
