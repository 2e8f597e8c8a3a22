"""The parameters of all pipelines: one top-level key each, each with its model."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from pydantic import ValidationError

from protsae.core.config import Config, unknown_key_message
from protsae.core.errors import InputError
from protsae.pipelines.alignment.parameters import AlignmentParameters
from protsae.pipelines.annotation.parameters import AnnotationParameters
from protsae.pipelines.disentanglement.parameters import DisentanglementParameters
from protsae.pipelines.dynamics.parameters import DynamicsParameters
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.pipelines.fidelity.parameters import FidelityParameters
from protsae.pipelines.ingestion.parameters import IngestionParameters
from protsae.pipelines.interpretation.parameters import InterpretationParameters
from protsae.pipelines.labelling.parameters import LabellingParameters
from protsae.pipelines.parquet_training.parameters import ParquetTrainingParameters
from protsae.pipelines.pretraining.parameters import PretrainingParameters
from protsae.pipelines.probing.parameters import ProbingParameters
from protsae.pipelines.reporting.parameters import ReportingParameters
from protsae.pipelines.splitting.parameters import SplittingParameters
from protsae.pipelines.sweeps.parameters import SweepsParameters
from protsae.pipelines.training.parameters import TrainingParameters

PARAMETER_MODELS: dict[str, type[Config]] = {
    "ingestion": IngestionParameters,
    "annotation": AnnotationParameters,
    "splitting": SplittingParameters,
    "labelling": LabellingParameters,
    "extraction": ExtractionParameters,
    "training": TrainingParameters,
    "fidelity": FidelityParameters,
    "probing": ProbingParameters,
    "interpretation": InterpretationParameters,
    "disentanglement": DisentanglementParameters,
    "alignment": AlignmentParameters,
    "reporting": ReportingParameters,
    "pretraining": PretrainingParameters,
    "sweeps": SweepsParameters,
    "parquet_training": ParquetTrainingParameters,
    "dynamics": DynamicsParameters,
}
"""Top-level parameter key, which is the pipeline's name, to its model."""


def check_parameters(parameters: Mapping[str, Any], models: Mapping[str, type[Config]] | None = None) -> None:
    """Check resolved parameters against the models of all pipelines.

    Args:
        parameters: as configuration files and `--params` give them.
        models: top-level key to model; those of this project unless others are given.

    Raises:
        InputError: naming every problem by its dotted path, unknown keys with the nearest known one.
    """
    models = PARAMETER_MODELS if models is None else models
    problems = [f"{key}: {unknown_key_message(key, models)}" for key in parameters if key not in models]
    for key, model in models.items():
        if key in parameters:
            problems += _problems(model, parameters[key], key)
        else:
            problems.append(f"{key}: missing; it belongs in conf/base/parameters_{key}.yml")
    if problems:
        raise InputError("\n".join(f"parameters: {problem}" for problem in problems))


def _problems(model: type[Config], values: Any, key: str) -> list[str]:
    """Return what is wrong with one pipeline's block; unknown keys hide others, so look again without."""
    values = deepcopy(values)
    unknown: list[str] = []
    while True:
        try:
            model.model_validate(values)
        except ValidationError as error:
            others = []
            removed = False
            for detail in error.errors():
                place = (key, *detail["loc"])
                if names := _unknown_keys(detail["msg"]):
                    unknown += [f"{_dotted(*place, name)}: {message}" for name, message in names.items()]
                    removed |= _remove(values, detail["loc"], names)
                else:
                    given = f" (given: {detail['input']!r})" if not isinstance(detail["input"], dict) else ""
                    others.append(f"{_dotted(*place)}: {detail['msg'].removeprefix('Value error, ')}{given}")
            if not removed:
                return unknown + others
        else:
            return unknown


def _unknown_keys(message: str) -> dict[str, str]:
    """Return the unknown keys that a message of `Config` names, each with its part of the message."""
    parts = message.removeprefix("Value error, ").split("; ")
    return {part.split("'")[1]: part for part in parts if part.startswith("unknown key '")}


def _remove(values: Any, place: tuple[int | str, ...], names: Mapping[str, str]) -> bool:
    """Delete keys from the block at `place`; return whether that block was found."""
    for step in place:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            return False
    if not isinstance(values, dict):
        return False
    found = [name for name in names if name in values]
    for name in found:
        del values[name]
    return bool(found)


def _dotted(*steps: int | str) -> str:
    return ".".join(map(str, steps))
