"""Settings of the architectures (docs/architectures.md), stored whole in each checkpoint. No torch here."""

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from protsae.core.config import Config, Share
from protsae.core.errors import InputError
from protsae.sae.guidance_config import GuidanceConfig

AnyConfig = TypeVar("AnyConfig", bound="SaeConfig")


class SaeConfig(Config):
    """What every architecture has."""

    d_model: int = Field(gt=0)
    """Width of the activations."""
    d_sae: int = Field(gt=0)
    """Number of latents."""

    @property
    def n_defined(self) -> int:
        """Latents that are tied to concepts; they come first."""
        return len(getattr(self, "concept_ids", ()))

    @property
    def n_free(self) -> int:
        """Latents that are not tied to concepts."""
        return self.d_sae - self.n_defined


class TopKFamilyConfig(SaeConfig):
    """What the architectures share that choose a number of latents."""

    aux_coefficient: float = Field(1 / 32, ge=0)
    """Weight of the AuxK loss, which revives dead latents."""
    k: int = Field(gt=0)
    """Latents that may be active per token (BatchTopK and Matryoshka: on average), chosen by TopK (ProtSAE:
    among the free ones)."""

    @model_validator(mode="after")
    def _k_fits(self) -> "TopKFamilyConfig":
        if self.n_free < 1 or self.k > self.n_free:
            raise ValueError(
                f"k {self.k} needs as many free latents, but d_sae {self.d_sae} leaves {self.n_free}: "
                "lower k or raise d_sae"
            )
        return self


class TopKConfig(TopKFamilyConfig):
    """Plain TopK sparse autoencoder."""

    architecture: Literal["topk"] = "topk"
    """Name in the registry."""


class FrozenDecoderConfig(TopKFamilyConfig):
    """TopK whose decoder stays at its random initial directions."""

    architecture: Literal["frozen_decoder"] = "frozen_decoder"
    """Name in the registry."""


class FrozenEncoderConfig(TopKFamilyConfig):
    """TopK whose encoder directions stay at their random initial values."""

    architecture: Literal["frozen_encoder"] = "frozen_encoder"
    """Name in the registry."""


class BatchTopKFamilyConfig(TopKFamilyConfig):
    """What BatchTopK and Matryoshka have in common."""

    threshold_momentum: float = Field(0.99, ge=0, lt=1)
    """Share of the old inference threshold that one training step keeps; until 1 / (1 - momentum) steps have
    passed, the threshold is the plain mean over them. At an epoch's end it is the mean over 32 batches."""


class BatchTopKConfig(BatchTopKFamilyConfig):
    """BatchTopK: the k largest pre-activations per token on average over the batch."""

    architecture: Literal["batch_topk"] = "batch_topk"
    """Name in the registry."""


class MatryoshkaConfig(BatchTopKFamilyConfig):
    """Matryoshka: prefixes of the dictionary reconstruct on their own; BatchTopK inside."""

    architecture: Literal["matryoshka"] = "matryoshka"
    """Name in the registry."""
    group_shares: tuple[Share, ...] = Field((1 / 32, 1 / 16, 1 / 8, 1 / 4, 17 / 32), min_length=1)
    """Shares of the latents by which each prefix is longer than the one before; they sum to 1."""
    prefix_weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    """Weights of the prefixes' losses, divided by their sum; None: equal."""

    @model_validator(mode="after")
    def _groups_hold(self) -> "MatryoshkaConfig":
        if min(self.group_shares) <= 0 or abs(sum(self.group_shares) - 1) > 1e-6:
            raise ValueError(f"group_shares {self.group_shares} have to be positive and sum to 1")
        weights = self.prefix_weights
        if weights is not None and (len(weights) != len(self.group_shares) or min(weights) < 0):
            raise ValueError(
                f"prefix_weights {weights} have to be as many as group_shares ({len(self.group_shares)}), "
                "none of them negative"
            )
        if weights is not None and weights[-1] <= 0:
            raise ValueError("the last of prefix_weights, that of the whole dictionary, has to be positive")
        lengths = (0, *self.prefixes)
        if any(longer <= shorter for shorter, longer in pairwise(lengths)):
            raise ValueError(
                f"group_shares {self.group_shares} leave a group of d_sae {self.d_sae} without latents: "
                "raise d_sae or take fewer groups"
            )
        return self

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Lengths of the prefixes, ascending; the last is `d_sae`."""
        ends = [round(self.d_sae * share) for share in accumulate(self.group_shares)]
        return (*ends[:-1], self.d_sae)


class OrderedConfig(TopKFamilyConfig):
    """Ordered: every prefix of the dictionary reconstructs, the shorter ones count more often."""

    architecture: Literal["ordered"] = "ordered"
    """Name in the registry."""
    prefix_exponent: float = Field(0.0, ge=0)
    """Prefix length l is drawn with a probability in proportion to l^-exponent; 0: all lengths alike, so that
    latent j counts in 1 - j / d_sae of them."""
    k_start_factor: float = Field(1.0, ge=1)
    """Latents per token at the start, in multiples of k; they fall to k linearly."""
    k_settled_at: float = Field(0.2, ge=0, le=1)
    """Share of the training after which they are k."""


class PenalisedConfig(SaeConfig):
    """What the architectures with a sparsity penalty share."""

    penalty: float = Field(gt=0)
    """Weight of the sparsity penalty, relative to a reconstruction loss in units of the training variance."""
    penalty_warmup: float = Field(0.05, ge=0, le=1)
    """Share of the training over which that weight rises from zero."""
    target_l0: float | None = Field(None, gt=0)
    """Latents per token that the penalty is controlled to reach, after the warm-up: the logarithm of the
    weight's multiple is penalty_gain * e + penalty_rate * (sum of e over steps), e = ln(L0 / target) between
    -1 and 1; steps at either bound in which L0 came closer are not summed. None: the weight stays as it
    is."""
    penalty_gain: float = Field(1.0, ge=0)
    """How strongly the present L0 counts in it."""
    penalty_rate: float = Field(0.02, gt=0)
    """How strongly the past counts."""
    aux_coefficient: float = Field(0.0, ge=0)
    """Weight of an AuxK loss; none of the papers has one."""


class ReluConfig(PenalisedConfig):
    """ReLU with an L1 penalty, the naive sparse autoencoder."""

    architecture: Literal["relu"] = "relu"
    """Name in the registry."""
    penalty: float = Field(0.1, gt=0)
    """Weight of the sum of a token's codes / sqrt(d_model): L1 for inputs of unit norm."""
    decoder_norm: Literal["unit", "in_penalty"] = "unit"
    """`unit`: decoder rows are held at unit norm. `in_penalty`: they are free while training, a code counts
    in the penalty times the norm of its row, and at every epoch's end their norms move into the
    encoder, which changes no reconstruction."""


class JumpReluConfig(PenalisedConfig):
    """JumpReLU: a threshold per latent, learned through a kernel around the jump."""

    architecture: Literal["jumprelu"] = "jumprelu"
    """Name in the registry."""
    penalty: float = Field(3e-3, gt=0)
    """Weight of the penalty, which counts latents per token."""
    penalty_kind: Literal["l0", "tanh"] = "l0"
    """`l0`: their number, whose gradient reaches the thresholds only. `tanh`: sum of tanh(tanh_scale * code),
    whose gradient reaches the encoder too."""
    tanh_scale: float = Field(4.0, gt=0)
    """Steepness of `tanh`, for codes of scaled input."""
    bandwidth: float = Field(0.5, gt=0)
    """Width of the rectangle in which thresholds learn, for scaled input: a random direction's
    pre-activations have a standard deviation of about 1."""
    threshold_init: float = Field(0.5, gt=0)
    """Thresholds at the start, on the same scale."""
    threshold_rate: float = Field(10.0, gt=0)
    """Learning rate of the thresholds' logarithms, as a multiple of the trainer's."""


class GatedConfig(PenalisedConfig):
    """Gated: one path decides which latents fire, another how much."""

    architecture: Literal["gated"] = "gated"
    """Name in the registry."""
    penalty: float = Field(0.2, gt=0)
    """Weight of the sum of a token's gate activations / sqrt(d_model): L1 for inputs of unit norm."""


class GbaConfig(SaeConfig):
    """Group Bias Adaptation: biases are moved until each group of latents fires at its own frequency."""

    architecture: Literal["gba"] = "gba"
    """Name in the registry."""
    n_groups: int = Field(10, gt=0)
    """Groups of latents of equal size."""
    highest_frequency: float = Field(0.1, gt=0, le=1)
    """Firing frequency that the first group is held below."""
    lowest_frequency: float = Field(1e-3, gt=0, le=1)
    """That of the last group; between them they fall geometrically."""
    update_every: int = Field(5, gt=0)
    """Steps between updates of the biases."""
    step_down: float = Field(0.02, gt=0)
    """Share of its largest pre-activation by which the bias of a latent that fires too often falls."""
    step_up: float = Field(0.02, gt=0)
    """Share of its group's mean largest pre-activation by which the bias of a silent latent rises."""
    silent_below: float = Field(1e-6, ge=0, lt=1)
    """Firing frequency below which a latent counts as silent."""
    activation: Literal["jumprelu", "relu"] = "jumprelu"
    """`jumprelu`: a latent that fires passes its projection whole. `relu`: less the bias."""

    @model_validator(mode="after")
    def _groups_hold(self) -> "GbaConfig":
        if self.lowest_frequency > self.highest_frequency:
            raise ValueError(
                f"lowest_frequency {self.lowest_frequency} is above highest_frequency "
                f"{self.highest_frequency}"
            )
        if self.n_groups > self.d_sae:
            raise ValueError(f"n_groups {self.n_groups} is more than d_sae {self.d_sae}: lower n_groups")
        return self


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
            raise ValueError(f"residue_level names {strangers[0]}, which is not in concept_ids")
        return self


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
    """Weight of the sum of a token's codes / sqrt(d_model), relative to half the reconstruction loss. For
    inputs of unit norm, a direction is used where its cosine with what is left exceeds the penalty."""
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


AnySaeConfig = (
    TopKConfig
    | BatchTopKConfig
    | MatryoshkaConfig
    | OrderedConfig
    | FrozenDecoderConfig
    | FrozenEncoderConfig
    | ReluConfig
    | JumpReluConfig
    | GatedConfig
    | GbaConfig
    | ProtSaeConfig
    | SpliceConfig
)
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


def takes_k(architecture: str) -> bool:
    """Return whether an architecture takes a number of latents per token."""
    return "k" in CONFIGS[architecture].model_fields


def has_predictor(architecture: str) -> bool:
    """Return whether an architecture also predicts concepts, residue by residue."""
    return issubclass(CONFIGS[architecture], ProtSaeConfig)


def parse_config(values: Mapping[str, object]) -> AnySaeConfig:
    """Return the config model that `values["architecture"]` names.

    Raises:
        pydantic.ValidationError: unknown architecture, unknown key or value out of bounds.
    """
    return _ADAPTER.validate_python(dict(values))


def shaped_config(
    model: type[AnyConfig], settings: Mapping[str, Any], *, d_model: int, d_sae: int, k: int, **concepts: Any
) -> AnyConfig:
    """Return the config of an architecture, given its class.

    Args:
        model: the class.
        settings: fields that differ from their defaults.
        d_model: width of the activations.
        d_sae: number of latents.
        k: latents per token; read by architectures that choose so many.
        concepts: fields of guided architectures that follow from concepts and axioms.

    Raises:
        InputError: settings that do not fit the shape.
    """
    shape = {"d_model": d_model, "d_sae": d_sae} | ({"k": k} if "k" in model.model_fields else {})
    try:
        return model.model_validate({**shape, **settings, **concepts})
    except ValidationError as error:
        architecture = model.model_fields["architecture"].default
        raise InputError(f"{architecture}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """Return the first of a model's complaints, with its place."""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
