"""ProtSAE: a TopK autoencoder whose first latents are each tied to an ontology concept.

Method of Liu et al. (arXiv 2509.05309), written from its description; docs/protsae.md says what is as in the
paper and what is not. Shapes: n residues, m defined latents, f free latents, d_sae = m + f.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.axioms import AxiomIndices, axiom_loss
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.codes import mean_active
from protsae.sae.config import ProtSaeConfig
from protsae.sae.guidance import Supervision, firing_thresholds, guided_loss
from protsae.sae.losses import auxk_loss, reconstruction_loss, scatter_codes, top_k_codes


class Codes(NamedTuple):
    """Everything the encoder knows about a batch."""

    latent_acts: Tensor
    """[n, d_sae]: defined latents first."""
    gate: Tensor
    """Bool [n, m]: the concept is predicted present."""
    drive: Tensor
    """[n, m]: defined latents before forced activation; `latent_acts[:, :m] - drive` is the lift."""
    free_pre_acts: Tensor
    """[n, f]: before TopK."""


class ProtSae(SparseAutoencoder):
    """Defined latents bound to a concept predictor, free latents under TopK.

    Over scaled input x, `π = σ(W_pred x + b_pred)` and
    `drive = ReLU(e^r (sg(W_pred) x + sg(b_pred) - logit τ))`. Free codes are the k largest of
    `W_free x + b_free`, ReLU applied. A defined latent is its drive, and where `π > τ` at least the mean of
    the token's positive free codes.
    """

    config: ProtSaeConfig
    gate_logit: Tensor
    """logit τ [m]; set by `after_step` and `after_epoch`, never in a forward pass."""
    concept_rate: Tensor
    """Share of positives among labelled training proteins [m], for concepts of residues among their residues:
    what the gate's firing rate is set to."""
    is_residue_level: Tensor
    """Bool [m]: concepts that residues carry, rather than whole proteins."""

    def __init__(self, config: ProtSaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        m, d_model = config.n_defined, config.d_model
        n_classes = m + config.n_zero

        def small(*shape: int) -> nn.Parameter:
            return nn.Parameter(0.01 * torch.randn(*shape, generator=generator))

        self.W_pred = small(m, d_model)
        self.b_pred = nn.Parameter(torch.zeros(m))
        self.log_scale = nn.Parameter(torch.zeros(m), requires_grad=config.guidance.scales)
        self.b_def = nn.Parameter(torch.zeros(m), requires_grad=config.guidance.defined_bias == "free")
        self.W_free = nn.Parameter(self.W_dec.detach()[m:].T.clone())
        self.b_free = nn.Parameter(torch.zeros(config.n_free))
        self.zero_centres = small(config.n_zero, d_model)
        self.relations = small(config.n_relations, d_model)
        self.radius = small(n_classes)
        self.register_buffer("gate_logit", torch.zeros(m))
        self.register_buffer("concept_rate", torch.full((m,), 0.5))
        of_residues = [concept_id in set(config.residue_level) for concept_id in config.concept_ids]
        self.register_buffer("is_residue_level", torch.tensor(of_residues), persistent=False)

    @property
    def n_defined(self) -> int:
        """Number of latents tied to concepts; they come first."""
        return self.config.n_defined

    @property
    def concept_ids(self) -> tuple[str, ...]:
        """Concepts of the defined latents, in their order."""
        return self.config.concept_ids

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input: the bound rows, then the free ones."""
        return torch.cat(
            [(self._bound(self.W_pred) * self.log_scale.exp().unsqueeze(1)).T, self.W_free], dim=1
        )

    def rate_factors(self) -> dict[str, float]:
        """Return the predictor's multiple of the learning rate; the log-scales follow, to undo its growth."""
        return dict.fromkeys(("W_pred", "b_pred", "log_scale"), self.config.guidance.predictor_rate)

    @torch.no_grad()
    def set_concept_rates(self, rates: Tensor) -> None:
        """Start the predictor and the gate at the concepts' rates [m], each strictly between 0 and 1."""
        self.concept_rate.copy_(rates)
        self.b_pred.copy_(torch.logit(rates))
        if self.config.guidance.gate == "prevalence":
            self.gate_logit.copy_(self.b_pred)

    def predictor_logits(self, x: Tensor) -> Tensor:
        """Return logits of the concepts' presence [n, m] for raw activations [n, d_model]."""
        return functional.linear(self.scale_input(x), self.W_pred, self.b_pred)

    def gate(self, x: Tensor) -> Tensor:
        """Return where the concepts are predicted present, bool [n, m]."""
        return self.predictor_logits(x).detach() > self.gate_logit

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]; defined latents first."""
        return self.codes(x).latent_acts

    def codes(self, x: Tensor) -> Codes:
        """Return the codes of raw activations [n, d_model] with the gate and the drive that led to them."""
        return self._codes(self.scale_input(x))

    def _bound(self, weights: Tensor) -> Tensor:
        return weights.detach() if self.config.guidance.detach else weights

    def _codes(self, scaled: Tensor) -> Codes:
        guidance = self.config.guidance
        projection = functional.linear(scaled, self._bound(self.W_pred))
        evidence = projection + self._bound(self.b_pred) - self.gate_logit
        gate = evidence.detach() > 0
        scale = self.log_scale.exp()
        if guidance.defined_bias == "tied":
            drive = functional.relu(scale * evidence)
        else:
            bias = self.b_def if guidance.defined_bias == "free" else 0.0
            drive = functional.relu(scale * projection + bias)
        free_pre_acts = torch.addmm(self.b_free, scaled, self.W_free)
        values, columns = top_k_codes(free_pre_acts, self.config.k)
        defined = drive
        if guidance.forced_activation:
            defined = torch.where(gate, torch.maximum(drive, self._free_mean(values)), drive)
        first = torch.arange(self.n_defined, device=columns.device).expand(len(columns), -1)
        latent_acts = scatter_codes(
            torch.cat([defined, values], dim=1),
            torch.cat([first, columns + self.n_defined], dim=1),
            self.config.d_sae,
        )
        return Codes(latent_acts, gate, drive, free_pre_acts)

    def _free_mean(self, values: Tensor) -> Tensor:
        """Mean of the token's free codes [n, 1], over the positive ones or over all free latents."""
        total = values.sum(dim=1, keepdim=True)
        if self.config.guidance.forced_mean == "all":
            return total / self.config.n_free
        return total / (values > 0).sum(dim=1, keepdim=True).clamp_min(1)

    def balls(self) -> tuple[Tensor, Tensor]:
        """Return centres [n_classes, d_model] and radii [n_classes] of concepts, then zero concepts."""
        return torch.cat([self.W_pred, self.zero_centres]), self.radius.abs()

    def axiom_terms(self, axioms: AxiomIndices) -> Tensor:
        """Return the axiom loss over the predictor's rows as centres."""
        centres, radii = self.balls()
        return axiom_loss(centres, radii, self.relations, axioms, self.config.guidance.axiom_margin)

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects.

        Raises:
            ValueError: the batch has no labels, or none of its residues though a concept is residue-level.
        """
        if batch.segment is None or batch.labels is None or batch.labelled is None:
            raise ValueError("ProtSAE trains on labelled batches: segment, labels and labelled are needed")
        if self.config.residue_level and batch.residue_labels is None:
            raise ValueError("concepts of residues train on batches with residue_labels")
        guidance = self.config.guidance
        scaled = self.scale_input(batch.x)
        codes = self._codes(scaled)
        x_hat = self._decode_scaled(codes.latent_acts)
        logits = functional.linear(scaled, self.W_pred, self.b_pred)
        m = self.n_defined
        terms = {
            "loss/reconstruction": (1.0, reconstruction_loss(x_hat, scaled)),
            "loss/aux": (
                self.config.aux_coefficient,
                auxk_loss(scaled - x_hat, codes.free_pre_acts, self.W_dec[m:], batch.dead[m:]),
            ),
            "loss/annotation": (
                guidance.lambda_annotation,
                guided_loss(
                    logits,
                    Supervision(batch.segment, batch.labels, batch.labelled, batch.residue_labels),
                    self.is_residue_level,
                    guidance.annotation_pooling,
                ),
            ),
            "loss/norm": (guidance.lambda_norm, self.W_pred.square().sum(dim=1).mean()),
        }
        if batch.axioms is not None:
            terms["loss/axiom"] = (guidance.lambda_axiom, self.axiom_terms(batch.axioms))
        losses = {name: value for name, (_, value) in terms.items()}
        losses["loss/total"] = torch.stack([weight * value for weight, value in terms.values()]).sum()
        fired = (codes.latent_acts > 0).any(dim=0)
        return StepOutput(losses, fired, mean_active(codes.latent_acts), logits.detach())

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Move the gate's thresholds towards those at which it fires as often as the concepts occur."""
        guidance = self.config.guidance
        if guidance.gate == "half":
            return
        assert output.logits is not None and batch.labelled is not None
        wanted = firing_thresholds(output.logits, self.concept_rate, batch.labelled[batch.segment])
        moved = torch.lerp(wanted, self.gate_logit, guidance.gate_momentum)
        self.gate_logit.copy_(torch.where(wanted.isnan(), self.gate_logit, moved))

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set the gate's thresholds of residue-level concepts to their means over the batches.

        While the weights move, thresholds follow some steps behind. For concepts of residues, whose logits
        lie close together, that is far: gates of 0.2 to 7 times the wanted rate were seen on the demo.
        """
        if self.config.guidance.gate == "half" or not self.config.residue_level:
            return
        total, counts = torch.zeros_like(self.gate_logit), torch.zeros_like(self.gate_logit)
        for batch in batches:
            assert batch.segment is not None and batch.labelled is not None
            labelled = batch.labelled[batch.segment]
            wanted = firing_thresholds(self.predictor_logits(batch.x), self.concept_rate, labelled)
            total += wanted.nan_to_num(nan=0.0)
            counts += ~wanted.isnan()
        settled = self.is_residue_level & (counts > 0)
        self.gate_logit.copy_(torch.where(settled, total / counts.clamp_min(1), self.gate_logit))
