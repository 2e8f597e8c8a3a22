"""Planted dictionaries: data whose directions are known, to see how much of them an architecture finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from protsae.activations.sampler import ResidueBatch
from protsae.core.seeding import torch_generator
from protsae.metrics.reconstruction import ReconstructionAccumulator
from protsae.sae.config import SaeConfig
from protsae.sae.registry import build
from protsae.training.config import TrainerConfig
from protsae.training.data import Split
from protsae.training.trainer import Trainer

N_JUDGED = 4096


@dataclass(frozen=True)
class Planted:
    """Sparse non-negative combinations of unit directions, with or without a hierarchy.

    A feature fires on its own with its probability; one with a parent fires only where the parent does. Its
    coefficient is then uniform between .5 and 1.5.
    """

    directions: Tensor
    """[n_features, d_model], unit rows."""
    probability: Tensor
    """[n_features]: of firing; of a child: where its parent fires."""
    parent: Tensor
    """Int64 [n_features]: index of the parent, which comes before; -1: none."""

    @classmethod
    def flat(cls, n_features: int, d_model: int, n_active: float, generator: torch.Generator) -> "Planted":
        """Return independent features in random directions, `n_active` of them per sample on average."""
        probability = torch.full((n_features,), n_active / n_features)
        return cls(_directions(n_features, d_model, generator), probability, torch.full((n_features,), -1))

    @classmethod
    def hierarchical(
        cls, n_parents: int, n_children: int, d_model: int, n_active: float, generator: torch.Generator
    ) -> "Planted":
        """Return parents with `n_children` each, children after all parents.

        `n_active` parents fire per sample on average. A child fires in 0.6 / n_children of its parent's
        samples, so that a parent fires without any child in about half of them.
        """
        n_features = n_parents * (1 + n_children)
        probability = torch.full((n_features,), 0.6 / max(1, n_children))
        probability[:n_parents] = n_active / n_parents
        roots = torch.full((n_parents,), -1)
        parents = torch.cat([roots, torch.arange(n_parents).repeat_interleave(n_children)])
        return cls(_directions(n_features, d_model, generator), probability, parents)

    def draw(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return samples [n, d_model] and the coefficients [n, n_features] that made them."""
        shape = (n, len(self.directions))
        fires = torch.rand(shape, generator=generator) < self.probability
        for child in (self.parent >= 0).nonzero().flatten().tolist():
            fires[:, child] &= fires[:, int(self.parent[child])]
        coefficients = fires * (0.5 + torch.rand(shape, generator=generator))
        return coefficients @ self.directions, coefficients

    def cosines(self, found: Tensor) -> Tensor:
        """Return the cosine [n_features, d_sae] of each direction with each found one [d_sae, d_model]."""
        cosines: Tensor = self.directions @ (found / found.norm(dim=1, keepdim=True).clamp_min(1e-12)).T
        return cosines

    def recovery(self, found: Tensor) -> float:
        """Return the mean over planted directions of the largest cosine with a found one."""
        return float(self.cosines(found).max(dim=1).values.mean())

    def absorption(self, found: Tensor, latent_acts: Tensor, coefficients: Tensor) -> float:
        """Return how often a parent's latent keeps silent because a child fires.

        Over pairs of a parent and its child: the share of samples with both in which the latent nearest to
        the parent does not fire, less that share among samples with the parent and none of its children.
        0 is best; averaged over the pairs that occur.

        Args:
            found: directions of the latents [d_sae, d_model].
            latent_acts: codes [n, d_sae].
            coefficients: [n, n_features], as drawn.
        """
        nearest = self.cosines(found).argmax(dim=1)
        silent, present = latent_acts[:, nearest] == 0, coefficients > 0
        rates = []
        for child in (self.parent >= 0).nonzero().flatten().tolist():
            parent = int(self.parent[child])
            both = present[:, parent] & present[:, child]
            alone = present[:, parent] & ~present[:, self.parent == parent].any(dim=1)
            if both.any() and alone.any():
                missed = silent[:, parent].double()
                rates.append(float(missed[both].mean() - missed[alone].mean()))
        return sum(rates) / len(rates) if rates else float("nan")


def _directions(n: int, d_model: int, generator: torch.Generator) -> Tensor:
    directions = torch.randn(n, d_model, generator=generator)
    unit: Tensor = directions / directions.norm(dim=1, keepdim=True)
    return unit


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
