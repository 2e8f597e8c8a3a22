"""Checkpoints in Hugging Face's layout: the same activations, to the bit, and what is refused."""

import json

import pytest
import torch
from esm import Alphabet
from tests.plm.hugging_face_folder import hugging_face_state, write_folder
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

SEQUENCES = random_sequences([5, 40, 1])
INV_FREQ_OF_ALL = "esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq"
TOKENS = torch.tensor([[0, 5, 6, 32, 20, 2]])


def check_same(module, expected):
    ours, theirs = (fair_esm_activations(m, SEQUENCES) for m in (module, expected))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value), name
    assert torch.equal(module(TOKENS)["logits"], expected(TOKENS)["logits"])


@pytest.mark.parametrize("n_shards", [1, 3])
def test_every_activation_and_logit_is_that_of_the_fair_esm_model(tmp_path, n_shards):
    folder = write_folder(tmp_path / "esm2_mine", hugging_face_state(tiny_esm2()), n_shards=n_shards)
    model = load_plm(folder)
    assert (model.name, model.n_layers, model.d_model, model.n_heads) == (
        "esm2_mine", N_LAYERS, D_MODEL, N_HEADS,
    )  # fmt: skip
    check_same(model.module, tiny_esm2())


def test_the_names_that_transformers_5_writes_are_read(tmp_path):
    state = {}
    for name, value in hugging_face_state(tiny_esm2()).items():
        module, _, kind = name.rpartition(".")
        renamed = {"weight": "gamma", "bias": "beta"}[kind] if module.endswith("LayerNorm") else kind
        state[f"{module}.{renamed}" if "inv_freq" not in name else INV_FREQ_OF_ALL] = value
    assert "esm.encoder.layer.2.attention.LayerNorm.gamma" in state
    folder = write_folder(tmp_path / "m", state, rope_theta=10000.0)
    check_same(load_plm(folder).module, tiny_esm2())


@pytest.mark.parametrize("token_dropout", [True, False])
def test_token_dropout_is_taken_from_the_configuration(tmp_path, token_dropout):
    state = hugging_face_state(tiny_esm2())
    module = load_plm(write_folder(tmp_path / "m", state, token_dropout=token_dropout)).module
    expected = tiny_esm2()
    expected.token_dropout = token_dropout
    check_same(module, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_short_floats_go_up_to_float32(tmp_path, dtype):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()), dtype=dtype)
    rounded = tiny_esm2()
    for parameter in rounded.parameters():
        parameter.data = parameter.data.to(dtype).float()
    check_same(load_plm(folder).module, rounded)


def test_file_in_the_folder_loads_and_is_named_by_its_repository(tmp_path):
    snapshot = tmp_path / "models--facebook--esm2_t6_8M_UR50D/snapshots/c731040f"
    write_folder(snapshot, hugging_face_state(tiny_esm2()))
    model = load_plm(snapshot / "model.safetensors")
    assert (model.name, model.sha256) == ("esm2_t6_8M_UR50D", load_plm(snapshot).sha256)


def test_the_head_may_be_left_to_the_embedding(tmp_path):
    state = hugging_face_state(tiny_esm2())
    del state["lm_head.decoder.weight"]
    check_same(load_plm(write_folder(tmp_path / "m", state)).module, tiny_esm2())


def test_the_hash_follows_configuration_and_weights(tmp_path):
    state = hugging_face_state(tiny_esm2())
    first = load_plm(write_folder(tmp_path / "a", state)).sha256
    assert load_plm(write_folder(tmp_path / "b", state)).sha256 == first
    assert load_plm(write_folder(tmp_path / "c", state, token_dropout=False)).sha256 != first
    assert load_plm(write_folder(tmp_path / "d", hugging_face_state(tiny_esm2(1)))).sha256 != first


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "bert"}, r"config\.json is not of an ESM-2: model_type is 'bert', not 'esm'"),
        ({"position_embedding_type": None}, "position_embedding_type is 'absolute', not 'rotary'"),
        ({"emb_layer_norm_before": True}, "emb_layer_norm_before is True"),
        ({"layer_norm_eps": None}, "layer_norm_eps is 1e-12, not 1e-05"),
        ({"rope_theta": 500000.0}, "rope_theta is 500000.0, not 10000"),
        ({"vocab_size": 24}, "vocab_size is 24, not 33"),
        ({"num_hidden_layers": None}, "lacks or garbles the model's shape"),
        ({"num_attention_heads": 5}, "no ESM-2 has 3 layers, width 24 and 5 heads"),
        ({"num_hidden_layers": 0}, "no ESM-2 has 0 layers"),
        ({"num_hidden_layers": 10**9}, "does not fit an ESM-2 of 1000000000 layers"),
        ({"vocab_list": ["<cls>", "A", "C"]}, r"config\.json: the vocabulary of 3 tokens .* from token 1 on"),
    ],
)
def test_another_model_is_refused(tmp_path, config, message):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()), **config)
    with pytest.raises(InputError, match=message):
        load_plm(folder)


def test_vocabulary_file_must_be_in_fair_esm_order(tmp_path):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()))
    tokens = Alphabet.from_architecture("ESM-1b").all_toks
    (folder / "vocab.txt").write_text("\n".join(tokens))
    load_plm(folder)
    (folder / "vocab.txt").write_text("\n".join([*tokens[:4], "A", "L", *tokens[6:]]))
    with pytest.raises(InputError, match=r"vocab\.txt: .* differs from token 4 on"):
        load_plm(folder)


def test_a_model_without_head_or_with_strange_parameters_is_refused(tmp_path):
    state = hugging_face_state(tiny_esm2())
    headless = {name: value for name, value in state.items() if not name.startswith("lm_head")}
    with pytest.raises(InputError, match="no language-model head: save the model as EsmForMaskedLM"):
        load_plm(write_folder(tmp_path / "headless", headless))
    adapted = {**state, "esm.encoder.layer.0.attention.self.query.lora_A.weight": torch.zeros(2, D_MODEL)}
    with pytest.raises(InputError, match=r"1 parameters are missing, unknown .*lora_A"):
        load_plm(write_folder(tmp_path / "adapted", adapted))


def test_files_that_are_missing_or_broken_are_named(tmp_path):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()), n_shards=2)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors is not a whole safetensors"):
        load_plm(folder)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "../model.safetensors"}}))
    with pytest.raises(InputError, match="names no files of its folder"):
        load_plm(folder)
    index.unlink()
    with pytest.raises(InputError, match=r"has neither model\.safetensors nor .*pytorch_model\.bin is not"):
        load_plm(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json cannot be read as JSON"):
        load_plm(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"m has no config\.json: a folder in Hugging Face's layout holds"):
        load_plm(folder)


def test_single_file_in_this_layout_needs_its_folder(tmp_path):
    folder = write_folder(tmp_path / "m", hugging_face_state(tiny_esm2()))
    lone = (folder / "model.safetensors").rename(tmp_path / "esm2.safetensors")
    with pytest.raises(InputError, match="is in Hugging Face's layout: give its folder"):
        load_plm(lone)
    torch.save(hugging_face_state(tiny_esm2()), tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match="is in Hugging Face's layout: give its folder"):
        load_plm(tmp_path / "pytorch_model.bin")


def test_our_own_file_is_read_as_ours_despite_a_foreign_config(tmp_path):
    path = write_safetensors(tmp_path / "esm2_mini.safetensors", tiny_esm2())
    (tmp_path / "config.json").write_text("{}")
    check_same(load_plm(path).module, tiny_esm2())
    torch.save(fair_esm_content(tiny_esm2()), tmp_path / "esm2_tiny.pt")
    check_same(load_plm(tmp_path / "esm2_tiny.pt").module, tiny_esm2())
