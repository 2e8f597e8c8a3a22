"""Base of every configuration model: frozen, complete, inert, and strict about unknown keys."""

from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Config(BaseModel):
    """Immutable settings. Validation never touches disk, network, clock or random state."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, values: Any) -> Any:
        """Refuse unknown keys with the nearest known one, before pydantic's generic message."""
        if not isinstance(values, dict):
            return values
        unknown = [key for key in values if key not in cls.model_fields]
        if unknown:
            raise ValueError("; ".join(unknown_key_message(key, cls.model_fields) for key in unknown))
        return values


def unknown_key_message(key: object, known: Any) -> str:
    """Say that `key` is unknown, with the nearest of `known` if one is near."""
    near = get_close_matches(str(key), [str(name) for name in known], n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(sorted(map(str, known)))}"
    return f"unknown key '{key}', {hint}"
