"""What every sparse autoencoder has in common: scaling, decoder, and the form of a training step."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from protsae.sae.axioms import AxiomIndices
from protsae.sae.codes import SparseCodes, joined_codes
from protsae.sae.config import SaeConfig
from protsae.sae.kernels import compress, sparse_decode
from protsae.sae.losses import BatchMean, own_mean

_CHUNK_BYTES = 2**20
"""Memory of the dense codes that are held at a time while sparse ones are made of them."""


@dataclass(frozen=True)
class TrainingBatch:
    """The input of one training step. Everything after `dead` is for guided architectures."""

    x: Tensor
    """Raw activations [n_residues, d_model]."""
    dead: Tensor
    """Bool [d_sae]: latents that AuxK may revive."""
    segment: Tensor | None = None
    """Int64 [n_residues]: row of `labels` that the residue belongs to."""
    labels: Tensor | None = None
    """Float [n_proteins, n_defined], 0 or 1."""
    labelled: Tensor | None = None
    """Bool [n_proteins, n_defined]: pairs that are False count in no loss and no threshold."""
    residue_labels: Tensor | None = None
    """Float [n_residues, n_defined], 0 or 1: read in the columns of residue-level concepts. None: there are
    no such concepts."""
    protein_means: Tensor | None = None
    """Raw activations [n_proteins, d_model]: the mean over all residues of each protein, where the
    architecture asks for it."""
    evidence: Tensor | None = None
    """Float [n_residues, n_defined] from 0 to 1: local evidence for concepts of whole proteins, where the
    architecture asks for it."""
    axioms: AxiomIndices | None = None
    """Axioms of the ontology."""
    progress: float = 1.0
    """Share of the training's steps that are done, for weights that rise during training."""
    mean: BatchMean = own_mean
    """How a loss averages over the batch, of which each worker may have a part."""


@dataclass(frozen=True)
class StepOutput:
    """The result of one forward pass of training, which changes nothing in the module."""

    losses: dict[str, Tensor]
    """Unweighted scalar terms, and `loss/total`, their weighted sum."""
    fired: Tensor
    """Bool [d_sae]: latents active anywhere in the batch."""
    l0: Tensor
    """Float scalar: mean number of active latents per residue."""
    logits: Tensor | None = None
    """Predictor logits [n_residues, n_defined], detached; None for unguided architectures."""
    statistics: dict[str, Tensor] = field(default_factory=dict)
    """Small detached tensors that the architecture's own `after_step` needs."""


class SparseAutoencoder(nn.Module, ABC):
    """Raw activations in and out; centring and scaling are inside.

    The encoder sees `x_n = (x - input_mean) * input_scale`, `input_scale = sqrt(d_model / V)` with V the
    total variance of the training residues: the mean of ||x_n||² over them is `d_model`. The reconstruction
    loss is the mean of ||x̂_n - x_n||² / d_model: the unexplained share of the training split's variance.
    """

    settles: ClassVar[bool] = False
    """True where codes grow sparser throughout training. FVE then cannot compare epochs; the last is kept."""
    takes_parts: ClassVar[bool] = True
    """Whether several workers can divide the batches of a training among them."""
    merged: ClassVar[dict[str, Literal["sum", "max"]]] = {}
    """How the `StepOutput.statistics` of workers are combined."""
    config: SaeConfig
    W_dec: nn.Parameter
    """[d_sae, d_model], unit rows: the latents' directions."""
    b_dec: nn.Parameter
    """[d_model], in scaled units."""
    input_mean: Tensor
    input_scale: Tensor

    def __init__(self, config: SaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        directions = torch.randn(config.d_sae, config.d_model, generator=generator)
        self.W_dec = nn.Parameter(directions / directions.norm(dim=1, keepdim=True))
        self.b_dec = nn.Parameter(torch.zeros(config.d_model))
        self.register_buffer("input_mean", torch.zeros(config.d_model))
        self.register_buffer("input_scale", torch.ones(()))

    @property
    def n_defined(self) -> int:
        """Number of latents tied to concepts; they come first."""
        return self.config.n_defined

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts of the defined latents, in their order."""
        ids: tuple[str, ...] = getattr(self.config, "concept_ids", ())
        return ids

    @property
    @abstractmethod
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input."""

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]."""

    def sparse_codes(self, x: Tensor) -> SparseCodes:
        """Return the codes of raw activations [n, d_model], the active ones alone. No gradient flows.

        On a CPU, dense codes are made for some rows at a time, few enough to stay in its cache.
        """
        n_rows = max(1, _CHUNK_BYTES // (x.element_size() * self.config.d_sae))
        parts = torch.split(x, n_rows) if x.device.type == "cpu" else (x,)
        return joined_codes([compress(self.encode(part)) for part in parts])

    @abstractmethod
    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects."""

    def rate_factors(self) -> dict[str, float]:
        """Return multiples of the learning rate by parameter name. Parameters without an entry have 1."""
        return {}

    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Update what is not learned by gradient; the trainer calls it once per optimiser step."""

    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set what `after_step` estimates, now that the weights are fixed. The trainer calls it before it
        validates.

        Args:
            batches: those of the training split.
        """

    def set_input_statistics(self, mean: Tensor, total_variance: float) -> None:
        """Set centring and scaling.

        Args:
            mean: mean activation [d_model] of the training residues.
            total_variance: their mean squared distance from `mean`.

        Raises:
            ValueError: the variance is not a positive number.
        """
        if not 0 < total_variance < float("inf"):
            raise ValueError(f"total variance {total_variance} of the training activations is not positive")
        with torch.no_grad():
            self.input_mean.copy_(mean)
            self.input_scale.fill_((self.config.d_model / total_variance) ** 0.5)

    def scale_input(self, x: Tensor) -> Tensor:
        """Return raw activations centred and scaled."""
        return (x - self.input_mean) * self.input_scale

    def decode(self, latent_acts: Tensor) -> Tensor:
        """Return raw activations x̂ [n, d_model] of codes [n, d_sae]."""
        return self._decode_scaled(latent_acts) / self.input_scale + self.input_mean

    def decode_sparse(self, codes: SparseCodes) -> Tensor:
        """Return raw activations x̂ [n, d_model] of sparse codes."""
        scaled = sparse_decode(codes, self.W_dec) + self.b_dec
        return scaled / self.input_scale + self.input_mean

    def forward(self, x: Tensor) -> Tensor:
        """Return the reconstruction of raw activations [n, d_model]."""
        return self.decode(self.encode(x))

    def _decode_scaled(self, latent_acts: Tensor) -> Tensor:
        return latent_acts @ self.W_dec + self.b_dec

    @property
    def has_unit_rows(self) -> bool:
        """Whether training holds the decoder's rows at unit norm."""
        return True

    @torch.no_grad()
    def project_decoder_gradient(self) -> None:
        """Remove the part of each decoder row's gradient along the row, which would only change the norm.
        Rows whose norm is free keep it."""
        if self.has_unit_rows and self.W_dec.grad is not None:
            along = (self.W_dec.grad * self.W_dec).sum(dim=1, keepdim=True)
            self.W_dec.grad.addcmul_(along, self.W_dec, value=-1)

    @torch.no_grad()
    def normalise_decoder(self) -> None:
        """Give the decoder rows unit norm, unless they are free."""
        if self.has_unit_rows:
            norms = self.W_dec.norm(dim=1, keepdim=True)
            self.W_dec.div_(norms.clamp_min(torch.finfo(self.W_dec.dtype).tiny))

    def config_json(self) -> dict[str, Any]:
        """Return the config as JSON values; `config.parse_config` reads it back."""
        return self.config.model_dump(mode="json")
