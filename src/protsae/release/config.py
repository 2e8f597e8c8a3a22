"""Settings of releases."""

from pydantic import Field

from protsae.core.config import Config


class ReleaseConfig(Config):
    """What goes into a release."""

    max_plm_mb: float = Field(default=64.0, ge=0, le=1e6)
    """A language model whose file has at most so many megabytes goes in with its weights; of a larger one its
    name and hash. 0: none goes in."""
    max_train_sequences: int | None = Field(default=None, ge=1)
    """Training sequences that go in, to say how near a new protein is to them: those of smallest hashed id.
    None: all."""
    description: str = ""
    """The training data in words; empty: the names of the files."""
