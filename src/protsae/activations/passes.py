"""The forward pass of an extraction as its settings want it, and its distance from fair-esm's arithmetic."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from protsae.activations.config import ExtractionConfig
from protsae.plm.arithmetic import choose_device
from protsae.plm.checkpoint import PlmModel

if TYPE_CHECKING:
    from protsae.plm.forward import Esm2Forward


class Passes:
    """Builds the pass where and when it is first needed, so that it can be sent to other machines."""

    def __init__(self, model: PlmModel, config: ExtractionConfig, hook_points: Sequence[str]) -> None:
        """Keep what is needed."""
        self._model = model
        self._config = config
        self._hook_points = tuple(hook_points)
        self._forward: Esm2Forward | None = None
        self._reference: Esm2Forward | None = None

    def check(self) -> None:
        """Check that this machine can run it.

        Raises:
            InputError: see `plm.arithmetic.choose_device`.
        """
        choose_device(self._config.device, self._config.arithmetic)

    @property
    def forward(self) -> "Esm2Forward":
        """The pass.

        Raises:
            InputError: this machine cannot run it.
        """
        if self._forward is None:
            self._forward = self._build(exact=False)
        return self._forward

    def measured(self, sequence: str) -> dict[str, Any]:
        """Return `device`, the type of device that ran, and for other arithmetic than fair-esm's `error`.

        Args:
            sequence: the sample by which the error is measured: its first `max_residues` residues.

        Returns:
            `error` maps hook points to `relative`, ||difference|| / ||value||, and `largest`, the largest
            |difference| / max(1, |value|), against the arithmetic `fair_esm` on the same device.
        """
        found: dict[str, Any] = {"device": self.forward.device.type}
        if self._config.arithmetic != "fair_esm":
            if self._reference is None:
                self._reference = self._build(exact=True)
            found["error"] = self._error(self._reference, [sequence[: self._config.max_residues]])
        return found

    def _error(self, reference: "Esm2Forward", sample: list[str]) -> dict[str, dict[str, float]]:
        values, exact = self.forward.run(sample), reference.run(sample)
        found = {}
        for name, value in exact.items():
            difference = values[name] - value
            found[name] = {
                "relative": float(difference.norm() / value.norm()),
                "largest": float((difference.abs() / value.abs().clamp(min=1)).max()),
            }
        return found

    def _build(self, *, exact: bool) -> "Esm2Forward":
        from protsae.plm.forward import Esm2Forward

        arithmetic = self._config.arithmetic
        device = choose_device(self._config.device, arithmetic)
        return Esm2Forward(self._model, self._hook_points, "fair_esm" if exact else arithmetic, device)
