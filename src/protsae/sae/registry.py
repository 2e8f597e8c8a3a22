"""Architectures by name: the one place that maps a name to its module (to its settings: `config.CONFIGS`)."""

import torch

from protsae.sae.base import SparseAutoencoder
from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.config import CONFIGS, SaeConfig
from protsae.sae.frozen import FrozenDecoderSae, FrozenEncoderSae
from protsae.sae.gated import GatedSae
from protsae.sae.gba import GbaSae
from protsae.sae.jumprelu import JumpReluSae
from protsae.sae.matryoshka import MatryoshkaSae
from protsae.sae.ordered import OrderedSae
from protsae.sae.protsae import ProtSae
from protsae.sae.relu import ReluSae
from protsae.sae.splice import SpliceCoder
from protsae.sae.topk import TopKSae

ARCHITECTURES: dict[str, type[SparseAutoencoder]] = {
    "batch_topk": BatchTopKSae,
    "frozen_decoder": FrozenDecoderSae,
    "frozen_encoder": FrozenEncoderSae,
    "gated": GatedSae,
    "gba": GbaSae,
    "jumprelu": JumpReluSae,
    "matryoshka": MatryoshkaSae,
    "ordered": OrderedSae,
    "protsae": ProtSae,
    "relu": ReluSae,
    "splice": SpliceCoder,
    "topk": TopKSae,
}
UNGUIDED = tuple(name for name in ARCHITECTURES if "concept_ids" not in CONFIGS[name].model_fields)
"""Names of the architectures without concepts."""
TOPK_FAMILY = tuple(name for name in UNGUIDED if "k" in CONFIGS[name].model_fields)
"""Those of them that choose k latents per token."""


def build(config: SaeConfig, generator: torch.Generator | None = None) -> SparseAutoencoder:
    """Return the untrained module of a config, its weights drawn from `generator`."""
    name = config.model_dump(include={"architecture"})["architecture"]
    return ARCHITECTURES[name](config, generator)
