"""Steering of five proteins by a small dictionary over a tiny language model."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.pipelines.steering.nodes import steer_proteins
from protsae.pipelines.steering.parameters import SteeringParameters
from protsae.sae.checkpoint import save_sae
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae
from protsae.steering.plan import SteeringPlan

FILES = ("my.fasta", "sae.safetensors", "latents.parquet")


def write_steering_inputs(folder: Path) -> None:
    """Write what is given."""
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model(folder)
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(0))
    metadata = {"hook_point": "layers.1.resid_post", "model_sha256": model.sha256}
    save_sae(sae, folder / "sae.safetensors", metadata)
    statistics = pd.DataFrame({"latent": range(32), "max_act": np.linspace(0, 3, 32)})
    statistics.to_parquet(folder / "latents.parquet")
    texts = [
        text.translate(str.maketrans("XBUZO", "AAAAA")) for text in random_sequences([20, 9, 31, 12, 15])
    ]
    (folder / "my.fasta").write_text("".join(f">P{i}\n{text}\n" for i, text in enumerate(texts)))


def small_steering(folder: Path, **settings: object) -> SteeringPlan:
    """Return a plan of what a folder holds, two proteins to a shard."""
    if not (folder / FILES[0]).is_file():
        write_steering_inputs(folder)
    parameters = SteeringParameters(**{"latents": (5, 9), "proteins_per_shard": 2, **settings})
    plan: SteeringPlan = steer_proteins(
        *(folder / name for name in FILES), None, folder / "tiny_0.safetensors", None, parameters
    )
    return plan
