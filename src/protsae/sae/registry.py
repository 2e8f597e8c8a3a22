"""Architectures by name: the one place that maps a name to its module and its config."""

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder
from protsae.sae.batch_topk import BatchTopKSae
from protsae.sae.config import (
    BatchTopKConfig,
    GatedConfig,
    GbaConfig,
    JumpReluConfig,
    MatryoshkaConfig,
    OrderedConfig,
    ProtSaeConfig,
    ReluConfig,
    SaeConfig,
    SpliceConfig,
    TopKConfig,
)
from protsae.sae.gated import GatedSae
from protsae.sae.gba import GbaSae
from protsae.sae.jumprelu import JumpReluSae
from protsae.sae.matryoshka import MatryoshkaSae
from protsae.sae.ordered import OrderedSae
from protsae.sae.protsae import ProtSae
from protsae.sae.relu import ReluSae
from protsae.sae.splice import SpliceCoder
from protsae.sae.topk import TopKSae

ARCHITECTURES: dict[str, tuple[type[SparseAutoencoder], type[SaeConfig]]] = {
    "batch_topk": (BatchTopKSae, BatchTopKConfig),
    "gated": (GatedSae, GatedConfig),
    "gba": (GbaSae, GbaConfig),
    "jumprelu": (JumpReluSae, JumpReluConfig),
    "matryoshka": (MatryoshkaSae, MatryoshkaConfig),
    "ordered": (OrderedSae, OrderedConfig),
    "protsae": (ProtSae, ProtSaeConfig),
    "relu": (ReluSae, ReluConfig),
    "splice": (SpliceCoder, SpliceConfig),
    "topk": (TopKSae, TopKConfig),
}
UNGUIDED = tuple(
    name for name, (_, shape) in ARCHITECTURES.items() if "concept_ids" not in shape.model_fields
)
"""Names of the architectures without concepts."""
TOPK_FAMILY = tuple(n for n in UNGUIDED if "k" in ARCHITECTURES[n][1].model_fields)
"""Those of them that choose k latents per token."""


def build(config: SaeConfig, generator: torch.Generator | None = None) -> SparseAutoencoder:
    """Return the untrained module of a config, its weights drawn from `generator`."""
    name = config.model_dump(include={"architecture"})["architecture"]
    return ARCHITECTURES[name][0](config, generator)


def unguided_config(
    architecture: str, settings: Mapping[str, Any], *, d_model: int, d_sae: int, k: int
) -> SaeConfig:
    """Return the config of an unguided architecture of some shape.

    Args:
        architecture: name.
        settings: fields of its config that differ from their defaults.
        d_model: width of the activations.
        d_sae: number of latents.
        k: latents per token; read by the TopK family alone.

    Raises:
        InputError: an unknown or guided architecture, or settings that do not fit the shape.
    """
    if architecture not in UNGUIDED:
        raise InputError(
            f"'{architecture}' is not an unguided architecture: these are {', '.join(sorted(UNGUIDED))}"
        )
    return shaped_config(ARCHITECTURES[architecture][1], settings, d_model=d_model, d_sae=d_sae, k=k)


def shaped_config(
    model: type[SaeConfig], settings: Mapping[str, Any], *, d_model: int, d_sae: int, k: int
) -> SaeConfig:
    """Return the config of an unguided architecture, given its class. See `unguided_config`."""
    shape = {"d_model": d_model, "d_sae": d_sae} | ({"k": k} if "k" in model.model_fields else {})
    try:
        return model.model_validate({**settings, **shape})
    except ValidationError as error:
        first, architecture = error.errors()[0], model.model_fields["architecture"].default
        raise InputError(f"{architecture} can not be built: {first['msg']}") from error
