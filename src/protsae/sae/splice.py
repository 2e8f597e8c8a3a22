"""Sparse non-negative coding on concept directions, as SpLiCE does it (Bhalla et al. 2024, arXiv 2402.10376).

Nothing is trained: the dictionary is one direction per concept, and a code is the solution of a lasso.
"""

import math

import torch
from torch import Tensor

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.config import SpliceConfig
from protsae.sae.dense import step_of
from protsae.sae.losses import reconstruction_loss


class SpliceCoder(SparseAutoencoder):
    """Codes minimise `||x_n - z W_dec||² / (2 d_model) + penalty * sum(z) / sqrt(d_model)` over `z >= 0`.

    Every latent is a concept's. `b_dec` stays zero: inputs are centred.
    """

    config: SpliceConfig

    def __init__(self, config: SpliceConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.requires_grad_(False)

    @property
    def n_defined(self) -> int:
        """Number of latents tied to concepts: all."""
        return self.config.d_sae

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts of the latents, in their order."""
        return self.config.concept_ids

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """The directions, transposed [d_model, d_sae]: what codes would be without penalty and overlap."""
        return self.W_dec.T

    @torch.no_grad()
    def set_directions(self, directions: Tensor) -> None:
        """Set the concepts' directions [d_sae, d_model] over scaled input; they are scaled to unit norm.

        Raises:
            InputError: a direction is zero or not a number.
        """
        norms = directions.norm(dim=1)
        bad = (~(norms > 0) | ~norms.isfinite()).nonzero().flatten().tolist()
        if bad:
            raise InputError(
                f"concept {self.concept_ids[bad[0]]} has no direction: its residues and the others have the "
                "same mean; leave it out of the concepts"
            )
        self.W_dec.copy_(directions / norms.unsqueeze(1))

    @torch.no_grad()
    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model].

        Raises:
            InputError: the solver has not converged.
        """
        config = self.config
        penalty = config.penalty / math.sqrt(config.d_model)
        return non_negative_lasso(
            self.scale_input(x), self.W_dec, penalty, config.tolerance, config.max_iterations
        )

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return the objective of one batch; there is nothing to train."""
        scaled, codes = self.scale_input(batch.x), self.encode(batch.x)
        losses = {
            "loss/reconstruction": reconstruction_loss(self._decode_scaled(codes), scaled),
            "loss/sparsity": codes.sum(dim=1).mean() / math.sqrt(self.config.d_model),
        }
        losses["loss/total"] = (
            losses["loss/reconstruction"] / 2 + self.config.penalty * losses["loss/sparsity"]
        )
        return step_of(losses, codes)


def non_negative_lasso(
    x: Tensor, directions: Tensor, penalty: float, tolerance: float, max_iterations: int
) -> Tensor:
    """Solve many lassos with non-negative coefficients at once.

    Minimises `||x - z D||² / (2 d) + penalty * sum(z)` over `z >= 0` for each row, by accelerated proximal
    gradient steps (Beck and Teboulle 2009), each row restarted when a step turns it back (O'Donoghue and
    Candès 2015). Rows that have converged are set aside.

    Args:
        x: [n, d].
        directions: D [m, d].
        penalty: weight of the coefficients' sum.
        tolerance: bound on the largest violation of the optimality conditions, times the largest
            correlation of a row with a direction.
        max_iterations: steps after which an unsolved row is an error.

    Returns:
        Coefficients [n, m].

    Raises:
        InputError: some row is not solved after `max_iterations`.
    """
    gram = directions @ directions.T
    correlation = x @ directions.T
    threshold = penalty * x.shape[1]
    step = 1 / float(torch.linalg.eigvalsh(gram)[-1])
    bound = tolerance * correlation.abs().amax(dim=1, keepdim=True)
    solution = torch.zeros_like(correlation)
    rows = torch.arange(len(x), device=x.device)
    now, ahead, momentum = solution, solution, torch.ones_like(bound)
    for iteration in range(max_iterations):
        moved = torch.relu(ahead - step * (ahead @ gram - correlation[rows] + threshold))
        back = ((ahead - moved) * (moved - now)).sum(dim=1, keepdim=True) > 0
        later = torch.where(back, 1.0, (1 + (1 + 4 * momentum**2).sqrt()) / 2)
        ahead = moved + torch.where(back, 0.0, (momentum - 1) / later) * (moved - now)
        now, momentum = moved, later
        if iteration % 10 == 9:
            solution[rows] = now
            left = (_violation(now, gram, correlation[rows], threshold) > bound[rows, 0]).nonzero().flatten()
            if len(left) == 0:
                return solution
            rows, now, ahead, momentum = rows[left], now[left], ahead[left], momentum[left]
    raise InputError(
        f"{len(rows)} of {len(x)} residues are not coded after {max_iterations} steps: raise max_iterations, "
        "tolerance or penalty"
    )


def _violation(z: Tensor, gram: Tensor, correlation: Tensor, threshold: float) -> Tensor:
    """Return the largest violation of the optimality conditions per row [n]: gradient 0 where z > 0, else
    not negative."""
    gradient = z @ gram - correlation + threshold
    violation: Tensor = torch.where(z > 0, gradient.abs(), torch.relu(-gradient)).amax(dim=1)
    return violation
