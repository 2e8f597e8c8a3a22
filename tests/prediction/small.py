"""A release of a small ProtSAE over a tiny language model, and proteins to predict."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.activations.config import ExtractionConfig
from protsae.prediction.config import PredictionConfig
from protsae.prediction.plan import PredictionPlan, plan_prediction
from protsae.prediction.proteins import Proteins
from protsae.release import DataRecord, Release, ReleaseContent, write_release
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sae.registry import build

HOOK_POINT = "layers.1.resid_post"
D_SAE, K = 32, 4
CONCEPTS = ("GO:1", "GO:2", "m:3", "GO:4")
"""The third is of residues, and is not scored."""
SCORED = (0, 1, 3)
POOLINGS = ("mean", "top", "max")


def small_sae(*, guided=True, locate=False):
    generator = torch.Generator().manual_seed(3)
    if not guided:
        return build(TopKConfig(d_model=D_MODEL, d_sae=D_SAE, k=K), generator)
    config = ProtSaeConfig(
        d_model=D_MODEL,
        d_sae=D_SAE,
        k=K,
        concept_ids=CONCEPTS,
        residue_level=("m:3",),
        guidance=GuidanceConfig(locate=locate),
    )
    sae = build(config, generator)
    with torch.no_grad():
        sae.gate_logit.fill_(0.02)  # gates open at some residues
        if locate:
            sae.sites.weight.copy_(torch.randn(sae.sites.weight.shape, generator=generator))
            sae.sites.is_used.copy_(torch.tensor([True, False, False, True]))
    return sae


def scorer_rows(*, guided=True) -> pd.DataFrame:
    kinds = ("predictor", "latent") if guided else ("latent",)
    rows = []
    for kind in kinds:
        for i, concept in enumerate(SCORED):
            latent = -1 if kind == "predictor" else concept if guided else 7 * i + 2
            rows.append(
                {
                    "concept_idx": concept,
                    "concept_id": CONCEPTS[concept],
                    "score": kind,
                    "latent": latent,
                    "sign": -1.0 if not guided and i == 1 else 1.0,
                    "pooling": POOLINGS[i] if kind == "latent" else "",
                    "centre": 0.1 * i,
                    "scale": 2.0,
                    "slope": 1.5,
                    "intercept": -0.2,
                    "threshold": [0.3, 0.46, np.nan][i],
                    "auc_test": 0.8,
                    "auc_low": 0.7,
                    "auc_high": 0.9,
                    "aupr_test": 0.5,
                    "f1_test": 0.4,
                    "prevalence": 0.1,
                    "n_test": 50,
                }
            )
    return pd.DataFrame(rows)


def small_release(folder: Path, *, guided=True, locate=False, with_latents=True) -> Release:
    folder.mkdir(parents=True, exist_ok=True)
    model = tiny_model(folder)
    about = {"name": "small", "hook_point": HOOK_POINT, "model": model.name, "model_sha256": model.sha256}
    save_sae(small_sae(guided=guided, locate=locate), folder / "sae.safetensors", {**about, "seed": 0})
    n = len(CONCEPTS) if guided else 0
    latents = pd.DataFrame(
        {
            "latent": range(D_SAE),
            "kind": ["defined"] * n + ["free"] * (D_SAE - n),
            "concept_id": [*CONCEPTS[:n], *[None] * (D_SAE - n)],
            "name": [*"abcd"[:n], *[None] * (D_SAE - n)],
            "max_act": np.linspace(1, 8, D_SAE),
            "best_concept_name": "best",
            "sentence": [f"Fires on <b>{i}</b> & more." for i in range(D_SAE)],
            "confidence": "low",
        }
    )
    train = random_sequences([50, 70], seed=9)
    tables = {
        "concepts": pd.DataFrame(
            {"concept_id": CONCEPTS, "name": ["one", 'the "second"', "three", "four"], "aspect": "BPO"}
        ),
        "concept_scorers": scorer_rows(guided=guided),
        "train_sequences": pd.DataFrame({"protein_id": ["t1", "t2"], "sequence": train}),
        **({"latents": latents} if with_latents else {}),
    }
    content = ReleaseContent(
        SaeCheckpoint(folder / "sae.safetensors"),
        DataRecord(description="random", n_proteins=2),
        tables,
        plm=folder / "tiny_0.safetensors",
    )
    return write_release(folder / "release", content)


def some_proteins(n=7) -> Proteins:
    sequences = random_sequences([30 + 13 * i % 60 for i in range(n)], seed=4)
    return Proteins(tuple(f"P{i}" for i in range(n)), ("",) * n, tuple(sequences), {})


def plan_of(release, proteins=None, variants=(), extraction=None, **config) -> PredictionPlan:
    settings = {"proteins_per_shard": 3, **config}
    asked = ExtractionConfig(hook_point="layers.0.resid_post", **(extraction or {}))
    return plan_prediction(
        release,
        some_proteins() if proteins is None else proteins,
        variants,
        asked,
        PredictionConfig(**settings),
    )
