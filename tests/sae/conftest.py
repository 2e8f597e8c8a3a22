"""Small modules in float64, with weights that do something."""

from collections.abc import Callable
from functools import partial

import pytest
import torch

from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import SparseAutoencoder, TrainingBatch
from protsae.sae.config import CONFIGS, GuidanceConfig, ProtSaeConfig, SpliceConfig, shaped_config
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import build
from protsae.sae.splice import SpliceCoder

D_MODEL, D_SAE, K, N_DEFINED = 6, 16, 3, 4
AS_IN_THE_PAPER = {"predictor_input": "scaled", "forced_scale": 1.0}


def _stir(sae: SparseAutoencoder) -> SparseAutoencoder:
    """Move every parameter off its initial value."""
    generator = torch.Generator().manual_seed(1)
    sae.double()
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    sae.normalise_decoder()
    sae.set_input_statistics(torch.arange(D_MODEL, dtype=torch.float64), 13.0)
    return sae


@pytest.fixture
def make_unguided() -> Callable[..., SparseAutoencoder]:
    """By an architecture's name and settings."""

    def make(architecture: str, **settings: object) -> SparseAutoencoder:
        config = shaped_config(CONFIGS[architecture], settings, d_model=D_MODEL, d_sae=D_SAE, k=K)
        return _stir(build(config, torch.Generator().manual_seed(0)))

    return make


@pytest.fixture
def make_topk(make_unguided) -> Callable[..., SparseAutoencoder]:
    return partial(make_unguided, "topk")


@pytest.fixture
def make_protsae() -> Callable[..., ProtSae]:
    def make(residue_level: tuple[int, ...] = (), **guidance: object) -> ProtSae:
        config = ProtSaeConfig(
            d_model=D_MODEL,
            d_sae=D_SAE,
            k=K,
            concept_ids=tuple(f"GO:{i:07d}" for i in range(N_DEFINED)),
            residue_level=tuple(f"GO:{i:07d}" for i in residue_level),
            n_zero=2,
            n_relations=1,
            guidance=GuidanceConfig(**{**AS_IN_THE_PAPER, **guidance}),
        )
        sae = _stir(ProtSae(config, torch.Generator().manual_seed(0)))
        sae.gate_logit.copy_(torch.tensor([-0.5, 0.2, 0.0, 0.4]))
        return sae

    return make


@pytest.fixture
def make_splice() -> Callable[..., SpliceCoder]:
    """Sixteen concepts in six dimensions; solved to rounding."""

    def make(**settings: object) -> SpliceCoder:
        concept_ids = tuple(f"GO:{i:07d}" for i in range(D_SAE))
        known = {"d_model": D_MODEL, "concept_ids": concept_ids, "tolerance": 1e-12, "penalty": 0.05}
        sae = SpliceCoder(SpliceConfig(**{**known, **settings})).double()
        generator = torch.Generator().manual_seed(4)
        sae.set_directions(torch.randn(D_SAE, D_MODEL, generator=generator, dtype=torch.float64))
        sae.set_input_statistics(torch.arange(D_MODEL, dtype=torch.float64), 13.0)
        return sae

    return make


@pytest.fixture
def x() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    offset = torch.arange(D_MODEL, dtype=torch.float64)
    return 2 * torch.randn(20, D_MODEL, generator=generator, dtype=torch.float64) + offset


@pytest.fixture
def batch(x: torch.Tensor) -> TrainingBatch:
    """Three proteins; the last concept of the first one is not labelled."""
    labelled = torch.ones(3, N_DEFINED, dtype=torch.bool)
    labelled[0, 3] = False
    return TrainingBatch(
        x=x,
        dead=torch.zeros(D_SAE, dtype=torch.bool),
        segment=torch.tensor([0] * 7 + [1] * 9 + [2] * 4),
        labels=torch.tensor([[1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 0, 0]], dtype=torch.float64),
        labelled=labelled,
        axioms=AxiomIndices(torch.tensor([[0, 4], [1, 5], [2, 4]]), torch.tensor([[3, 0, 1]]), 6, 1),
    )
