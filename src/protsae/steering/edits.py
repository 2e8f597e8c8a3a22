"""Changes of the values at a hook point: latents of a dictionary, or a direction.

An edit is given the values [n_residues, d_model] and a strength. At strength 0 an edit that adds returns what
it was given, to the last bit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import torch
from torch import Tensor

from protsae.core.errors import InputError
from protsae.sae.base import SparseAutoencoder

Mode = Literal["add", "add_max", "set", "multiply"]
"""What happens to a raised latent z at strength s, m being its largest code in training: `add` z + s,
`add_max` z + s m, `set` s m, `multiply` s z."""


class Edit(Protocol):
    """Changes values at a hook point."""

    def __call__(self, x: Tensor, strength: float) -> Tensor:
        """Return changed values.

        Args:
            x: values of residues [n_residues, d_model].
            strength: how far, in the edit's own unit.
        """


@dataclass(frozen=True)
class DirectionEdit:
    """Adds a direction: difference of means, weights of a probe or of a predictor."""

    direction: Tensor
    """What strength 1 adds [d_model]."""

    def __call__(self, x: Tensor, strength: float) -> Tensor:
        """Return x + strength * direction."""
        return x + strength * self.direction.to(x)


@dataclass(frozen=True)
class LatentEdit:
    """Changes latents of a dictionary and decodes."""

    sae: SparseAutoencoder
    raised: Mapping[int, float] = field(default_factory=dict)
    """Latent to its largest code in training."""
    suppressed: Sequence[int] = ()
    """Latents that are switched off, whatever the strength."""
    mode: Mode = "add_max"
    keep_error: bool = True
    """Whether what the dictionary does not reconstruct is added back."""

    def __post_init__(self) -> None:
        """Check the latents.

        Raises:
            InputError: a latent that the dictionary does not have, or one both raised and suppressed.
        """
        latents = {*self.raised, *self.suppressed}
        d_sae = self.sae.config.d_sae
        if wrong := sorted(latent for latent in latents if not 0 <= latent < d_sae):
            raise InputError(f"latent {wrong[0]} does not exist: the dictionary has latents 0 to {d_sae - 1}")
        if both := sorted({*self.raised} & {*self.suppressed}):
            raise InputError(f"latent {both[0]} is both raised and suppressed: choose one")

    def __call__(self, x: Tensor, strength: float) -> Tensor:
        """Return x with the latents changed; without the error, the reconstruction of that."""
        if self.keep_error and not self.suppressed and self.mode in {"add", "add_max"}:
            return x + strength * self._added(x)
        codes = self.sae.encode(x)
        changed = self._changed(codes, strength)
        if not self.keep_error:
            return self.sae.decode(changed).to(x.dtype)
        columns = self._columns(x)
        moved = (changed[:, columns] - codes[:, columns]) @ self.sae.W_dec[columns]
        return x + (moved / self.sae.input_scale).to(x.dtype)

    def _columns(self, x: Tensor) -> Tensor:
        return torch.tensor(sorted({*self.raised, *self.suppressed}), dtype=torch.int64, device=x.device)

    def _units(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the raised latents and how much strength 1 adds to each."""
        latents = torch.tensor(list(self.raised), dtype=torch.int64, device=x.device)
        units = x.new_tensor([self.raised[latent] if self.mode != "add" else 1.0 for latent in self.raised])
        return latents, units

    def _added(self, x: Tensor) -> Tensor:
        """Return what strength 1 adds where the error is kept and latents are only added to [d_model]."""
        latents, units = self._units(x)
        return (units @ self.sae.W_dec[latents].to(x) / self.sae.input_scale.to(x)).detach()

    def _changed(self, codes: Tensor, strength: float) -> Tensor:
        latents, units = self._units(codes)
        changed = codes.clone()
        if self.mode == "multiply":
            changed[:, latents] *= strength
        elif self.mode == "set":
            changed[:, latents] = strength * units
        else:
            changed[:, latents] += strength * units
        changed[:, torch.tensor(list(self.suppressed), dtype=torch.int64, device=codes.device)] = 0.0
        return changed


@dataclass(frozen=True)
class JointEdit:
    """Several edits, one after another."""

    edits: Sequence[Edit]

    def __call__(self, x: Tensor, strength: float) -> Tensor:
        """Return x changed by all of them at the same strength."""
        for edit in self.edits:
            x = edit(x, strength)
        return x
