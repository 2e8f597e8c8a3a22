"""What a training step holds at a time: for the TopK family nowhere batch times latents."""

import tracemalloc

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from protsae.sae.base import TrainingBatch
from protsae.sae.config import CONFIGS, ProtSaeConfig, shaped_config
from protsae.sae.registry import TOPK_FAMILY, UNGUIDED, build

N, D_MODEL, D_SAE, K = 512, 8, 256, 4
N_CONCEPTS = 3


class _Largest(TorchDispatchMode):
    """Remembers the largest memory that any tensor had which an operation gave back."""

    def __init__(self):
        super().__init__()
        self.n_bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                self.n_bytes = max(self.n_bytes, tensor.untyped_storage().nbytes())
        return out


def _sae(architecture):
    generator = torch.Generator().manual_seed(0)
    if architecture == "protsae":
        concept_ids = tuple(f"GO:{i:07d}" for i in range(N_CONCEPTS))
        config = ProtSaeConfig(d_model=D_MODEL, d_sae=D_SAE, k=K, concept_ids=concept_ids)
        return build(config, generator)
    return build(shaped_config(CONFIGS[architecture], {}, d_model=D_MODEL, d_sae=D_SAE, k=K), generator)


def _step(sae, n_dead):
    generator = torch.Generator().manual_seed(1)
    batch = TrainingBatch(
        torch.randn(N, D_MODEL, generator=generator),
        torch.arange(D_SAE) >= D_SAE - n_dead,
        segment=torch.arange(N) // 32,
        labels=(torch.rand(N // 32, N_CONCEPTS, generator=generator) < 0.2).float(),
        labelled=torch.ones(N // 32, N_CONCEPTS, dtype=torch.bool),
    )
    output = sae.step_output(batch)
    output.losses["loss/total"].backward()
    sae.after_step(batch, output)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr("protsae.sae.kernels.plain._CHUNK_BYTES", 64 * D_SAE * 4)
    monkeypatch.setattr("protsae.sae.kernels.encoding._FEWEST_ROWS", 64)


def _largest_of(sae, n_dead):
    """Return the bytes of the largest tensor, and the most that numpy and Python held."""
    with _Largest():
        _step(sae, n_dead)  # imports and compiles, which takes memory of its own
    sae.zero_grad()
    tracemalloc.start()
    try:
        with _Largest() as largest:
            _step(sae, n_dead)
        return largest.n_bytes, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("screened", [False, True])
@pytest.mark.parametrize("n_dead", [0, 40])
@pytest.mark.parametrize("architecture", [*TOPK_FAMILY, "protsae"])
def test_the_topk_family_never_holds_batch_times_latents(architecture, n_dead, screened, monkeypatch):
    monkeypatch.setattr("protsae.sae.kernels.encoding.multiplies_bfloat16", lambda: screened)
    n_bytes, n_traced = _largest_of(_sae(architecture), n_dead)
    assert n_bytes < N * D_SAE * 4 / 2
    assert n_traced < N * D_SAE * 4


@pytest.mark.parametrize("architecture", sorted(set(UNGUIDED) - set(TOPK_FAMILY)))
def test_others_do(architecture):
    """Otherwise the test above would see nothing."""
    assert _largest_of(_sae(architecture), 0)[0] >= N * D_SAE * 4
