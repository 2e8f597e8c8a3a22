"""Base of every configuration model: frozen, complete, inert, strict about unknown keys, and finite.

No whole number has more than 64 bits, and every float has bounds in addition;
`tests/project/test_conventions.py` looks at all models.
"""

from difflib import get_close_matches
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

_TOO_LARGE = 1 << 63
UNKNOWN_KEY = "unknown_key"
"""Type of the error that an unknown key is."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A number from 0 to 1."""
Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*$", max_length=80)]
"""A name that becomes part of a file's name: letters, digits and `.`, `_`, `+`, `-`, not at the start."""


class Config(BaseModel):
    """Immutable settings. Validation never touches disk, network, clock or random state."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _fits_64_bits(cls, value: Any) -> Any:
        """Refuse whole numbers that no library takes."""
        numbers = value if isinstance(value, tuple) else (value,)
        if any(isinstance(number, int) and abs(number) >= _TOO_LARGE for number in numbers):
            raise ValueError("a whole number of more than 64 bits")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _name_unknown_keys(cls, values: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        """Give the nearest known key for every unknown one, in place of pydantic's generic message."""
        try:
            return validate(values)
        except ValidationError as error:
            details: list[InitErrorDetails] = []
            for detail in error.errors():
                kind, message, place = detail["type"], detail["msg"], detail["loc"]
                if kind == "extra_forbidden" and len(place) == 1:
                    kind, message = UNKNOWN_KEY, unknown_key_message(place[0], cls.model_fields)
                custom: Any = PydanticCustomError(kind, message)
                details.append(InitErrorDetails(type=custom, loc=place, input=detail["input"]))
            raise ValidationError.from_exception_data(error.title, details) from None


def unknown_key_message(key: object, known: Any, what: str = "key") -> str:
    """Say that `key`, a `what`, is unknown, with the nearest of `known` if one is near."""
    near = get_close_matches(str(key), [str(name) for name in known], n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known {what}s: {', '.join(sorted(map(str, known)))}"
    return f"unknown {what} '{key}', {hint}"
