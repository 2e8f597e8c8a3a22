"""Parameters of the explanation pipeline."""

from protsae.core.config import Config
from protsae.explanation.config import ExplanationConfig, LlmConfig


class ExplanationParameters(Config):
    """The top-level key `explanation`."""

    rules: ExplanationConfig = ExplanationConfig()
    """How latents are explained and explanations are scored."""
    llm: LlmConfig = LlmConfig()
    """A large language model that explains too; off by default."""
