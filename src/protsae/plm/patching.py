"""Values at hook points, captured and replaced during the pass."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from protsae.core.errors import InputError
from protsae.plm.hook_points import LAYER_KINDS, HookPoint, parse_hook_point


@dataclass(frozen=True)
class Patch:
    """Replaces values at a hook point; the pass continues with the result."""

    function: Callable[[Tensor], Tensor]
    """From values [n_rows, d_model] to values of that shape. Called once per run, on a copy, with the rows
    chosen, in the order of the sequences."""
    rows: Tensor | None = None
    """Which residues of the run, or tokens, bool [n]; None: all."""
    special_tokens: bool = False
    """Whether start and end tokens count as rows, each with its own sequence."""

    def places(self, point: HookPoint, is_residue: Tensor) -> Tensor:
        """Return the tokens patched, int64 [n_rows].

        Raises:
            InputError: `rows` is not bool, or not one per residue (or token) of the run.
        """
        among = torch.ones_like(is_residue) if self.special_tokens else is_residue
        places = among.nonzero().flatten()
        if self.rows is None:
            return places
        if self.rows.dtype != torch.bool or self.rows.shape != places.shape:
            raise InputError(
                f"patch at {point}: rows is {self.rows.dtype} {list(self.rows.shape)}; it has to be bool "
                f"[{len(places)}], one per {'token' if self.special_tokens else 'residue'} of the run"
            )
        return places[self.rows]


Patches = Mapping[str, Patch | Callable[[Tensor], Tensor]]
"""Hook point to patch; a function alone patches all residues."""


def parse_patches(patches: Patches, n_layers: int) -> dict[HookPoint, Patch]:
    """Check the names of hook points.

    Raises:
        InputError: an unknown name, or a layer that the model does not have.
    """
    return {
        parse_hook_point(name, n_layers): patch if isinstance(patch, Patch) else Patch(patch)
        for name, patch in patches.items()
    }


def check_patches_matter(patches: Collection[HookPoint], captured: Collection[HookPoint]) -> None:
    """Refuse patches that nothing captured could show.

    Raises:
        InputError: a patch after every point captured.
    """
    last = max((_order(point) for point in captured), default=(-1, -1))
    late = sorted(str(point) for point in patches if _order(point) > last)
    if late:
        raise InputError(
            f"patch at {late[0]} changes nothing that is captured: capture a later hook point, or ask for "
            "logits"
        )


def _order(point: HookPoint) -> tuple[float, int]:
    if point.layer is None:
        return float("inf"), 0
    return point.layer, LAYER_KINDS.index(point.kind)


class Tape:
    """Patches the values that pass by, and writes those asked for to their rows of the results."""

    def __init__(
        self,
        captured: Collection[HookPoint],
        patches: Mapping[HookPoint, Patch],
        is_residue: Tensor,
        results: Mapping[str, Tensor],
        device: torch.device | str = "cpu",
    ) -> None:
        """Prepare for one pass on `device` over tokens of which `is_residue`, bool [n_tokens], are residues.

        Raises:
            InputError: rows of a patch that do not fit.
        """
        self._missing = set(captured)
        self._patches = {
            point: (patch.function, patch.places(point, is_residue).to(device))
            for point, patch in patches.items()
        }
        self.residues = is_residue.nonzero().flatten().to(device)
        """Tokens that are residues, int64 [n_residues]."""
        self._results = results

    def offer(self, value: Tensor, kind: str, layer: int | None = None) -> None:
        """Patch `value` [n_tokens, d_model] in place and keep it, where this hook point is asked for.

        Raises:
            InputError: a patch that gives another shape.
        """
        point = HookPoint(kind, layer)
        if point in self._patches:
            function, places = self._patches[point]
            before = value[places]
            after = function(before)
            if after.shape != before.shape:
                raise InputError(
                    f"patch at {point}: the function gave {list(after.shape)} for {list(before.shape)}"
                )
            value[places] = after.to(value.dtype)
        if point in self._missing:
            torch.index_select(value, 0, self.residues, out=self._results[str(point)])
            self._missing.remove(point)

    def is_complete(self) -> bool:
        """Return whether all that was asked for is kept."""
        return not self._missing
