"""From the settings of a dictionary to what is trained, checked before anything is computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sae.config import CONFIGS, first_problem, knows_concepts, shaped_config, takes_k
from protsae.training.config import DictionaryConfig, TrainerConfig
from protsae.training.plan import Knowledge, SizeAndSeed, Source, TrainingPlan


@dataclass(frozen=True)
class Defaults:
    """Settings that dictionaries have where their own entry does not set them."""

    d_model: int
    d_sae: int
    k: int
    seed: int
    trainer: TrainerConfig
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Architecture to the fields of its config that training sets."""
    n_concepts: int = 0


@dataclass(frozen=True)
class Dictionary:
    """All settings of one training."""

    name: str
    """What the tables call it."""
    architecture: str
    size: SizeAndSeed
    settings: dict[str, Any]
    """Fields of the architecture's config."""
    trainer: TrainerConfig

    @classmethod
    def of(cls, name: str, config: DictionaryConfig, defaults: Defaults) -> "Dictionary":
        """Complete the settings of a dictionary.

        Raises:
            InputError: an unknown architecture, or settings that the trainer refuses.
        """
        architecture = config.architecture
        require_known(name, architecture)
        settings = merged(defaults.settings.get(architecture, {}), config.settings)
        if config.k is not None and not takes_k(architecture):
            settings = {"target_l0": float(config.k), **settings}
        try:
            trainer = TrainerConfig.model_validate({**defaults.trainer.model_dump(), **config.trainer})
        except ValidationError as error:
            raise InputError(f"trainer of {name}: {first_problem(error)}") from error
        d_sae, k = config.d_sae or defaults.d_sae, config.k or defaults.k
        seed = defaults.seed if config.seed is None else config.seed
        return cls(name, architecture, SizeAndSeed(d_sae, k, seed), settings, trainer)

    def check(self, name: str, defaults: Defaults) -> None:
        """Build the config, as training will, to refuse at once what cannot be trained.

        Args:
            name: what a message calls the dictionary.
            defaults: width of the activations and number of concepts.

        Raises:
            InputError: the config refuses it.
        """
        concepts = {}
        if knows_concepts(self.architecture):
            if not defaults.n_concepts:
                raise InputError(
                    f"{name}: there are no concepts to guide {self.architecture}: lower the counts in "
                    "params:annotation, or remove the dictionary from the list"
                )
            concepts["concept_ids"] = tuple(map(str, range(defaults.n_concepts)))
        d_sae, k, _ = self.size
        model = CONFIGS[self.architecture]
        try:
            shaped_config(model, self.settings, d_model=defaults.d_model, d_sae=d_sae, k=k, **concepts)
        except InputError as error:
            raise InputError(f"{name}: {error}") from error

    def with_l0(self, l0: float) -> "Dictionary":
        """Return the dictionary with a number of latents per token: as `k`, or as `target_l0`."""
        if takes_k(self.architecture):
            return replace(self, size=self.size._replace(k=max(1, round(l0))))
        return replace(self, settings={**self.settings, "target_l0": l0})

    def plan(self, source: Source, knowledge: Knowledge | None) -> TrainingPlan:
        """Return the training; knowledge is for guided architectures alone."""
        guided = knowledge if knows_concepts(self.architecture) else None
        return TrainingPlan(
            self.architecture, source, self.size, self.trainer, self.settings, guided, name=self.name
        )


def require_known(name: str, architecture: str) -> None:
    """Refuse an architecture that the registry lacks.

    Raises:
        InputError: with the known ones.
    """
    if architecture not in CONFIGS:
        known = ", ".join(sorted(CONFIGS))
        raise InputError(f"architecture '{architecture}' of {name} is not known: {known}")


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the changes, block by block."""
    found = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(found.get(key), Mapping)
        found[key] = merged(found[key], value) if both else value
    return found
