"""The parameters of all pipelines: their models, what they share, and how what is not given is filled in."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, RootModel, ValidationError
from pydantic.fields import FieldInfo

from protsae.core.config import UNKNOWN_KEY, Config, unknown_key_message
from protsae.core.errors import InputError
from protsae.core.pooling import Pooling
from protsae.core.splits import Selection
from protsae.interpretation.config import Quantile
from protsae.pipelines.alignment.parameters import AlignmentParameters
from protsae.pipelines.annotation.parameters import AnnotationParameters
from protsae.pipelines.attribution.parameters import AttributionParameters
from protsae.pipelines.cards.parameters import CardsParameters
from protsae.pipelines.dense_ablation.parameters import DenseAblationParameters
from protsae.pipelines.disentanglement.parameters import DisentanglementParameters
from protsae.pipelines.dynamics.parameters import DynamicsParameters
from protsae.pipelines.encoding.parameters import EncodingParameters
from protsae.pipelines.explanation.parameters import ExplanationParameters
from protsae.pipelines.explorer.parameters import ExplorerParameters
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.pipelines.fidelity.parameters import FidelityParameters
from protsae.pipelines.ingestion.parameters import IngestionParameters
from protsae.pipelines.interpretation.parameters import InterpretationParameters
from protsae.pipelines.labelling.parameters import LabellingParameters
from protsae.pipelines.missing_annotations.parameters import MissingAnnotationsParameters
from protsae.pipelines.prediction.parameters import PredictionParameters
from protsae.pipelines.pretraining.parameters import PretrainingParameters
from protsae.pipelines.probing.parameters import ProbingParameters
from protsae.pipelines.release.parameters import ReleaseParameters
from protsae.pipelines.reporting.parameters import ReportingParameters
from protsae.pipelines.splitting.parameters import SplittingParameters
from protsae.pipelines.steering.parameters import SteeringParameters
from protsae.pipelines.sweeps.parameters import SweepsParameters
from protsae.pipelines.training.parameters import TrainingParameters
from protsae.plm.arithmetic import Device
from protsae.probing.config import ComparisonConfig
from protsae.training.config import DictionariesConfig


class SharedParameters(Config):
    """The top-level key `shared`: one value for every pipeline. A pipeline's own value of that name wins."""

    seed: int = Field(default=0, ge=0)
    """Of everything random: weights, samples, resamples."""
    device: Device = "auto"
    """Where models run; `auto`: a GPU if torch sees one."""
    pooling: Pooling = "mean"
    """From residues to proteins; `top`: the mean over those with the highest tenth of the values. A choice
    for each concept is for `probing.scoring.pooling` alone."""
    quantiles: tuple[Quantile, ...] = Field(default=(0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1)
    """Thresholds tried per latent, chosen on validation: quantiles of its pooled activation, and 0."""
    selection: Selection = "train_and_validation"
    """Whose labels latents are chosen for concepts by."""
    max_jaccard: float = Field(default=0.9, ge=0, le=1)
    """Concepts of one aspect whose positive proteins overlap by more than this count as one."""
    n_resamples: int = Field(default=200, ge=2)
    """Bootstrap resamples of homology clusters for every interval."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Of every interval."""
    residues_per_batch: int = Field(default=8192, ge=1)
    """Residues that pass through a dictionary at once, whole proteins; bounds memory, changes no result."""


PARAMETER_MODELS: dict[str, type[BaseModel]] = {
    "shared": SharedParameters,
    "dictionaries": DictionariesConfig,
    "comparison": ComparisonConfig,
    "ingestion": IngestionParameters,
    "annotation": AnnotationParameters,
    "splitting": SplittingParameters,
    "labelling": LabellingParameters,
    "extraction": ExtractionParameters,
    "training": TrainingParameters,
    "encoding": EncodingParameters,
    "fidelity": FidelityParameters,
    "probing": ProbingParameters,
    "interpretation": InterpretationParameters,
    "disentanglement": DisentanglementParameters,
    "alignment": AlignmentParameters,
    "cards": CardsParameters,
    "explanation": ExplanationParameters,
    "missing_annotations": MissingAnnotationsParameters,
    "reporting": ReportingParameters,
    "release": ReleaseParameters,
    "explorer": ExplorerParameters,
    "pretraining": PretrainingParameters,
    "sweeps": SweepsParameters,
    "dynamics": DynamicsParameters,
    "dense_ablation": DenseAblationParameters,
    "prediction": PredictionParameters,
    "steering": SteeringParameters,
    "attribution": AttributionParameters,
}
"""Top-level parameter key to its model: what is shared, the dictionaries, then pipelines by name."""

HOOK_POINT = "extraction.hook_point"
FOLLOWS = {
    "splitting.audit.search": "ingestion.clusters.search",
    "splitting.audit.min_cdr3_identity": "ingestion.clusters.min_cdr3_identity",
    "fidelity.sequences.max_residues": "extraction.max_residues",
    "fidelity.passes.max_residues": "extraction.max_residues",
    "fidelity.passes.window_overlap": "extraction.window_overlap",
    "probing.random_plm.max_residues": "extraction.max_residues",
    "probing.random_plm.window_overlap": "extraction.window_overlap",
    "alignment.k_sparse.max_residues": "encoding.train_residues",
    "alignment.k_sparse.seed": "encoding.seed",
    "alignment.baselines.n_directions": "probing.scoring.n_directions",
    "probing.gated_probe.residues_per_protein": "training.trainer.residues_per_protein",
    "probing.gated_probe.whitening_floor": "training.guidance.whitening_floor",
    "cards.activity.splits": "interpretation.examples.splits",
    "cards.activity.dense_above": "fidelity.judging.dense_above",
    "cards.dense.above": "fidelity.judging.dense_above",
    "cards.effects.max_residues": "extraction.max_residues",
    "dense_ablation.passes": "fidelity.passes",
    "dense_ablation.judging": "fidelity.judging",
    "sweeps.judging.scoring": "probing.scoring",
    "sweeps.judging.gated_probe": "probing.gated_probe",
    "sweeps.judging.evaluation": "probing.evaluation",
    "prediction.extraction": "extraction",
}
"""Setting or block to the one whose values it takes where it leaves them out."""
FIXED = frozenset({"pretraining.evaluation.seed", "alignment.choice.n_resamples"})
"""Settings with a name of `shared` and a value of their own: the same residues judge every model, and
p-values need many resamples."""


def source_of(place: str) -> str | None:
    """Return the dotted path of the setting that stands in for `place` where that is not given, if any."""
    block, _, name = place.rpartition(".")
    if name == "hook_point" and place != HOOK_POINT:
        return HOOK_POINT
    if name in SharedParameters.model_fields and block != "shared" and place not in FIXED:
        return f"shared.{name}"
    return FOLLOWS.get(place)


def complete_parameters(
    parameters: Mapping[str, Any], models: Mapping[str, type[BaseModel]] | None = None
) -> dict[str, Any]:
    """Check parameters against the models of all pipelines, and add what they leave out.

    Args:
        parameters: as configuration files and `--params` give them.
        models: top-level key to model; those of this project unless others are given.

    Returns:
        A value for every setting of every model: the given one, else that of `source_of`, else the default.

    Raises:
        InputError: naming every problem by its dotted path, unknown keys with the nearest known one.
    """
    models = PARAMETER_MODELS if models is None else models
    problems = [f"{key}: {unknown_key_message(key, models)}" for key in parameters if key not in models]
    complete: dict[str, Any] = {}
    for key, model in models.items():
        complete[key] = _filled(model, parameters.get(key, {}), key, complete)
        if found := _problems(model, complete[key], key):
            problems += found
            if model is SharedParameters:  # every pipeline would repeat them
                break
        else:
            complete[key] = model.model_validate(complete[key]).model_dump()
    if not problems and {"dictionaries", "comparison"} <= set(models):
        problems = _strangers(complete["dictionaries"], complete["comparison"])
    if problems:
        raise InputError("\n".join(f"parameters: {problem}" for problem in problems))
    return complete


def _strangers(dictionaries: Mapping[str, Any], comparison: Mapping[str, Any]) -> list[str]:
    """Return what `comparison` names that is no dictionary."""
    known = [name for name, entry in dictionaries.items() if entry is not None]
    named = {role: comparison[role] for role in ("subject", "rival")}
    return [
        f"comparison.{role}: no dictionary is called '{name}', there are {', '.join(known)}"
        for role, name in named.items()
        if name is not None and name not in known
    ]


def _filled(model: type[BaseModel], values: Any, place: str, complete: Mapping[str, Any]) -> Any:
    """Return a block with the values of `source_of` where it leaves them out."""
    if not isinstance(values, Mapping) or issubclass(model, RootModel):
        return values
    filled = dict(values)
    for name, field in model.model_fields.items():
        path = f"{place}.{name}"
        shared = _value_at(complete, source_of(path))
        if block := block_of(field):
            default = field.default if isinstance(field.default, Config) else None
            given = filled.get(name, default.model_dump(exclude_unset=True) if default else {})
            if isinstance(shared, Mapping) and isinstance(given, Mapping):
                given = {key: shared[key] for key in block.model_fields if key in shared} | {**given}
            inner = _filled(block, given, path, complete)
            if inner or name in filled:
                filled[name] = inner
        elif shared is not None:
            filled.setdefault(name, shared)
    return filled


def block_of(field: FieldInfo) -> type[Config] | None:
    """Return the model of a field that is a block of settings, None for a single setting."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Config) else None


def _value_at(complete: Mapping[str, Any], path: str | None) -> Any:
    """Return the value at a dotted path, None where there is none."""
    value: Any = complete if path else None
    for step in (path or "").split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _problems(model: type[BaseModel], values: Any, key: str) -> list[str]:
    """Return the errors in one pipeline's block, each with its dotted path."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        problems = []
        for detail in error.errors():
            place = ".".join(map(str, (key, *detail["loc"])))
            is_shown = detail["type"] != UNKNOWN_KEY and not isinstance(detail["input"], dict)
            given = f" (given: {detail['input']!r})" if is_shown else ""
            problems.append(f"{place}: {detail['msg'].removeprefix('Value error, ')}{given}")
        return problems
    return []
