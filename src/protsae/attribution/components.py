"""A prediction divided among the latents of a dictionary and its error.

Values at the hook point are what latents decode to, plus the decoder's bias, plus the error: what the
dictionary does not reconstruct. Every active code of every residue is a node, and so is every residue's
error. A component is a latent at all residues, or the error at all residues. The empty protein has no
component: the bias is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from protsae.attribution.scores import Score
from protsae.sae.base import SparseAutoencoder

Floats = NDArray[np.float64]
ERROR = -1
"""What tables call the error, in the place of a latent's number."""
_ROWS = 64


@dataclass(frozen=True)
class Components:
    """The values of one protein, divided. c components: the active latents, ascending, then the error."""

    latents: tuple[int, ...]
    """Numbers of the active latents; the last one is `ERROR`."""
    codes: Tensor
    """Double [length, c - 1]."""
    directions: Tensor
    """What a code of 1 adds [c - 1, d_model]."""
    error: Tensor
    """[length, d_model]."""
    bias: Tensor
    """[d_model]."""

    @classmethod
    def of(cls, sae: SparseAutoencoder, values: Tensor) -> "Components":
        """Divide values [length, d_model].

        Codes are those that the dictionary computes in single precision, as everywhere else.
        """
        with torch.no_grad():
            codes = sae.encode(values.float()).double()
            latents = (codes > 0).any(dim=0).nonzero().flatten()
            scale = sae.input_scale.double()
            directions = sae.W_dec[latents].double() / scale
            bias = sae.b_dec.double() / scale + sae.input_mean.double()
            active = codes[:, latents]
            error = values.double() - active @ directions - bias
        return cls((*latents.tolist(), ERROR), active, directions, error, bias)

    def __len__(self) -> int:
        """Return the number of components c."""
        return len(self.latents)

    def kept(self, gates: Tensor) -> Tensor:
        """Return the values with every component multiplied by its gate.

        Args:
            gates: double [n, c].

        Returns:
            [n, length, d_model].
        """
        codes = self.codes * gates[:, None, :-1]
        return codes @ self.directions + self.bias + gates[:, -1, None, None] * self.error

    def scores(self, score: Score, gates: Tensor) -> Floats:
        """Return the score for every row of gates [n]."""
        with torch.no_grad():
            found = [score(self.kept(rows)) for rows in torch.split(gates, _ROWS)]
        return torch.cat(found).numpy()

    def cumulative_scores(self, score: Score, order: Sequence[int]) -> tuple[Floats, Floats]:
        """Return the score with the first n components of an order alone, and with all others [c + 1] each.

        The same as `scores` of such gates, by running sums.
        """
        kept = self.bias.expand_as(self.error)[None]
        whole = self.codes @ self.directions + self.error + 2 * self.bias
        first, rest = list[Tensor](), list[Tensor]()
        with torch.no_grad():
            for number in torch.split(torch.tensor([-1, *order]), _ROWS):
                parts = torch.stack([self._values(i) if i >= 0 else kept[-1] * 0 for i in number.tolist()])
                kept = kept[-1] + parts.cumsum(dim=0)
                first.append(score(kept))
                rest.append(score(whole - kept))
        return torch.cat(first).numpy(), torch.cat(rest).numpy()

    def _values(self, component: int) -> Tensor:
        """Return what one component adds to the values [length, d_model]."""
        if self.latents[component] == ERROR:
            return self.error
        return self.codes[:, component, None] * self.directions[component]

    def ends(self, score: Score) -> tuple[float, float]:
        """Return the score without any component, and with all of them."""
        empty, full = self.scores(score, torch.tensor([[0.0], [1.0]]).double().expand(2, len(self)))
        return float(empty), float(full)


def node_attributions(score: Score, components: Components, n_steps: int = 1) -> Floats:
    """Return what every node is worth by gradients, along the straight line from the empty protein.

    Args:
        score: the prediction.
        components: of the protein.
        n_steps: points of Gauss-Legendre quadrature on the line: integrated gradients (Sundararajan et al.
            2017), whose sum is the score less that of the empty protein; 1: the gradient at the protein
            itself, times the activation.

    Returns:
        [length, c].
    """
    codes, error = components.codes, components.error
    points, weights = (np.array([1.0]), np.array([1.0])) if n_steps == 1 else _quadrature(n_steps)
    total = torch.zeros(len(codes), len(components), dtype=torch.float64)
    for point, weight in zip(points, weights, strict=True):
        z, e = ((float(point) * part).requires_grad_(True) for part in (codes, error))
        value = score((z @ components.directions + components.bias + e)[None])[0]
        of_codes, of_error = torch.autograd.grad(value, (z, e))
        total[:, :-1] += weight * of_codes * codes
        total[:, -1] += weight * (of_error * error).sum(dim=1)
    return total.numpy()


def value_attributions(score: Score, values: Tensor, n_steps: int = 1) -> Floats:
    """Return what the values of every residue are worth, along the line from zero to them [length].

    At the embedding zero is what the model sees where all residues are masked, but for the scale of the
    others.

    Args:
        score: the prediction.
        values: double [length, d_model].
        n_steps: see `node_attributions`.
    """
    points, weights = (np.array([1.0]), np.array([1.0])) if n_steps == 1 else _quadrature(n_steps)
    total = torch.zeros(len(values), dtype=torch.float64)
    for point, weight in zip(points, weights, strict=True):
        x = (float(point) * values).requires_grad_(True)
        (gradient,) = torch.autograd.grad(score(x[None])[0], x)
        total += weight * (gradient * values).sum(dim=1)
    return total.numpy()


def ablations(score: Score, components: Components) -> Floats:
    """Return by how much the score falls without each component, all others kept [c]."""
    gates = torch.ones(len(components) + 1, len(components), dtype=torch.float64)
    gates[1:].fill_diagonal_(0.0)
    found = components.scores(score, gates)
    fall: Floats = found[0] - found[1:]
    return fall


def _quadrature(n: int) -> tuple[Floats, Floats]:
    """Return points and weights on the interval from 0 to 1."""
    points, weights = np.polynomial.legendre.leggauss(n)
    return (points + 1) / 2, weights / 2
