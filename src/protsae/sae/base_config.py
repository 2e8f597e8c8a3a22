"""What the settings of every architecture have in common. No torch here."""

from pydantic import Field, model_validator

from protsae.core.config import Config


class SaeConfig(Config):
    """What every architecture has."""

    d_model: int = Field(gt=0)
    """Width of the activations."""
    d_sae: int = Field(gt=0)
    """Number of latents."""

    @property
    def n_free(self) -> int:
        """Latents that are not tied to concepts."""
        return self.d_sae


class TopKFamilyConfig(SaeConfig):
    """What the architectures have that choose a number of latents."""

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
