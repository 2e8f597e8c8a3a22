"""What architectures share: an encoder of their own, and the result of a step with dense codes."""

import torch
from torch import Tensor, nn

from protsae.sae.base import SparseAutoencoder, StepOutput
from protsae.sae.codes import mean_active
from protsae.sae.config import SaeConfig


def step_of(losses: dict[str, Tensor], latent_acts: Tensor, **statistics: Tensor) -> StepOutput:
    """Return the result of a step whose codes are dense.

    Args:
        losses: unweighted terms and `loss/total`.
        latent_acts: codes [n, d_sae].
        statistics: what `after_step` needs.
    """
    detached = {name: value.detach() for name, value in statistics.items()}
    acts = latent_acts.detach()
    return StepOutput(losses, (acts > 0).any(dim=0), mean_active(acts), statistics=detached)


class LinearEncoderSae(SparseAutoencoder):
    """An autoencoder with a linear encoder, which starts as the decoder's transpose, and its bias."""

    def __init__(self, config: SaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        self.encoder = nn.Parameter(self.W_dec.detach().T.clone())
        self.b_enc = nn.Parameter(torch.zeros(config.d_sae))

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input."""
        return self.encoder

    def _pre_acts(self, scaled: Tensor) -> Tensor:
        return torch.addmm(self.b_enc, scaled, self.encoder)
