"""The reference page of all settings, written from their models: `python -m protsae.reference [--check]`."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, RootModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from protsae.core.config import Config
from protsae.parameters import PARAMETER_MODELS, block_of, source_of
from protsae.sae.config import AnySaeConfig

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
INTRODUCTION = """\
# Configuration

<!-- Written by `python -m protsae.reference` from the models of the parameters: do not edit. -->

Every setting there is. [conf/base/parameters.yml](../conf/base/parameters.yml) shows those that people
turn most; `parameters_by_name.yml` those of pipelines that run by name only; `parameters_report.yml` the
texts of the report. What no file gives has the default below. Any setting may be written into
`conf/local/parameters.yml` or into an environment of your own (`kedro run --env NAME` reads `conf/NAME`),
or be given for one run: `kedro run --params training.k=8,shared.seed=1`.

Where the default is the name of another setting, that one's value stands in: `shared.seed` moves every
seed that has no value of its own. Unknown keys are refused, with the nearest known name. Paths of files
are no parameters: they are in `conf/base/globals.yml` (`raw_root`, `data_root`) and
`conf/base/catalog_01_raw.yml`.
"""
ARCHITECTURES = """
## Architectures

What the `settings` of an autoencoder may name, by architecture. `d_sae` and `k` are given for each; the
guidance of ProtSAE is `training.guidance`.
"""
_TOP = 2  # level of the headings of top-level keys
_ENTRY = ": each entry"  # of a list, where nothing is filled in
_GIVEN = {"architecture", "d_model", "d_sae", "k", "concept_ids", "residue_level", "guidance"}
_KINDS = {int: "integer", float: "number", str: "text", bool: "true or false", Any: "any", NoneType: "null"}
_WIDEST = 60  # longer defaults, lists of names, have no room in a table
_BOUNDS = {"gt": "> {}", "ge": "≥ {}", "lt": "< {}", "le": "≤ {}", "min_length": "length ≥ {}"}


def page() -> str:
    """Return the page: a section per top-level key, a table per block."""
    parts = [INTRODUCTION]
    for key, model in PARAMETER_MODELS.items():
        parts += _sections(model, key, _TOP)
    parts.append(ARCHITECTURES)
    for config in _members(AnySaeConfig):
        own = {name: field for name, field in config.model_fields.items() if name not in _GIVEN}
        name = config.model_fields["architecture"].default
        parts.append(f"\n### {name}\n\n{_line(config.__doc__)}\n" + (_table(own, "") if own else ""))
    return "".join(parts)


def _sections(model: type[BaseModel], place: str, level: int) -> Iterator[str]:
    """Yield the section of a block and those of the blocks in it."""
    yield f"\n{'#' * level} {place}\n"
    if issubclass(model, RootModel):
        yield f"\n{_line(model.__doc__)}\n"
        for entry in _members(model.model_fields["root"].annotation):
            yield from _sections(entry, f"{place}{_ENTRY}", _TOP + 1)
        return
    if source := source_of(place):
        yield f"\nAs `{source}`, for what is not given here.\n"
        return
    if level > _TOP:
        yield f"\n{_line(model.__doc__)}\n"
    if settings := {name: field for name, field in model.model_fields.items() if not block_of(field)}:
        yield _table(settings, place)
    for name, field in model.model_fields.items():
        for inner in _members(field.annotation):
            yield from _sections(inner, f"{place}.{name}" + ("" if block_of(field) else _ENTRY), _TOP + 1)


def _table(settings: dict[str, FieldInfo], place: str) -> str:
    rows = ["setting | default | values | meaning", "--- | --- | --- | ---"]
    for name, field in settings.items():
        values = _escaped(_kind(field.annotation) + _bounds(field.metadata))
        rows.append(
            f"`{name}` | {_default(field, f'{place}.{name}')} | {values} | {_line(field.description)}"
        )
    return "\n" + "".join(f"| {row} |\n" for row in rows)


def _default(field: FieldInfo, place: str) -> str:
    """Return the default as YAML would have it, or the setting that stands in."""
    if (source := source_of(place)) and _ENTRY not in place:
        return f"`{source}`"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is PydanticUndefined:
        return "none: to be given"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else "see code"


def _kind(annotation: Any) -> str:
    """Return a type in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments)
    if origin is Annotated:
        return _kind(arguments[0]) + _bounds(arguments[1:])
    if origin in (Union, UnionType):
        return " or ".join(map(_kind, arguments))
    if origin is dict:
        return f"name to {_kind(arguments[1])}"
    if origin is tuple and Ellipsis not in arguments:
        return f"[{', '.join(map(_kind, arguments))}]"
    return f"list of {_kind(arguments[0])}" if arguments else _KINDS.get(annotation, "settings")


def _bounds(metadata: Any) -> str:
    """Return the bounds of a value, with a comma before each."""
    found = []
    for item in metadata:
        found += _bounds(item.metadata).removeprefix(", ").split(", ") if isinstance(item, FieldInfo) else []
        found += [text.format(getattr(item, name)) for name, text in _BOUNDS.items() if hasattr(item, name)]
        pattern = getattr(item, "pattern", None)
        found += [f"as in `{pattern}`"] if pattern else []
    return "".join(f", {text}" for text in found if text)


def _members(annotation: Any) -> list[type[Config]]:
    """Return the models that stand somewhere in a type."""
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _members(argument)]


def _line(text: str | None) -> str:
    return _escaped(re.sub(r"\s+", " ", (text or "").strip()))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: list[str]) -> str | None:
    """Write the page, or with `--check` return what to do where it is not current."""
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        return f"{PAGE} is not current: run python -m protsae.reference"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
