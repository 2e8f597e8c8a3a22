"""Configs of the architectures without concepts (docs/architectures.md). No torch here."""

from itertools import accumulate, pairwise
from typing import Literal

from pydantic import Field, model_validator

from protsae.sae.base_config import SaeConfig, TopKFamilyConfig


class TopKConfig(TopKFamilyConfig):
    """Plain TopK sparse autoencoder."""

    architecture: Literal["topk"] = "topk"
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
    group_shares: tuple[float, ...] = Field((1 / 32, 1 / 16, 1 / 8, 1 / 4, 17 / 32), min_length=1)
    """Shares of the latents by which each prefix is longer than the one before; they sum to 1."""
    prefix_weights: tuple[float, ...] | None = None
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
        return self

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Lengths of the prefixes, ascending; the last is `d_sae`."""
        ends = [round(self.d_sae * share) for share in accumulate(self.group_shares)]
        return (*ends[:-1], self.d_sae)

    @model_validator(mode="after")
    def _prefixes_grow(self) -> "MatryoshkaConfig":
        lengths = (0, *self.prefixes)
        if any(longer <= shorter for shorter, longer in pairwise(lengths)):
            raise ValueError(
                f"group_shares {self.group_shares} leave a group of d_sae {self.d_sae} without latents: "
                "raise d_sae or take fewer groups"
            )
        return self


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
    """What the architectures have whose codes a penalty keeps sparse."""

    penalty: float = Field(gt=0)
    """Weight of the sparsity penalty, beside a reconstruction loss in units of the training variance."""
    penalty_warmup: float = Field(0.05, ge=0, le=1)
    """Share of the training over which that weight rises from zero."""
    target_l0: float | None = Field(None, gt=0)
    """Latents per token to steer for, after the warm-up: the logarithm of the weight's multiple is
    penalty_gain * e + penalty_rate * (sum of e over steps), e = ln(L0 / target) between -1 and 1; steps at
    either bound in which L0 came nearer are not summed. None: the weight stays as it is."""
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
    def _frequencies_fall(self) -> "GbaConfig":
        if self.lowest_frequency > self.highest_frequency:
            raise ValueError(
                f"lowest_frequency {self.lowest_frequency} is above highest_frequency "
                f"{self.highest_frequency}"
            )
        return self

    @model_validator(mode="after")
    def _groups_have_latents(self) -> "GbaConfig":
        if self.n_groups > self.d_sae:
            raise ValueError(f"n_groups {self.n_groups} is more than d_sae {self.d_sae}: lower n_groups")
        return self


AnyUnguidedConfig = (
    TopKConfig
    | BatchTopKConfig
    | MatryoshkaConfig
    | OrderedConfig
    | ReluConfig
    | JumpReluConfig
    | GatedConfig
    | GbaConfig
)
