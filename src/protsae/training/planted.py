"""Planted dictionaries through the one trainer: how much of what was planted an architecture finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from protsae.activations.sampler import ResidueBatch
from protsae.core.seeding import torch_generator
from protsae.metrics.reconstruction import ReconstructionAccumulator
from protsae.sae.config import SaeConfig
from protsae.sae.planted import Planted
from protsae.sae.registry import build
from protsae.training.config import TrainerConfig
from protsae.training.data import Split
from protsae.training.trainer import Trainer

N_JUDGED = 4096


@dataclass(frozen=True)
class PlantedBatches:
    """Samples of a planted dictionary as batches of residues; every epoch draws others."""

    planted: Planted
    n_batches: int
    n_samples: int
    """Per batch."""
    seed: int

    def epoch(self, epoch: int) -> Iterator[ResidueBatch]:
        """Yield the batches of one epoch: a pure function of seed and epoch."""
        generator = torch_generator(self.seed, "planted", epoch)
        one = torch.zeros(self.n_samples, dtype=torch.int64)
        for _ in range(self.n_batches):
            x, _ = self.planted.draw(self.n_samples, generator)
            yield ResidueBatch(x, one, one[:1], one)


def judge_on_planted(
    config: SaeConfig, planted: Planted, *, n_steps: int, seed: int, n_samples: int = 256
) -> dict[str, float]:
    """Train an architecture on a planted dictionary and return what it found.

    Args:
        config: the architecture.
        planted: what to find.
        n_steps: optimiser steps.
        seed: of weights and samples.
        n_samples: per step.

    Returns:
        `recovery` and `absorption` (see `Planted`), `fve`, `l0` and `dead_share` on other samples.
    """
    n_epochs = 4
    sae = build(config, torch_generator(seed, "init"))
    x, coefficients = planted.draw(N_JUDGED, torch_generator(seed, "judged"))
    centred = x - x.mean(dim=0)
    sae.set_input_statistics(x.mean(dim=0), float(centred.square().sum(dim=1).mean()))
    trainer = TrainerConfig(
        epochs=n_epochs, learning_rate=1e-2, dead_after_n_tokens=20 * n_samples, device="cpu"
    )
    train, validation = (
        Split(["planted"], PlantedBatches(planted, n, n_samples, seed + i))
        for i, n in enumerate((n_steps // n_epochs, 4))
    )
    Trainer(sae, trainer, train, validation).fit()
    with torch.no_grad():
        codes = sae.encode(x)
        quality = ReconstructionAccumulator()
        quality.update(x, sae.decode(codes), codes)
        found = sae.W_dec.detach()
    values = quality.compute()
    return {
        "recovery": planted.recovery(found),
        "absorption": planted.absorption(found, codes, coefficients),
        **{name: values[name] for name in ("fve", "l0", "dead_share")},
    }
