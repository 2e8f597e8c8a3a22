"""Group Bias Adaptation (Chen et al. 2025, arXiv 2506.14002): sparsity by adapted biases, without a
penalty."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.config import GbaConfig
from protsae.sae.dense import step_of
from protsae.sae.losses import reconstruction_loss


class GbaSae(SparseAutoencoder):
    """Encoder and decoder share their directions; biases follow firing frequencies instead of a gradient.

    With `y = (x_n - b_dec) W_decᵀ / sqrt(d_model)`, a latent fires where `y + bias > 0` and its code is
    `e^a sqrt(d_model) y` (`activation: jumprelu`) or `e^a sqrt(d_model) (y + bias)` (`relu`).
    """

    settles = True
    merged: ClassVar[dict[str, Literal["sum", "max"]]] = {"n_fired": "sum", "largest": "max"}
    config: GbaConfig
    bias: Tensor
    """[d_sae], between -1 and 0, for inputs of unit norm."""
    target: Tensor
    """[d_sae]: frequency that a latent is held below."""
    group: Tensor
    """Int64 [d_sae]: 0 is the group of the highest frequency."""
    n_seen: Tensor
    """Residues since the last update."""
    n_fired: Tensor
    """[d_sae]: for how many of these the latent fired."""
    largest: Tensor
    """[d_sae]: largest positive `y + bias` of these."""
    n_steps: Tensor
    """Steps since the last update."""

    def __init__(self, config: GbaConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        d_sae, n_groups = config.d_sae, config.n_groups
        self.log_amplitude = nn.Parameter(torch.zeros(d_sae))
        self.register_buffer("bias", torch.zeros(d_sae))
        group = torch.arange(d_sae) * n_groups // d_sae
        ratio = config.lowest_frequency / config.highest_frequency
        targets = config.highest_frequency * ratio ** (torch.arange(n_groups) / max(1, n_groups - 1))
        self.register_buffer("group", group, persistent=False)
        self.register_buffer("target", targets[group], persistent=False)
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.int64))
        self.register_buffer("n_fired", torch.zeros(d_sae))
        self.register_buffer("largest", torch.zeros(d_sae))
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input: the decoder's, transposed."""
        return self.W_dec.T

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""
        return self._codes(self.scale_input(x))[0]

    def _codes(self, scaled: Tensor) -> tuple[Tensor, Tensor]:
        """Return codes and `y + bias` [n, d_sae] each."""
        norm = math.sqrt(self.config.d_model)
        projection = (scaled - self.b_dec) @ self.W_dec.T / norm
        pre_acts = projection + self.bias
        if self.config.activation == "jumprelu":
            fires = functional.relu(projection) * (pre_acts.detach() > 0)
        else:
            fires = functional.relu(pre_acts)
        return self.log_amplitude.exp() * norm * fires, pre_acts

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""
        scaled = self.scale_input(batch.x)
        latent_acts, pre_acts = self._codes(scaled)
        reconstruction = reconstruction_loss(self._decode_scaled(latent_acts), scaled, batch.mean)
        losses = {"loss/reconstruction": reconstruction, "loss/total": reconstruction}
        seen = pre_acts.detach()
        return step_of(
            losses,
            latent_acts,
            n_fired=(seen > 0).float().sum(dim=0),
            largest=functional.relu(seen.amax(dim=0)),
        )

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Count which latents fire, and move the biases every `update_every` steps."""
        self.n_steps += 1
        self.n_seen += len(batch.x)
        self.n_fired += output.statistics["n_fired"]
        self.largest.copy_(torch.maximum(self.largest, output.statistics["largest"]))
        if int(self.n_steps) >= self.config.update_every:
            self.bias.copy_(self._moved())
            for counter in (self.n_steps, self.n_seen, self.n_fired, self.largest):
                counter.zero_()

    def _moved(self) -> Tensor:
        """Return the biases [d_sae] that the counters ask for."""
        config = self.config
        frequency = self.n_fired / self.n_seen
        lowered = (self.bias - config.step_down * self.largest).clamp_min(-1)
        positive = (self.largest > 0).to(self.largest.dtype)
        sums, counts = (
            self.largest.new_zeros(config.n_groups).index_add_(0, self.group, values)
            for values in (self.largest, positive)
        )
        raised = (self.bias + config.step_up * (sums / counts.clamp_min(1))[self.group]).clamp_max(0)
        moved = torch.where(frequency > self.target, lowered, self.bias)
        return torch.where(frequency < config.silent_below, raised, moved)
