"""Settings of a sweep: what varies, and how members are judged. No torch here."""

from typing import Any

from pydantic import Field, field_validator

from protsae.core.config import Config, Slug
from protsae.encoding.config import BatchConfig
from protsae.probing.config import EvaluationConfig, GatedProbeConfig, ScoringConfig

Counts = int | tuple[int, ...]
ABLATED = "protsae"
"""Architecture that ablations are of, and what tables call it where it is whole."""


class EntryConfig(Config):
    """One line of the list, a dictionary with a grid: every combination of its values is a member."""

    architecture: str
    """Name in the registry of architectures."""
    name: Slug | None = None
    """What the tables call it; null: the architecture's name. Entries that differ in `settings` or `trainer`
    need names of their own."""
    d_sae: Counts | None = None
    """Latents, one number or several; null: `training.d_sae`."""
    k: Counts | None = None
    """Latents per token, one number or several; null: `training.k`. Ignored by architectures without k."""
    match_l0: Slug | None = None
    """Name of another entry of one `d_sae` and `k`: these members are trained after its own, `k` (or where an
    architecture has none, `target_l0`) set to the latents per token that the other, of the same seed and hook
    point, has on validation proteins."""
    seeds: tuple[int, ...] | None = None
    """Null: those of the sweep."""
    hook_points: tuple[Slug, ...] | None = None
    """Null: those of the sweep."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """As in `training.config.DictionaryConfig`."""
    trainer: dict[str, Any] = Field(default_factory=dict)
    """Likewise."""


class JudgingConfig(Config):
    """How members are scored and judged on validation and test proteins: probing's settings."""

    encoding: BatchConfig = BatchConfig()
    """Size of the batches."""
    scoring: ScoringConfig = ScoringConfig()
    """Pooling of latents, and strengths of the linear probe."""
    gated_probe: GatedProbeConfig = GatedProbeConfig()
    """The control without an autoencoder."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Resamples of the intervals."""


class SweepConfig(Config):
    """The list of members."""

    seeds: tuple[int, ...] = Field(min_length=1)
    """Seeds of weights and samples; every member is trained with each."""
    hook_points: tuple[Slug, ...] = Field(min_length=1)
    """Activations; every member is trained on each."""
    members: tuple[EntryConfig, ...] = ()
    """What is trained."""
    ablations: dict[Slug, dict[str, Any]] = Field(default_factory=dict)
    """Name to the fields of `training.guidance` that differ: ProtSAE once more for each. `{}` and null: none;
    null for a name leaves this one out."""
    references: bool = True
    """Judge also what needs no training: the linear probe on mean activations, prevalence."""

    @field_validator("ablations", mode="before")
    @classmethod
    def _without_null(cls, given: Any) -> Any:
        if given is None:
            return {}
        return {n: v for n, v in given.items() if v is not None} if isinstance(given, dict) else given
