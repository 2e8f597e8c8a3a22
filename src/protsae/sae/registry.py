"""Architectures by name: the one place that maps a name to its module and its config."""

from protsae.sae.base import SparseAutoencoder
from protsae.sae.config import ProtSaeConfig, SaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

ARCHITECTURES: dict[str, tuple[type[SparseAutoencoder], type[SaeConfig]]] = {
    "protsae": (ProtSae, ProtSaeConfig),
    "topk": (TopKSae, TopKConfig),
}
