"""Settings of the architectures. Each is stored whole in the header of a checkpoint. No torch here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter, model_validator

from protsae.sae.base_config import SaeConfig, TopKFamilyConfig
from protsae.sae.guidance_config import GuidanceConfig
from protsae.sae.unguided_config import (
    AnyUnguidedConfig,
    BatchTopKConfig,
    GatedConfig,
    GbaConfig,
    JumpReluConfig,
    MatryoshkaConfig,
    OrderedConfig,
    ReluConfig,
    TopKConfig,
)

__all__ = [
    "CONFIGS",
    "AnySaeConfig",
    "BatchTopKConfig",
    "GatedConfig",
    "GbaConfig",
    "GuidanceConfig",
    "JumpReluConfig",
    "MatryoshkaConfig",
    "OrderedConfig",
    "ProtSaeConfig",
    "ReluConfig",
    "SaeConfig",
    "SpliceConfig",
    "TopKConfig",
    "has_predictor",
    "knows_concepts",
    "parse_config",
]


class ProtSaeConfig(TopKFamilyConfig):
    """ProtSAE: the first latents are tied to ontology concepts, the others are free."""

    architecture: Literal["protsae"] = "protsae"
    """Name in the registry."""
    concept_ids: tuple[str, ...] = Field(min_length=1)
    """Concepts of the defined latents, in their order."""
    residue_level: tuple[str, ...] = ()
    """Those of them that residues carry, rather than whole proteins."""
    n_zero: int = Field(0, ge=0)
    """Classes that occur only in axioms: centres and radii of their own, no latent."""
    n_relations: int = Field(0, ge=0)
    """Relations that occur in axioms of form NF3 and NF4."""
    guidance: GuidanceConfig = GuidanceConfig()
    """How the ontology guides training."""

    @model_validator(mode="after")
    def _levels_known(self) -> "ProtSaeConfig":
        if strangers := sorted(set(self.residue_level) - set(self.concept_ids)):
            raise ValueError(f"residue_level names {strangers[0]}, which is none of the concepts")
        return self

    @property
    def n_defined(self) -> int:
        """Latents tied to concepts."""
        return len(self.concept_ids)

    @property
    def n_free(self) -> int:
        """Latents that TopK chooses from."""
        return self.d_sae - self.n_defined


class SpliceConfig(SaeConfig):
    """SpLiCE: sparse non-negative coding on concept directions, one latent each; nothing is trained."""

    architecture: Literal["splice"] = "splice"
    """Name in the registry."""
    concept_ids: tuple[str, ...] = Field(min_length=1)
    """Concepts of the latents, in their order."""
    directions: Literal["difference", "discriminant"] = "difference"
    """`difference`: mean of the residues of proteins with the concept less mean of those without.
    `discriminant`: that, times the inverse covariance of all residues: Fisher's linear discriminant."""
    ridge: float = Field(0.01, gt=0)
    """Share of the mean variance that is added to the covariance before it is inverted."""
    penalty: float = Field(0.1, gt=0)
    """Weight of the sum of a token's codes / sqrt(d_model), beside half the reconstruction loss: of inputs of
    unit norm, a direction has to explain a cosine above it to be used."""
    tolerance: float = Field(1e-3, gt=0, lt=1)
    """How far codes may be from optimal: see `sae.splice.non_negative_lasso`."""
    max_iterations: int = Field(5000, gt=0)
    """Steps of the solver, after which codes that are not found are an error."""

    @model_validator(mode="before")
    @classmethod
    def _one_latent_each(cls, values: Any) -> Any:
        """`d_sae` is the number of concepts, whatever the other architectures are given."""
        if isinstance(values, dict) and values.get("concept_ids"):
            return {**values, "d_sae": len(values["concept_ids"])}
        return values

    @property
    def n_free(self) -> int:
        """Latents that are not tied to concepts: none."""
        return 0


AnySaeConfig = AnyUnguidedConfig | ProtSaeConfig | SpliceConfig
CONFIGS: dict[str, type[SaeConfig]] = {
    config.model_fields["architecture"].default: config for config in get_args(AnySaeConfig)
}
"""Architecture to its config."""
_ADAPTER: TypeAdapter[AnySaeConfig] = TypeAdapter(
    Annotated[AnySaeConfig, Field(discriminator="architecture")]
)


def knows_concepts(architecture: str) -> bool:
    """Return whether the first latents of an architecture are tied to concepts."""
    return "concept_ids" in CONFIGS[architecture].model_fields


def has_predictor(architecture: str) -> bool:
    """Return whether an architecture predicts concepts beside encoding, residue by residue."""
    return issubclass(CONFIGS[architecture], ProtSaeConfig)


def parse_config(values: Mapping[str, object]) -> AnySaeConfig:
    """Return the config model that `values["architecture"]` names.

    Raises:
        pydantic.ValidationError: unknown architecture, unknown key or value out of bounds.
    """
    return _ADAPTER.validate_python(dict(values))
