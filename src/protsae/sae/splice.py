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
from protsae.sae.kernels.functions import is_compiled_for
from protsae.sae.losses import reconstruction_loss


class SpliceCoder(SparseAutoencoder):
    """Codes minimise `||x_n - z W_dec||² / (2 d_model) + penalty * sum(z) / sqrt(d_model)` over `z >= 0`.

    Every latent is a concept's. `b_dec` stays zero: inputs are centred.
    """

    takes_parts = False  # nothing is trained
    config: SpliceConfig

    def __init__(self, config: SpliceConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.requires_grad_(False)

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """The directions, transposed [d_model, d_sae]: codes would be projections on them without penalty
        and overlap."""
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
                "same mean; remove it from the concepts"
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

    Minimises `||x - z D||² / (2 d) + penalty * sum(z)` over `z >= 0` for each row: on CPUs a coordinate at a
    time (`kernels.lasso`), elsewhere all rows by accelerated proximal gradient steps.

    Args:
        x: [n, d].
        directions: D [m, d].
        penalty: weight of the coefficients' sum.
        tolerance: bound on the largest violation of the optimality conditions, times the largest
            correlation of a row with a direction.
        max_iterations: steps after which an unsolved row is an error: passes over all rows, or where single
            coordinates are settled, ten times as many of them.

    Returns:
        Coefficients [n, m].

    Raises:
        InputError: some row is not solved after `max_iterations`.
    """
    gram = directions @ directions.T
    correlation = x @ directions.T
    slopes = correlation - penalty * x.shape[1]
    bounds = tolerance * correlation.abs().amax(dim=1)
    if is_compiled_for(x, directions):
        from protsae.sae.kernels import cpu

        codes, is_open = cpu.lasso_codes(gram, slopes, bounds, 10 * max_iterations)
    else:
        codes, is_open = _accelerated(gram, slopes, bounds, max_iterations)
    if n_left := int(is_open.sum()):
        raise InputError(
            f"{n_left} of {len(x)} residues have no code after {max_iterations} steps: raise "
            "max_iterations, tolerance or penalty"
        )
    return codes


def _accelerated(gram: Tensor, slopes: Tensor, bounds: Tensor, max_iterations: int) -> tuple[Tensor, Tensor]:
    """Minimise `z gram z / 2 - z slopes` over z >= 0 by accelerated proximal gradient steps.

    Of Beck and Teboulle (2009), each row restarted when a step turns it back (O'Donoghue and Candès 2015).
    Rows that have converged are set aside.

    Returns:
        Codes [n, m], and which rows are not solved [n].
    """
    step = 1 / float(torch.linalg.eigvalsh(gram)[-1])
    solution = torch.zeros_like(slopes)
    rows = torch.arange(len(slopes), device=slopes.device)
    now, ahead, momentum = solution, solution, slopes.new_ones(len(slopes), 1)
    for iteration in range(max_iterations):
        moved = torch.relu(ahead - step * (ahead @ gram - slopes[rows]))
        back = ((ahead - moved) * (moved - now)).sum(dim=1, keepdim=True) > 0
        later = torch.where(back, 1.0, (1 + (1 + 4 * momentum**2).sqrt()) / 2)
        ahead = moved + torch.where(back, 0.0, (momentum - 1) / later) * (moved - now)
        now, momentum = moved, later
        if iteration % 10 == 9:
            solution[rows] = now
            left = (_violation(now, gram, slopes[rows]) > bounds[rows]).nonzero().flatten()
            rows, now, ahead, momentum = rows[left], now[left], ahead[left], momentum[left]
            if len(left) == 0:
                break
    is_open = torch.zeros(len(slopes), dtype=torch.bool, device=slopes.device)
    is_open[rows] = True
    return solution, is_open


def _violation(z: Tensor, gram: Tensor, slopes: Tensor) -> Tensor:
    """Return the largest violation of the optimality conditions per row [n]: slope 0 where z > 0, else not
    positive."""
    slope = slopes - z @ gram
    violation: Tensor = torch.where(z > 0, slope.abs(), torch.relu(slope)).amax(dim=1)
    return violation
