"""Checkpoints in the layout of Hugging Face's `EsmForMaskedLM`: a folder with config.json and safetensors."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import MALFORMED, InputError
from protsae.core.tensor_files import load_safetensors
from protsae.plm.weights import ModelShape, Weights

if TYPE_CHECKING:
    from torch import Tensor

CONFIG_NAME, WEIGHTS_NAME = "config.json", "model.safetensors"
INDEX_NAME = f"{WEIGHTS_NAME}.index.json"

_LAYER = re.compile(r"esm\.encoder\.layer\.(\d+)\.(.+)\.(weight|bias|gamma|beta)")
_OF_LAYERS = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.LayerNorm": "self_attn_layer_norm",
    "intermediate.dense": "fc1",
    "output.dense": "fc2",
    "LayerNorm": "final_layer_norm",
}
# transformers 5 writes the norms of layers under the names that TensorFlow gave them
_KINDS = {"gamma": "weight", "beta": "bias"}
_OTHERS = {
    "esm.embeddings.word_embeddings.weight": "embed_tokens.weight",
    "esm.encoder.emb_layer_norm_after.weight": "emb_layer_norm_after.weight",
    "esm.encoder.emb_layer_norm_after.bias": "emb_layer_norm_after.bias",
    "lm_head.decoder.weight": "lm_head.weight",
}
# Positions are rotary and computed; the contact head and the pooler see what we never ask for.
_UNUSED = re.compile(
    r"(position_ids|position_embeddings\.weight|rotary_embeddings\.inv_freq)$|^esm\.(contact_head|pooler)\."
)
# What makes an ESM-2 of Hugging Face's ESM, and what its config means by leaving a key out.
_EXPECTED: dict[str, tuple[Any, Any]] = {
    "model_type": ("esm", None),
    "position_embedding_type": ("rotary", "absolute"),
    "emb_layer_norm_before": (False, False),
    "layer_norm_eps": (1e-5, 1e-12),
    "rope_theta": (10_000, 10_000),
    "vocab_size": (33, None),
}


def folder_of(path: Path) -> Path | None:
    """Return the folder of a checkpoint in this layout, for the folder or its main file; None for others."""
    if path.is_dir():
        return path
    is_main = path.name in {WEIGHTS_NAME, INDEX_NAME} and (path.parent / CONFIG_NAME).is_file()
    return path.parent if is_main else None


def read_hugging_face(folder: Path) -> Weights:
    """Read a folder that `EsmForMaskedLM.save_pretrained` wrote, or a download of one; sharded ones too.

    Raises:
        InputError: a file is missing, truncated or of another kind, the model is another one than ESM-2, or
            its vocabulary has another order than fair-esm's.
    """
    config = _read_json(folder / CONFIG_NAME)
    shape = _shape(folder / CONFIG_NAME, config)
    _check_vocabulary(folder, config)
    files = _weight_files(folder)
    state: dict[str, Tensor] = {}
    for path in files:
        for name, value in load_safetensors(path)[0].items():
            if not _UNUSED.search(name):
                state[_fair_esm_name(name)] = value
    if "lm_head.dense.weight" not in state:
        raise InputError(
            f"{folder}: the weights have no language-model head: save the model as EsmForMaskedLM, not as "
            "EsmModel"
        )
    return Weights(_name(folder), (folder / CONFIG_NAME, *files), shape, state)


def _fair_esm_name(name: str) -> str:
    """Return fair-esm's name of a parameter; the name itself where it has none."""
    if (found := _LAYER.fullmatch(name)) and found[2] in _OF_LAYERS:
        return f"layers.{found[1]}.{_OF_LAYERS[found[2]]}.{_KINDS.get(found[3], found[3])}"
    return _OTHERS.get(name, name)


def _name(folder: Path) -> str:
    """Return the folder's name; within a download cache, whose folders are hashes, the repository's."""
    folder = folder.absolute()
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.rpartition("--")[2]
    return folder.name


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path.parent} has no {path.name}: a folder in Hugging Face's layout holds {CONFIG_NAME} and "
            f"{WEIGHTS_NAME}; or give a .pt or .safetensors file"
        ) from None
    except (OSError, *MALFORMED) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}): fetch it again") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds no JSON object: fetch it again")
    return content


def _shape(path: Path, config: dict[str, Any]) -> ModelShape:
    for key, (expected, default) in _EXPECTED.items():
        found = default if config.get(key) is None else config[key]
        if found != expected:
            raise InputError(f"{path} is not of an ESM-2: {key} is {found!r}, not {expected!r}")
    try:
        return ModelShape(
            num_layers=int(config["num_hidden_layers"]),
            embed_dim=int(config["hidden_size"]),
            attention_heads=int(config["num_attention_heads"]),
            token_dropout=bool(config.get("token_dropout", False)),
        )
    except MALFORMED as error:
        raise InputError(f"{path} lacks or garbles the model's shape ({error})") from error


def _check_vocabulary(folder: Path, config: dict[str, Any]) -> None:
    """Compare the tokens where they are given: they are rows of the embedding, known by their place alone."""
    from esm import Alphabet

    ours = Alphabet.from_architecture("ESM-1b").all_toks
    given = {CONFIG_NAME: config.get("vocab_list")}
    if (folder / "vocab.txt").is_file():
        given["vocab.txt"] = (folder / "vocab.txt").read_text(encoding="utf-8").split()
    for name, tokens in given.items():
        if tokens is not None and list(tokens) != ours:
            place = next((i for i, (a, b) in enumerate(zip(tokens, ours, strict=False)) if a != b), len(ours))
            raise InputError(
                f"{folder / name}: the vocabulary of {len(tokens)} tokens is not that of ESM-2; it differs "
                f"from token {place} on"
            )


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS_NAME).is_file():
        return [folder / WEIGHTS_NAME]
    if not (folder / INDEX_NAME).is_file():
        raise InputError(
            f"{folder} has neither {WEIGHTS_NAME} nor {INDEX_NAME}: fetch the model as safetensors "
            "(pytorch_model.bin is not read)"
        )
    places = _read_json(folder / INDEX_NAME).get("weight_map")
    names = sorted({str(name) for name in places.values()}) if isinstance(places, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise InputError(f"{folder / INDEX_NAME} names no files of its folder: fetch it again")
    return [folder / name for name in names]  # the index says nothing that the weights do not
