"""What a dictionary was made for, and whether that is what it is applied to.

A dictionary decomposes the activations of one layer of one language model. Other activations of the same
width go through it as well, without an error, and the codes mean nothing.
"""

from typing import TYPE_CHECKING, Any, Protocol

from pydantic import Field

from protsae.core.config import Config
from protsae.core.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from protsae.sae.base import SparseAutoencoder
    from protsae.sae.checkpoint import SaeCheckpoint

LARGEST_RATIO = 2.0
"""Accepted ratio, either way, of the root mean square of activations to the one on record."""
SMALLEST_FVE = 0.0
"""Below it, the dictionary rebuilds activations worse than their mean does."""
_MAX_ROWS = 4096
_OVERRIDE = (
    "If you know better, accept the mismatch (accept_mismatch=True, or --params "
    "prediction.accept_mismatch=true): outputs are then marked"
)


class ActivationsOnRecord(Config):
    """Statistics of the residues that a dictionary was trained on."""

    n_residues: int | None = Field(None, ge=1)
    """Residues stored of the training proteins; None: not on record."""
    mean_norm: float = Field(ge=0)
    """Norm of their mean."""
    total_variance: float = Field(gt=0)
    """Mean squared distance from the mean."""
    fve: float | None = Field(None, le=1)
    """Share of the variance of validation residues that the dictionary explains; None: not on record."""

    @property
    def root_mean_square(self) -> float:
        """Root of the mean squared norm of an activation."""
        return float((self.mean_norm**2 + self.total_variance) ** 0.5)


class MadeFor(Config):
    """The language model, the layer and the activations of a dictionary. None: not on record."""

    name: str
    """What messages call the dictionary."""
    d_model: int = Field(ge=1)
    """Width of the activations."""
    hook_point: str | None = None
    """Name of the layer, see `plm.hook_points`."""
    model: str | None = None
    """Name of the language model."""
    model_sha256: str | None = None
    """SHA-256 of its checkpoint."""
    activations: ActivationsOnRecord | None = None
    """What was seen in training."""


class Model(Protocol):
    """What has to be known of a language model; `plm.checkpoint.PlmModel` is one."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def sha256(self) -> str:
        """SHA-256 of its checkpoint."""

    @property
    def d_model(self) -> int:
        """Its width."""


def made_for(checkpoint: "SaeCheckpoint") -> MadeFor:
    """Read what a checkpoint of this package says.

    Checkpoints from before the statistics were on record hold the mean and the variance as buffers.

    Raises:
        InputError: the checkpoint is damaged.
    """
    about = checkpoint.metadata
    named = {key: str(about[key]) for key in ("hook_point", "model", "model_sha256") if about.get(key)}
    seen: ActivationsOnRecord | None
    if about.get("activations"):
        seen = ActivationsOnRecord.model_validate(about["activations"])
    else:
        seen = activations_on_record(checkpoint.load(), about.get("training", {}).get("validation/fve"))
    return MadeFor(name=checkpoint.name, d_model=checkpoint.config["d_model"], activations=seen, **named)


def activations_on_record(
    sae: "SparseAutoencoder", fve: float | None, n_residues: int | None = None
) -> ActivationsOnRecord | None:
    """Return the statistics that the centring and scaling of a module hold; None if it does neither.

    Args:
        sae: the module.
        fve: of validation residues, where known.
        n_residues: of the training proteins, where known.
    """
    scale = float(sae.input_scale)
    if scale == 1 and not bool(sae.input_mean.any()):
        return None
    return ActivationsOnRecord(
        n_residues=n_residues,
        mean_norm=float(sae.input_mean.norm()),
        total_variance=sae.config.d_model / scale**2,
        fve=fve,
    )


def check_model(
    expected: MadeFor, model: Model, *, hook_point: str, accept_mismatch: bool = False
) -> list[str]:
    """Compare a language model and a layer with those that a dictionary was made for.

    Args:
        expected: what the dictionary was made for.
        model: the model whose activations it is to be applied to.
        hook_point: their layer.
        accept_mismatch: return marks for the outputs instead of errors; another width stays an error.

    Returns:
        What differs or is not on record, as sentences that outputs carry.

    Raises:
        InputError: another width, another model or another layer; both names are in the message.
    """
    _check_width(expected, model.d_model, f"language model '{model.name}'")
    marks, name = [], f"dictionary '{expected.name}'"
    if expected.model_sha256 is None:
        marks.append(f"{name} does not say which language model it was made for; applied to {_named(model)}")
    elif expected.model_sha256 != model.sha256:
        theirs = f"'{expected.model}' (sha256 {expected.model_sha256[:12]})"
        mark = f"{name} was made for language model {theirs} and is applied to {_named(model)}"
        marks += _accepted(mark, f"Give the model {expected.model}", accept_mismatch)
    if expected.hook_point is None:
        marks.append(f"{name} does not say which layer it was made for; applied to {hook_point}")
    elif expected.hook_point != hook_point:
        mark = f"{name} was made for hook point {expected.hook_point} and is applied to {hook_point}"
        marks += _accepted(mark, f"Read activations at {expected.hook_point}", accept_mismatch)
    return marks


def check_batch(
    expected: MadeFor, sae: Any, x: "Tensor | np.ndarray", *, accept_mismatch: bool = False
) -> list[str]:
    """Compare the first activations with those on record: their size, and how well they are rebuilt.

    Args:
        expected: what the dictionary was made for.
        sae: the module, which rebuilds raw activations.
        x: raw activations [n, d_model] of some residues, of as many proteins as there are at hand; the first
            4,096 rows count.
        accept_mismatch: see `check_model`.

    Returns:
        Marks, see `check_model`.

    Raises:
        InputError: another width; values that are not finite; activations that are larger or smaller than
            those on record by a factor above `LARGEST_RATIO`; or an FVE below `SMALLEST_FVE`.
    """
    import torch

    rows = torch.as_tensor(x)[:_MAX_ROWS]
    _check_width(expected, rows.shape[-1], "the activations")
    seen = expected.activations
    if seen is None or not len(rows):
        return []
    rows = rows.to(sae.b_dec.device, sae.b_dec.dtype)
    if not bool(rows.isfinite().all()):
        raise InputError("the activations hold values that are not finite: extract them again")
    with torch.no_grad():
        residual = (sae(rows) - rows).double().square().sum()
        spread = (rows - sae.input_mean).double().square().sum()
    size, fve = float(rows.double().square().sum(dim=1).mean() ** 0.5), float(1 - residual / spread)
    name, marks = f"dictionary '{expected.name}'", []
    ratio = size / seen.root_mean_square
    if not 1 / LARGEST_RATIO <= ratio <= LARGEST_RATIO:
        mark = (
            f"activations have a root mean square of {size:.4g}, those that {name} was made for "
            f"{seen.root_mean_square:.4g} (FVE {fve:.3f} instead of {_shown(seen.fve)})"
        )
        marks += _accepted(mark, "Undo the scaling or normalisation of the activations", accept_mismatch)
    elif fve < SMALLEST_FVE:
        mark = f"{name} explains a share of {fve:.3f} of the variance here, {_shown(seen.fve)} on record"
        advice = "Check that the activations are of the layer and the model that it was made for"
        marks += _accepted(mark, advice, accept_mismatch)
    return marks


def _check_width(expected: MadeFor, width: int, what: str) -> None:
    if width != expected.d_model:
        raise InputError(
            f"dictionary '{expected.name}' was made for activations of width {expected.d_model}"
            f"{f' (language model {expected.model!r})' if expected.model else ''}, {what} has {width}: "
            "give the model that it was made for"
        )


def _accepted(mark: str, advice: str, accept_mismatch: bool) -> list[str]:
    if not accept_mismatch:
        raise InputError(f"{mark}: its codes mean nothing there. {advice}. {_OVERRIDE}")
    return [mark]


def _named(model: Model) -> str:
    return f"'{model.name}' (sha256 {model.sha256[:12]})"


def _shown(fve: float | None) -> str:
    return "an unknown one" if fve is None else f"{fve:.3f}"
