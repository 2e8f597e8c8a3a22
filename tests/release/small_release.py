"""A release of a small dictionary over a tiny language model, and what goes into it."""

from pathlib import Path

import pandas as pd
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.plm.checkpoint import PlmModel
from protsae.plm.forward import Esm2Forward
from protsae.release import DataRecord, ReleaseContent
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import TopKConfig
from protsae.sae.registry import build

HOOK_POINT = "layers.1.resid_post"
D_SAE = 48
SEQUENCES = random_sequences([40, 60, 80])


def activations(model: PlmModel, hook_point: str = HOOK_POINT) -> torch.Tensor:
    """Return those of `SEQUENCES`, [180, 24]."""
    return Esm2Forward(model, [hook_point]).run(SEQUENCES)[hook_point]


def small_checkpoint(folder: Path, model: PlmModel) -> SaeCheckpoint:
    """Write a dictionary that rebuilds the model's activations well: both signs of every axis."""
    x = activations(model)
    sae = build(TopKConfig(d_model=D_MODEL, d_sae=D_SAE, k=D_MODEL))
    with torch.no_grad():
        axes = torch.cat([torch.eye(D_MODEL), -torch.eye(D_MODEL)])
        sae.W_dec.copy_(axes)
        sae.W_enc.copy_(axes.T)
    variance = float((x - x.mean(dim=0)).square().sum(dim=1).mean())
    sae.set_input_statistics(x.mean(dim=0), variance)
    about = {"name": "small", "hook_point": HOOK_POINT, "model": model.name, "model_sha256": model.sha256}
    seen = {"n_residues": len(x), "mean_norm": float(x.mean(dim=0).norm()), "total_variance": variance}
    path = folder / "sae.safetensors"
    save_sae(sae, path, {**about, "seed": 0, "activations": {**seen, "fve": 0.9}})
    return SaeCheckpoint(path)


def small_content(folder: Path, **changes: object) -> ReleaseContent:
    """Return what goes into the release; files are written to `folder`."""
    model = tiny_model(folder)
    tables = {
        "concepts": pd.DataFrame({"concept_idx": [0], "concept_id": ["GO:1"], "name": ["one"]}),
        "latents": pd.DataFrame({"latent": range(D_SAE), "kind": "free"}),
        "train_sequences": pd.DataFrame({"protein_id": ["a", "b", "c"], "sequence": SEQUENCES}),
    }
    content = {
        "checkpoint": small_checkpoint(folder, model),
        "data": DataRecord(description="random letters", n_proteins=3, split_salt="none"),
        "tables": tables,
        "plm": folder / "tiny_0.safetensors",
        "attribution": ("nobody",),
    }
    return ReleaseContent(**{**content, **changes})
