"""A checkpoint as `EsmForMaskedLM.save_pretrained` writes it, made from a module of fair-esm."""

import json
from pathlib import Path

import torch
from esm import ESM2
from safetensors.torch import save_file
from tests.plm.tiny_esm2 import D_MODEL, N_HEADS, N_LAYERS

CONFIG = {
    "architectures": ["EsmForMaskedLM"], "emb_layer_norm_before": False, "hidden_act": "gelu",
    "hidden_size": D_MODEL, "intermediate_size": 4 * D_MODEL, "layer_norm_eps": 1e-05,
    "max_position_embeddings": 1026, "model_type": "esm", "num_attention_heads": N_HEADS,
    "num_hidden_layers": N_LAYERS, "pad_token_id": 1, "position_embedding_type": "rotary",
    "token_dropout": True, "vocab_list": None, "vocab_size": 33,
}  # fmt: skip


def hugging_face_state(module: ESM2) -> dict[str, torch.Tensor]:
    """Return the parameters under Hugging Face's names, with those that ESM-2 does not use."""
    state = {
        "esm.embeddings.word_embeddings.weight": module.embed_tokens.weight,
        "esm.embeddings.position_embeddings.weight": torch.full((1026, D_MODEL), 7.0),
        "esm.embeddings.position_ids": torch.arange(1026)[None],
        "esm.contact_head.regression.weight": torch.full((1, N_LAYERS * N_HEADS), 7.0),
        "esm.contact_head.regression.bias": torch.full((1,), 7.0),
        "lm_head.decoder.weight": module.lm_head.weight,
        "lm_head.bias": module.lm_head.bias,
    }
    norms = {
        "esm.encoder.emb_layer_norm_after": module.emb_layer_norm_after,
        "lm_head.layer_norm": module.lm_head.layer_norm,
        "lm_head.dense": module.lm_head.dense,
    }
    for i, layer in enumerate(module.layers):
        norms |= {
            f"esm.encoder.layer.{i}.{name}": part
            for name, part in {
                "attention.self.query": layer.self_attn.q_proj,
                "attention.self.key": layer.self_attn.k_proj,
                "attention.self.value": layer.self_attn.v_proj,
                "attention.output.dense": layer.self_attn.out_proj,
                "attention.LayerNorm": layer.self_attn_layer_norm,
                "intermediate.dense": layer.fc1,
                "output.dense": layer.fc2,
                "LayerNorm": layer.final_layer_norm,
            }.items()
        }
        inv_freq = torch.full((D_MODEL // N_HEADS // 2,), 7.0)
        state[f"esm.encoder.layer.{i}.attention.self.rotary_embeddings.inv_freq"] = inv_freq
    for name, part in norms.items():
        state |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
    return {name: value.detach().clone() for name, value in state.items()}


def write_folder(
    folder: Path, state: dict[str, torch.Tensor], *, n_shards: int = 1, dtype=torch.float32, **config: object
) -> Path:
    """Write config.json and one or several safetensors files, the latter with their index."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    stored = {name: x.to(dtype) if x.is_floating_point() else x for name, x in state.items()}
    if n_shards == 1:
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})
        return folder
    files = {
        name: f"model-{i % n_shards + 1:05d}-of-{n_shards:05d}.safetensors" for i, name in enumerate(stored)
    }
    for file in set(files.values()):
        part = {name: x for name, x in stored.items() if files[name] == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    index = {"metadata": {"total_size": 1}, "weight_map": files}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder
