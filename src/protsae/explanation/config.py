"""Settings of explanations: the rules, how they are scored, and the language model that may write others."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from protsae.core.config import Config, Share


class ExplanationConfig(Config):
    """How explanations are made on validation proteins and scored on test proteins."""

    fires_at: Share = 0.3
    """A latent fires on a residue where its activation is at least this share of its largest on validation.
    delphi's, for marked tokens."""
    flank: int = Field(default=15, ge=1)
    """Residues of a window on either side of the one in the middle."""
    motif_flank: int = Field(default=5, ge=1)
    """Residues of a motif on either side of the peak."""
    n_windows: int = Field(default=50, ge=2)
    """Most windows in which a latent fires, and as many in which it does not, in every draw: delphi's."""
    min_windows: int = Field(default=10, ge=2)
    """Latents that fire in fewer proteins, or are silent in fewer windows, are not scored."""
    n_draws: int = Field(default=3, ge=1)
    """Draws of windows; scores are means over them."""
    n_shuffles: int = Field(default=5, ge=1)
    """Explanations of other latents that are scored for each latent: the floor."""
    n_shown: int = Field(default=5, ge=2)
    """Windows of the intruder test, one of which does not belong: chance is 1 / n_shown."""
    min_margin: Share = 0.2
    """A concept is named where F1 on validation exceeds its floor by this much. With the labels of validation
    proteins permuted, the best of the demo's concepts exceeds it for a twentieth of the latents."""
    min_gain: Share = 0.02
    """What each condition of a rule has to add to its score on validation."""
    high: Share = 0.25
    """Confidence is high where the rule's score on validation exceeds the floor there by this much."""
    medium: Share = 0.1
    """The same for medium; below it is low."""
    seed: int = 0
    """Seed of the windows and of the shuffles."""

    @model_validator(mode="after")
    def _fits(self) -> "ExplanationConfig":
        if self.motif_flank > self.flank:
            raise ValueError(f"motif_flank {self.motif_flank} exceeds flank {self.flank}")
        if self.min_windows > self.n_windows:
            raise ValueError(f"min_windows {self.min_windows} exceeds n_windows {self.n_windows}")
        if self.medium > self.high:
            raise ValueError(f"medium {self.medium} exceeds high {self.high}")
        return self


class LlmConfig(Config):
    """A large language model that explains latents and scores explanations, through an endpoint that speaks
    OpenAI's protocol. Off unless `use` says more."""

    use: Literal["off", "explain", "explain_and_score"] = "off"
    """`explain`: the model writes sentences. `explain_and_score`: it also answers the three tests for its own
    sentences; costs three prompts more per latent. Windows of proteins and names of concepts leave this
    machine."""
    base_url: str = Field(default="http://127.0.0.1:8000/v1", pattern=r"^https?://[^\s]+$")
    """Address below which `/chat/completions` is; by default a model that this machine serves."""
    model: str = ""
    """Name of the model, as the endpoint knows it."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; null: no key is sent. The key itself is never
    written anywhere."""
    n_latents: int = Field(default=50, ge=1)
    """Latents that are explained: those whose rules have the best scores on validation."""
    n_examples: int = Field(default=10, ge=1)
    """Windows shown to the model for an explanation, and asked about in each test."""
    concurrency: int = Field(default=4, ge=1, le=64)
    """Requests that wait for an answer at the same time."""
    max_tokens: int = Field(default=400, ge=1)
    """Longest answer."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    """Seconds until a request counts as failed."""
    n_attempts: int = Field(default=5, ge=1)
    """Requests per prompt. Repeated after 429, 5xx, a broken connection, or an answer in another form."""
    backoff_s: Annotated[float, Field(ge=0, le=600)] = 1.0
    """Seconds before the second attempt; doubles with every other one. A longer `Retry-After` is obeyed, up
    to 600."""

    @model_validator(mode="after")
    def _named(self) -> "LlmConfig":
        if self.use != "off" and not self.model:
            raise ValueError("model: name the model that the endpoint serves")
        return self
