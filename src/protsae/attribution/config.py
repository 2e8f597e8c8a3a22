"""Settings of attribution. Nothing here needs torch."""

from typing import Literal

from pydantic import Field

from protsae.core.config import Config
from protsae.core.pooling import Pooling


class TargetConfig(Config):
    """What is attributed."""

    kind: Literal["predictor", "latent", "logit"]
    """`predictor`: ProtSAE's logit of a concept, pooled over the protein; `latent`: a latent's pooled code;
    `logit`: how strongly the language model writes letters at masked positions."""
    concept_id: str = ""
    """With `predictor`."""
    latent: int = Field(default=0, ge=0)
    """With `latent`."""
    pooling: Pooling = "mean"
    """With `latent`."""
    positions: tuple[int, ...] = ()
    """With `logit`: 1-based."""
    letters: str = ""
    """With `logit`: one amino acid per position."""
    against: str = ""
    """With `logit`: others, one per position; the prediction is then the difference of the two logits. Empty:
    the log-probability among the twenty amino acids."""


class AttributionConfig(Config):
    """How it is attributed."""

    steps: int = Field(default=32, ge=2, le=1000)
    """Points of integrated gradients."""
    share: float = Field(default=0.9, gt=0, lt=1)
    """Of the score, which the latents that are kept have to carry."""
    mask_steps: int = Field(default=300, ge=1)
    """Steps of the learned mask."""
    window: int = Field(default=4, ge=1)
    """Residues of a region."""
    regions: bool = True
    """Whether regions are ordered by EAGLE. The cost grows with the square of their number."""
    seed: int = Field(default=0, ge=0)
    """Of the random order."""


class RunAttributionConfig(AttributionConfig):
    """What the pipeline attributes, and of which proteins. Concepts, latents and positions may be combined.
    Without any of them it is, of each protein, the annotated concept whose logit is largest, compared with
    how common the concept is."""

    proteins: tuple[str, ...] = ()
    """Ids. Empty: `n_proteins` of the test split for each target."""
    n_proteins: int = Field(default=2, ge=1)
    """How many are chosen: with a concept the first ones that are annotated with it, with a latent those
    whose pooled code is largest, without either those whose annotated concept is predicted most surely, each
    another concept."""
    concepts: tuple[str, ...] = ()
    """Ids of concepts whose logit by ProtSAE's predictor is attributed."""
    latents: tuple[int, ...] = ()
    """Numbers of latents whose pooled code is attributed."""
    pooling: Pooling = "mean"
    """Of latents."""
    positions: tuple[int, ...] = ()
    """1-based: what the language model writes there is attributed. They are masked."""
    letters: str = ""
    """One amino acid per position; empty: those of the protein."""
    against: str = ""
    """Others, see `TargetConfig`."""
    window: int = Field(default=16, ge=1)
    """Residues of a region. Twice as many take a quarter of the seconds."""
    n_nodes: int = Field(default=40, ge=1)
    """Codes and errors in a graph, the strongest ones."""
