"""Values as JSON that is equal exactly when the values are, for fingerprints and records."""

import json
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
from pydantic import BaseModel


class NotCanonicalError(TypeError):
    """A value of a type that has no canonical form: two different ones could look the same."""


def canonical(value: Any) -> Any:  # noqa: PLR0911 - one line per kind of value
    """Return `value` as JSON data.

    Never falls back to `repr`: frames and tensors print only head and tail.

    Raises:
        NotCanonicalError: naming the type that has no canonical form.
    """
    if isinstance(value, Enum):
        return canonical(value.value)
    if isinstance(value, np.generic):
        return canonical(value.item())
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((canonical(item) for item in value), key=to_text)
    if isinstance(value, dict):
        return _mapping(value)
    if isinstance(value, BaseModel):
        names = [*type(value).model_fields, *(value.model_extra or {})]
        return {name: canonical(getattr(value, name)) for name in names}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    raise NotCanonicalError(f"{type(value).__module__}.{type(value).__qualname__}")


def _mapping(value: dict[Any, Any]) -> Any:
    if all(isinstance(key, str) for key in value):
        return {str(key): canonical(item) for key, item in value.items()}
    # JSON would turn the keys 1 and "1" into one.
    return sorted(([canonical(key), canonical(item)] for key, item in value.items()), key=to_text)


def to_text(data: Any) -> str:
    """Return JSON data as one line, keys sorted. Tells 1 from 1.0 from true, which `==` does not."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False)


def flatten(name: str, data: Any) -> dict[str, Any]:
    """Return the leaves of nested JSON objects under dotted names: `{"training.k": 32, ...}`."""
    if not isinstance(data, dict) or not data:
        return {name: data}
    leaves: dict[str, Any] = {}
    for key, item in data.items():
        leaves.update(flatten(f"{name}.{key}" if name else key, item))
    return leaves
