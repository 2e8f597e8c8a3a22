"""Settings of the architectures. Each is stored whole in the header of a checkpoint. No torch here."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, model_validator

from protsae.core.config import Config
from protsae.sae.base_config import SaeConfig, TopKFamilyConfig
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
    "TopKConfig",
    "parse_config",
]


class GuidanceConfig(Config):
    """How the ontology guides ProtSAE: the paper's method and every switch on it (docs/protsae.md)."""

    lambda_annotation: float = Field(1.0, ge=0)
    """Weight of the annotation loss, beside a reconstruction loss in units of the training variance."""
    lambda_axiom: float = Field(0.01, ge=0)
    """Weight of the axiom loss."""
    lambda_norm: float = Field(0.0, ge=0)
    """Weight of the mean squared norm of the predictor's rows: keeps few proteins from being memorised."""
    predictor_rate: float = Field(15.0, gt=0)
    """Learning rate of predictor and log-scales, as a multiple of the trainer's: with `mean` pooling the
    labels hang on directions of little variance, which the autoencoder's own rate does not reach in time."""
    annotation_pooling: Literal["mean", "residue"] = "mean"
    """`mean`: the mean logit over a protein's sampled residues meets the protein's labels. `residue`, as in
    the paper: every residue meets its protein's labels."""
    gate: Literal["prevalence", "half"] = "prevalence"
    """`prevalence`: one threshold per concept, so that the gate fires as often as the concept occurs among
    labelled training residues. `half`, as in the paper: a probability of one half."""
    gate_momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the old threshold that one training step keeps."""
    detach: bool = True
    """Keep the reconstruction's gradient from the predictor's weights (the paper's stop-gradient)."""
    scales: bool = True
    """Learn one log-scale per defined latent; without, the predictor's rows are bound as they are."""
    forced_activation: bool = True
    """Lift a gated defined latent to the mean of its token's free codes."""
    forced_mean: Literal["nonzero", "all"] = "nonzero"
    """That mean runs over the token's `nonzero` free codes, or over `all` free latents."""
    defined_bias: Literal["tied", "free", "none"] = "tied"
    """`tied`: a defined latent is positive exactly where its gate is open. `free`: a bias of its own."""
    axiom_margin: float = Field(0.1, ge=0)
    """Tolerance subtracted inside every axiom loss."""


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


AnySaeConfig = AnyUnguidedConfig | ProtSaeConfig
_ADAPTER: TypeAdapter[AnySaeConfig] = TypeAdapter(
    Annotated[AnySaeConfig, Field(discriminator="architecture")]
)


def parse_config(values: Mapping[str, object]) -> AnySaeConfig:
    """Return the config model that `values["architecture"]` names.

    Raises:
        pydantic.ValidationError: unknown architecture, unknown key or value out of bounds.
    """
    return _ADAPTER.validate_python(dict(values))
