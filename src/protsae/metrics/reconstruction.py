"""How well a dictionary reconstructs activations: sums over a whole split, in float64."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch


class ReconstructionAccumulator:
    """Streaming sums for the fraction of variance explained and its companions.

    With x the activations of a split's residues, mu their mean over the split and x_hat the reconstructions:

    * `fve` = 1 - sum ||x - x_hat||^2 / sum ||x - mu||^2, both sums over the whole split;
    * `mse` = sum ||x - x_hat||^2 / (residues * d_model);
    * `l0` = mean number of positive latents per residue;
    * `dead_share` = share of latents that are positive on no residue of the split.

    The result does not depend on how the residues are cut into batches.
    """

    def __init__(self) -> None:
        self._shift: NDArray[np.float64] | None = None
        self._shifted_sum: NDArray[np.float64] | float = 0.0
        self._shifted_squares = 0.0
        self._residual_squares = 0.0
        self._n_rows = 0
        self._n_values = 0
        self._fired: NDArray[np.int64] | None = None

    def update(self, x: "torch.Tensor", x_hat: "torch.Tensor", latent_acts: "torch.Tensor") -> None:
        """Add residues.

        Args:
            x: activations [n, d_model].
            x_hat: their reconstructions [n, d_model].
            latent_acts: latent activations [n, d_sae], not negative.

        Raises:
            ValueError: the shapes do not fit, or a value is not finite.
        """
        if len(latent_acts) != len(x):
            raise ValueError(f"shapes do not fit: x {tuple(x.shape)}, latents {tuple(latent_acts.shape)}")
        # NumPy's column sums are the faster.
        self.update_counts(x, x_hat, (latent_acts.detach() > 0).cpu().numpy().sum(axis=0))

    def update_counts(self, x: "torch.Tensor", x_hat: "torch.Tensor", n_fired: NDArray[np.int64]) -> None:
        """Add residues of which it is known how many each latent is positive on.

        Args:
            x: activations [n, d_model].
            x_hat: their reconstructions [n, d_model].
            n_fired: how many [d_sae].

        Raises:
            ValueError: the shapes do not fit, or a value is not finite.
        """
        if x.shape != x_hat.shape:
            raise ValueError(f"shapes do not fit: x {tuple(x.shape)}, x_hat {tuple(x_hat.shape)}")
        if len(x) == 0:
            return
        values = x.detach().double()
        if self._shift is None:  # any vector near the mean keeps the two-sum identity from cancelling
            self._shift = values.mean(dim=0).cpu().numpy()
        centred = values - values.new_tensor(self._shift)
        residual = float((values - x_hat.detach().double()).square().sum())
        squares = float(centred.square().sum())
        if not (np.isfinite(residual) and np.isfinite(squares)):
            raise ValueError("activations or reconstructions are not finite")
        self._shifted_sum = self._shifted_sum + centred.sum(dim=0).cpu().numpy()
        self._shifted_squares += squares
        self._residual_squares += residual
        self._n_rows += len(x)
        self._n_values += x.numel()
        self._fired = n_fired.copy() if self._fired is None else self._fired + n_fired

    def compute(self) -> dict[str, float]:
        """Return `fve`, `mse`, `l0` and `dead_share`; `fve` is NaN where the activations do not vary.

        Raises:
            ValueError: no residue was seen.
        """
        if self._fired is None:
            raise ValueError("no residues were given, so there is nothing to compute")
        total = self._shifted_squares - float(np.square(self._shifted_sum).sum()) / self._n_rows
        return {
            "fve": 1.0 - self._residual_squares / total if total > 0 else float("nan"),
            "mse": self._residual_squares / self._n_values,
            "l0": float(self._fired.sum()) / self._n_rows,
            "dead_share": float((self._fired == 0).mean()),
        }


def participation(
    squared_act_sums: NDArray[np.floating[Any]], decoder_norms: NDArray[np.floating[Any]], n_defined: int
) -> float:
    """Return the defined latents' share of what is decoded.

    sum over residues and defined latents of ||z_i W_dec[i]||^2, over the same for all latents
    (the share of energy, cross terms left out).

    Args:
        squared_act_sums: sum over residues of z_i^2 [d_sae], defined latents first.
        decoder_norms: ||W_dec[i]|| [d_sae].
        n_defined: how many latents are defined.

    Returns:
        A share from 0 to 1; NaN where no latent is ever positive.
    """
    energy = np.asarray(squared_act_sums, np.float64) * np.square(np.asarray(decoder_norms, np.float64))
    total = float(energy.sum())
    return float(energy[:n_defined].sum()) / total if total > 0 else float("nan")
