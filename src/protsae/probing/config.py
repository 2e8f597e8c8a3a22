"""Settings of probing."""

from typing import Annotated, Literal

from pydantic import Field

from protsae.core.config import Config
from protsae.core.pooling import POOLINGS, Pooling
from protsae.core.splits import Selection
from protsae.metrics.cafa import PresetName
from protsae.metrics.config import ResamplingConfig

Positive = Annotated[float, Field(gt=0)]


class FewLatentsConfig(Config):
    """Logistic regressions on the few latents that tell a concept best."""

    sizes: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 2, 5, 20), min_length=1)
    """Numbers of latents."""
    l2: float = Field(default=0.01, gt=0)
    """Strength of the penalty: mean log loss + l2 / 2 x ||weights||^2 on standardised latents."""


class ScoringConfig(Config):
    """How proteins are scored for concepts. Latents are chosen by the labels of `selection`, everything else
    on the validation split."""

    selection: Selection = "train_and_validation"
    """Labels by which latents are chosen for a concept, for `<name>_latent` of all that is not guided and for
    `<name>_k<k>` of all. Guided dictionaries saw those of training."""
    k_sparse: FewLatentsConfig = FewLatentsConfig(sizes=(1, 5, 20))
    """Of `<name>_k<k>`: fitted on training proteins."""
    n_directions: int = Field(default=1024, ge=1)
    """Random unit vectors, for `random_directions_latent` and the like."""
    pooling: Literal[Pooling, "chosen"] = "mean"
    """From residues to proteins: the same rule for every method that uses latents. `top` is the mean over the
    residues with the highest tenth of the values. `chosen`: where a concept has one latent (or gate), the
    pooling with the highest AUC by the labels of `selection`; probes on latents take the mean."""
    l2: tuple[Positive, ...] = Field(default=(0.03, 0.1, 0.3, 1.0, 3.0, 10.0), min_length=1)
    """Strengths tried for the probes, in mean log loss + l2 / 2 x ||weights||^2 on standardised features; one
    strength per probe, by macro AUC on validation."""
    precise: bool = True
    """Whether probes are fitted in double precision to a small gradient. False is some five times faster, and
    macro AUC the same to about 1e-5: for sweeps."""
    patience: int | None = Field(default=None, ge=1)
    """Strengths are tried from the strongest on, until so many in a row bring no improvement. null: all are
    tried."""
    neighbour_priors: tuple[Positive, ...] = Field(default=(10.0, 30.0, 100.0, 300.0), min_length=1)
    """Weights of the prevalence relative to the neighbours by sequence, in bits, that are tried; that of the
    best macro AUC on validation is chosen."""
    seed: int = 0
    """Seed of the permutation of `shuffled_labels`, and of the random directions."""

    @property
    def poolings(self) -> tuple[Pooling, ...]:
        """Poolings that single latents may have."""
        return POOLINGS if self.pooling == "chosen" else (self.pooling,)

    @property
    def probed_pooling(self) -> Pooling:
        """Pooling of the latents that probes read."""
        return "mean" if self.pooling == "chosen" else self.pooling


class GatedProbeConfig(Config):
    """The control without an autoencoder, `gated_linear_probe`. It follows the training of ProtSAE where that
    has the same setting."""

    residues_per_protein: int = Field(default=32, ge=1)
    """Residues drawn of each training protein. The covariance of their means whitens the activations."""
    max_residues: int = Field(default=100_000, ge=1)
    """Of these draws, residues by which thresholds are set, equally many of each protein; bounds memory."""
    whitening_floor: float = Field(default=0.01, gt=0)
    """Share of the mean variance that whitening adds to every direction's."""
    residues_per_batch: int = Field(default=8192, ge=1)
    """Whole proteins are joined until they hold at least this many residues; bounds memory, changes no
    result."""
    l2: tuple[Positive, ...] = Field(
        default=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0), min_length=1
    )
    """Strengths tried for the regressions; one strength, by macro AUC of the gated scores on validation."""
    seed: int = 0
    """Seed of the draws."""


class NeighbourConfig(Config):
    """How the training proteins most similar to a protein are found, for the baseline by sequence."""

    method: Literal["builtin", "mmseqs"] = "builtin"
    """`builtin` needs nothing installed; `mmseqs` needs MMseqs2."""
    max_e_value: float = Field(default=0.1, gt=0, le=1000)
    """Most alignments of a neighbour's score expected by chance."""
    max_neighbours: int = Field(default=20, ge=1)
    """Neighbours kept of each protein, by bit score."""


class RandomPlmConfig(Config):
    """The model with random weights, for the baseline without pretraining."""

    seed: int = 0
    """Seed of its weights."""
    max_tokens_per_batch: int = Field(default=16384, ge=1)
    """Token budget of a batch; changes no result."""
    max_residues: int = Field(default=1022, ge=1)
    """Proteins above it are run in windows of it."""
    window_overlap: int = Field(default=256, ge=0)
    """Residues that neighbouring windows share at least."""


class CountingConfig(Config):
    """Which concepts count."""

    max_jaccard: float = Field(default=0.9, ge=0, le=1)
    """Of concepts of whole proteins of one aspect whose positive proteins (training and validation) overlap
    by more than this (Jaccard index), one represents the others in means over concepts and counts of them."""


class EvaluationConfig(ResamplingConfig, CountingConfig):
    """How scores are turned into metrics. `seed` also draws the negatives of `subsumption_auc`."""

    presets: tuple[PresetName, ...] = Field(default=("cafa", "deepgo"), min_length=1)
    """Rule sets of Fmax, weighted Fmax, Smin and coverage; bands of identity are measured by the first."""
    min_stratum: int = Field(default=20, ge=1)
    """Bands of identity with fewer test proteins get no rows."""


Pair = tuple[str, str]
DIFFERENCES: tuple[Pair, ...] = (
    ("{subject}_latent", "{subject}_gate"),
    ("{subject}_latent", "gated_linear_probe"),
    ("{subject}_latent", "{rival}_latent"),
    ("{subject}_latent", "neurons_latent"),
    ("{subject}_latent", "linear_probe"),
    ("{subject}_latent", "{subject}_predictor"),
    ("{subject}_predictor", "linear_probe"),
    ("{subject}_probe", "{rival}_probe"),
    ("{subject}_probe", "linear_probe"),
    ("{subject}_predictor", "nearest_neighbour"),
    ("linear_probe", "nearest_neighbour"),
    ("linear_probe", "composition_probe"),
    ("linear_probe", "random_plm_probe"),
)
"""Pairs of methods that are compared; `{subject}` and `{rival}` stand for those of `comparison`."""


class ComparisonConfig(Config):
    """Whose concepts are shown first, and what they are compared with."""

    subject: str
    """A dictionary of the list."""
    rival: str | None = None
    """Another one; null: none."""
