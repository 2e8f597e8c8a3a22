"""Settings of interpretation and alignment."""

from typing import Annotated

from pydantic import Field, model_validator

from protsae.core.config import Config
from protsae.core.pooling import Pooling
from protsae.core.splits import Selection, Split
from protsae.metrics.association import THRESHOLDS
from protsae.metrics.config import ResamplingConfig
from protsae.probing.config import CountingConfig, FewLatentsConfig

Quantile = Annotated[float, Field(ge=0, lt=1)]


class PoolingConfig(Config):
    """From residues to proteins."""

    pooling: Pooling = "mean"
    """How latents are pooled over the residues of a protein; `top`: the mean over those with the highest
    tenth of the values."""


class ThresholdConfig(PoolingConfig):
    """When a protein counts as one on which a latent fires."""

    quantiles: tuple[Quantile, ...] = Field(default=(0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), min_length=1)
    """Thresholds tried per latent: quantiles of its pooled activation over validation proteins, and 0."""


class MatchingConfig(ThresholdConfig, CountingConfig):
    """How latents are matched with concepts, at the level of proteins.

    A maximum depends on one stray residue: with `kedro run --pipelines interpretation --params
    interpretation.matching.pooling=max` the defined latents' median F1 on validation is .35 on the demo, with
    the mean .43 (`latent_summary.csv`).
    """

    n_concepts: int = Field(default=3, ge=1)
    """Best concepts kept per latent, by F1 on validation above the always-on floor there; a defined latent's
    own concept is kept whatever its rank."""


class ExampleConfig(Config):
    """Which latents get examples, and what an example shows."""

    splits: tuple[Split, ...] = Field(default=("validation", "test"), min_length=1)
    """Splits that examples and residue enrichment are drawn from; held-out proteins by default. Their codes
    have to be stored: `encoding.stored_splits`."""
    n_proteins: int = Field(default=6, ge=1)
    """Top proteins per latent, by pooled activation (`matching.pooling`)."""
    n_free: int = Field(default=40, ge=0)
    """Free latents per dictionary with examples, by their best margin over the floor on validation; every
    defined one has them."""
    flank: int = Field(default=15, ge=0)
    """Residues shown on either side of the peak."""
    n_residues: int = Field(default=3, ge=1)
    """Amino acids named per latent, by enrichment."""


class ChoiceConfig(ThresholdConfig, ResamplingConfig, CountingConfig):
    """How latents are chosen for concepts, and judged on test. Thresholds are chosen on validation. The
    false-discovery rate of `n_found_bh` is 1 - `confidence`."""

    n_resamples: int = Field(default=1000, ge=2)
    """Bootstrap resamples of homology clusters. No p-value is below 1 / (resamples + 1), so that with 200 of
    them a few of many concepts could not pass Benjamini-Hochberg."""
    selection: Selection = "train_and_validation"
    """Labels by which latents are chosen for a concept. For concepts of residues, those of training are the
    residues whose codes are stored, `k_sparse.max_residues`."""
    n_latents: int = Field(default=10, ge=1)
    """Latents kept per concept, by F1 on the proteins of `selection`."""
    thresholds: tuple[Quantile, ...] = Field(default=THRESHOLDS, min_length=1)
    """Tried for residues: shares of a latent's largest activation on validation. InterPLM's."""
    found_f1: float = Field(default=0.5, ge=0, le=1)
    """What F1 on test has to exceed for a concept to count as found, in addition to both baselines."""
    residues_per_batch: int = Field(default=4096, ge=1)
    """Of the baselines: whole proteins are joined until they hold at least this many residues; bounds memory,
    changes no result."""

    @model_validator(mode="after")
    def _ascending(self) -> "ChoiceConfig":
        if sorted(set(self.thresholds)) != list(self.thresholds):
            raise ValueError(f"thresholds have to ascend: {list(self.thresholds)}")
        return self


class KSparseConfig(FewLatentsConfig):
    """Logistic regressions on the few latents that tell a concept best: chosen by the labels of
    `choice.selection`, fitted on training data."""

    max_residues: int = Field(default=20_000, ge=1)
    """Residues of each split, for concepts of residues: whole proteins in random order until there are as
    many. Counted in the tables. Of training no more than `encoding.train_residues`."""
    seed: int = 0
    """Seed of that order: `encoding.seed`."""


class BaselineConfig(Config):
    """Dictionaries that were not trained, to compare trained ones with."""

    n_directions: int = Field(default=1024, ge=1)
    """Random unit vectors as an encoder, applied to centred activations."""
    k: int = Field(default=16, ge=1)
    """The largest positive projections of a residue that stay."""
    flank: int = Field(default=4, ge=0)
    """Residues to either side in the one-hot windows."""
    random_plm: bool = False
    """Also the neurons of a language model of the same shape with random weights, and a dictionary of
    `n_directions` latents trained on them: it costs an extraction into a temporary folder, and a training."""
    architecture: str = "topk"
    """Of that dictionary, which is the method `random_plm_<architecture>`."""
    epochs: int = Field(default=40, ge=1)
    """Passes of that training over the training proteins."""
    seed: int = 0
    """Seed of directions and weights."""

    @model_validator(mode="after")
    def _fits(self) -> "BaselineConfig":
        if self.k > self.n_directions:
            raise ValueError(f"k {self.k} exceeds n_directions {self.n_directions}")
        return self
