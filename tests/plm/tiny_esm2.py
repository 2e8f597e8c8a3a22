"""A tiny ESM-2 with random weights in which every part matters, and fair-esm's own activations of it."""

from argparse import Namespace
from pathlib import Path

import torch
from esm import ESM2
from safetensors.torch import save_file

from protsae.plm import PlmModel, load_plm
from protsae.plm.hook_points import LAYER_KINDS

N_LAYERS, D_MODEL, N_HEADS = 3, 24, 4
LETTERS = "ACDEFGHIKLMNPQRSTVWYXBUZO"


def tiny_esm2(seed: int = 0) -> ESM2:
    """Return fair-esm's module with weights large enough that attention is far from uniform."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = ESM2(N_LAYERS, D_MODEL, N_HEADS)
        for parameter in module.parameters():
            torch.nn.init.normal_(parameter, std=0.3 if parameter.ndim > 1 else 0.5)
    return module.eval().requires_grad_(False)


def write_safetensors(path: Path, module: ESM2, dtype: torch.dtype = torch.float32, **header: str) -> Path:
    """Write the layout of the demo's model."""
    state = {
        name: value.to(dtype).clone()
        for name, value in module.state_dict().items()
        if not name.startswith("contact_head") and "rot_emb" not in name
    }
    shape = {
        "architecture": "ESM2", "alphabet": "ESM-1b", "num_layers": str(N_LAYERS), "embed_dim": str(D_MODEL),
        "attention_heads": str(N_HEADS), "token_dropout": "true",
    }  # fmt: skip
    save_file(state, path, metadata={**shape, **header})
    return path


def fair_esm_content(module: ESM2) -> dict[str, object]:
    """Return what fair-esm's `.pt` files hold."""
    config = Namespace(
        encoder_layers=N_LAYERS,
        encoder_embed_dim=D_MODEL,
        encoder_attention_heads=N_HEADS,
        token_dropout=True,
    )
    state = {
        f"encoder.{'' if name.startswith('lm_head') else 'sentence_encoder.'}{name}": value
        for name, value in module.state_dict().items()
        if not name.startswith("contact_head")
    }
    return {"cfg": {"model": config}, "model": state}


def tiny_model(folder: Path, seed: int = 0) -> PlmModel:
    """Write a tiny model to `folder` and load it."""
    return load_plm(write_safetensors(folder / f"tiny_{seed}.safetensors", tiny_esm2(seed)))


def random_sequences(lengths: list[int], seed: int = 0) -> list[str]:
    """Return sequences of all letters in ESM-2's alphabet."""
    generator = torch.Generator().manual_seed(seed)
    return [
        "".join(LETTERS[i] for i in torch.randint(len(LETTERS), (n,), generator=generator)) for n in lengths
    ]


def fair_esm_activations(module: ESM2, sequences: list[str]) -> dict[str, torch.Tensor]:
    """Run fair-esm, padded, with forward hooks; residues only, [sum of lengths, d_model] per hook point."""
    seen: dict[str, torch.Tensor] = {}

    def keep(name, which):
        def hook(_module, args, output):
            value = args[0] if which == "input" else output
            value = value[0] if isinstance(value, tuple) else value
            seen[name] = value.transpose(0, 1)

        return hook

    handles = []
    for i, layer in enumerate(module.layers):
        points = {
            "resid_pre": (layer, "input"), "attn_out": (layer.self_attn, "output"),
            "resid_mid": (layer.final_layer_norm, "input"), "mlp_out": (layer.fc2, "output"),
            "resid_post": (layer, "output"),
        }  # fmt: skip
        for kind in LAYER_KINDS:
            target, which = points[kind]
            handles.append(target.register_forward_hook(keep(f"layers.{i}.{kind}", which)))
    _, _, tokens = module.alphabet.get_batch_converter()([("", sequence) for sequence in sequences])
    with torch.no_grad():
        final = module(tokens, repr_layers=[len(module.layers)])["representations"][len(module.layers)]
    for handle in handles:
        handle.remove()
    seen["final_norm"] = final
    return {
        name: torch.cat(
            [rows[1 : len(sequence) + 1] for rows, sequence in zip(value, sequences, strict=True)]
        )
        for name, value in seen.items()
    }


def worst_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Return the largest difference relative to the largest value of its row, or 1.

    What rounding does to a number that is a sum depends on the size of its terms, not on its own.
    """
    assert ours.shape == theirs.shape
    largest = theirs.abs().amax(dim=-1, keepdim=True).clamp(min=1)
    return float(((ours - theirs).abs() / largest).max())
