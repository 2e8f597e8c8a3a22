"""State dicts of other libraries: names checked, numbers in float32 or float64."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import MALFORMED, InputError

if TYPE_CHECKING:
    from torch import Tensor


def check_names(
    path: Path, state: dict[str, "Tensor"], needed: Collection[str], optional: Collection[str] = ()
) -> None:
    """Check that the tensors are those that a layout has.

    Raises:
        InputError: one is missing, or one is not of the layout.
    """
    missing = sorted(set(needed) - set(state))
    unknown = sorted(set(state) - set(needed) - set(optional))
    if missing or unknown:
        what = f"lacks {missing[0]}" if missing else f"has {unknown[0]}, which is not of this layout"
        raise InputError(f"{path} {what}; its tensors are {', '.join(sorted(state))}")


def floats(tensor: "Tensor") -> "Tensor":
    """Return float64 as it is and every narrower float as float32, which holds it exactly."""
    import torch

    return tensor.contiguous() if tensor.dtype == torch.float64 else tensor.float().contiguous()


def read_fields(state: dict[str, "Tensor"], names: Mapping[str, str]) -> dict[str, Any]:
    """Return fields of a `DictionaryTensors` from tensors of a state dict.

    Args:
        state: tensors by name.
        names: field to the name of its tensor. Weights of linear layers (`NAME.weight`) are transposed, and
            thresholds are one for each latent. Fields whose tensor is absent are left out.
    """
    fields = {
        field: floats(state[name].T if name.endswith(".weight") else state[name])
        for field, name in names.items()
        if name in state
    }
    if "threshold" in fields:
        d_sae = fields["W_enc"].shape[1]  # after a ReLU, negative thresholds mean the same as zero
        fields["threshold"] = fields["threshold"].clamp_min(0).expand(d_sae).contiguous()
    return fields


def tensors_of(path: Path, content: Any, kind: str) -> dict[str, "Tensor"]:
    """Return `content` as a state dict.

    Raises:
        InputError: it is not a dict of tensors by name.
    """
    import torch

    if not isinstance(content, dict) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise InputError(f"{path} is not a {kind}: it holds no state dict of tensors by name")
    return content


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        InputError: missing, not JSON, or not an object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, *MALFORMED) as error:
        raise InputError(f"{path} is not JSON ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, not a JSON object")
    return content


def whole_number(path: Path, name: str, value: Any) -> int:
    """Return a positive whole number read from a file.

    Raises:
        InputError: it is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InputError(f"{path}: {name} is {value!r}, not a positive whole number")
    return value


def check_sizes(path: Path, stated: Mapping[str, Any], found: Mapping[str, int]) -> None:
    """Refuse a configuration that states other sizes than the weights have; 0 and null state none.

    Args:
        path: of the configuration.
        stated: its values.
        found: name of a size to that of the weights.

    Raises:
        InputError: naming the first that differs.
    """
    for name, size in found.items():
        if stated.get(name) and stated[name] != size:
            raise InputError(
                f"{path}: {name} is {stated[name]!r}, the weights have {size}: it is of other weights"
            )
