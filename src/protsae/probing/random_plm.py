"""A language model of the same shape with random weights, and its mean activations."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.progress import track
from protsae.plm.batching import token_budget_batches
from protsae.plm.checkpoint import PlmModel
from protsae.plm.windows import windows_of
from protsae.probing.config import RandomPlmConfig

if TYPE_CHECKING:
    from protsae.plm.forward import Esm2Forward


def random_model(model: PlmModel, seed: int) -> PlmModel:
    """Return a model of this shape with the weights that pretraining starts from."""
    from protsae.core.files import sha256_text
    from protsae.pretraining.config import ShapeConfig
    from protsae.pretraining.model import build_module

    shape = ShapeConfig(n_layers=model.n_layers, d_model=model.d_model, n_heads=model.n_heads)
    module = build_module(shape, seed).eval().requires_grad_(False)
    module.token_dropout = model.module.token_dropout
    name = f"random_{model.name}_seed{seed}"
    about = sha256_text(shape.model_dump_json(), str(seed), str(module.token_dropout))
    return PlmModel(name, about, model.n_layers, model.d_model, model.n_heads, module)


def random_mean_activations(
    model: PlmModel, hook_point: str, sequences: Mapping[str, str], config: RandomPlmConfig
) -> pd.DataFrame:
    """Average over residues what the model with random weights has at a hook point.

    Proteins above `max_residues` are run in windows, as extraction does.

    Args:
        model: whose shape.
        hook_point: where.
        sequences: protein id to residues.
        config: seed, and size of batches and windows.

    Returns:
        `protein_id`, `activation`: float32 [d_model], sorted by id.
    """
    from protsae.plm.forward import Esm2Forward

    forward = Esm2Forward(random_model(model, config.seed), [hook_point])
    ids = sorted(sequences)
    windows = [
        (place, window)
        for place, name in enumerate(ids)
        for window in windows_of(len(sequences[name]), config.max_residues, config.window_overlap)
    ]
    texts = [sequences[ids[place]][window.start : window.end] for place, window in windows]
    sums = np.zeros((len(ids), model.d_model))
    batches = token_budget_batches([len(text) for text in texts], config.max_tokens_per_batch)
    for batch in track(batches, "Running the model with random weights", total=len(batches)):
        blocks = _run(forward, hook_point, [texts[i] for i in batch])
        for i, block in zip(batch, blocks, strict=True):
            place, window = windows[i]
            kept = block[window.first - window.start : window.last - window.start]
            sums[place] += kept.sum(axis=0, dtype=np.float64)
    means = sums / np.array([[len(sequences[name])] for name in ids])
    return pd.DataFrame({"protein_id": ids, "activation": list(means.astype(np.float32))})


def _run(forward: "Esm2Forward", hook_point: str, texts: list[str]) -> list[NDArray[np.float32]]:
    values = forward.run(texts)[hook_point].float().cpu().numpy()
    return np.split(values, np.cumsum([len(text) for text in texts])[:-1])
