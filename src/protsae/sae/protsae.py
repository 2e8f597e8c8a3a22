"""ProtSAE: a TopK autoencoder whose first latents are each tied to an ontology concept.

Method of Liu et al. (arXiv 2509.05309), written from its description; docs/protsae.md says what is as in
the paper and what differs. Shapes: n residues, m defined latents, f free latents, d_sae = m + f.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.base import StepOutput, TrainingBatch
from protsae.sae.codes import SparseCodes
from protsae.sae.config import ProtSaeConfig
from protsae.sae.forcing import choose, choose_open, is_plain
from protsae.sae.guidance import decorrelation_loss
from protsae.sae.kernels import compress, encode_top_k, fired, sparse_decode
from protsae.sae.losses import auxk_of_codes, k_dead, reconstruction_loss
from protsae.sae.predictor import ConceptPredictor


class Codes(NamedTuple):
    """Codes of a batch, and the gate and drive from which they were computed."""

    lifted: SparseCodes
    """Codes of the defined latents."""
    driven: Tensor
    """The same before forced activation, [n, k] as `lifted`, detached."""
    free: SparseCodes
    """Codes of the free latents, whose columns count from the first free one."""
    gates: tuple[Tensor, Tensor]
    """Logits [n, m], detached, and thresholds [m]: a concept is predicted present above its threshold."""
    sites: Tensor | None
    """[n, m] from 0 to 1: how far residues are sites of the concepts; None: all are."""
    n_free: int
    """Number of free latents."""
    revived: SparseCodes | None
    """Codes of dead free latents, for AuxK; None: there are none."""

    @property
    def n_defined(self) -> int:
        """Number of defined latents."""
        return len(self.gates[1])

    def sparse(self) -> SparseCodes:
        """Return all codes without most of their zeros, defined latents first."""
        columns = torch.cat([self.lifted.columns, self.free.columns + self.n_defined], dim=1)
        return SparseCodes(torch.cat([self.lifted.values, self.free.values], dim=1), columns)

    @property
    def gate(self) -> Tensor:
        """Bool [n, m]: the concept is predicted present, and here."""
        return self.excess > 0

    @property
    def excess(self) -> Tensor:
        """[n, m]: what the logits exceed the thresholds by, 0 where the gate is closed."""
        logits, thresholds = self.gates
        over = (logits - thresholds).clamp_min(0)
        return over if self.sites is None else over * self.sites

    @property
    def defined(self) -> Tensor:
        """[n, m]: codes of the defined latents."""
        return self.lifted.dense(self.n_defined)

    @property
    def drive(self) -> Tensor:
        """[n, m]: defined latents before forced activation; `defined - drive` is the lift."""
        return SparseCodes(self.driven, self.lifted.columns).dense(self.n_defined)

    @property
    def latent_acts(self) -> Tensor:
        """All codes [n, d_sae], defined latents first."""
        return self.sparse().dense(self.n_defined + self.n_free)


class ProtSae(ConceptPredictor):
    """Defined latents bound to a concept predictor, free latents under TopK.

    Over scaled input x, `π = σ(W_pred x + b_pred)` and
    `drive = ReLU(e^r (sg(W_pred) x + sg(b_pred) - logit τ))`. Free codes are the k largest of
    `W_free x + b_free`, ReLU applied. A defined latent is its drive, and where `π > τ` at least the mean of
    the token's positive free codes. Every part has switches: `GuidanceConfig`.
    """

    def __init__(self, config: ProtSaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        guidance, m = config.guidance, config.n_defined
        self.log_scale = nn.Parameter(torch.zeros(m), requires_grad=guidance.scales)
        self.b_def = nn.Parameter(torch.zeros(m), requires_grad=guidance.defined_bias == "free")
        # Its memory lies latent by latent: the kernels are fastest so.
        self.W_free = nn.Parameter(self.W_dec.detach()[m:].clone().T)
        self.b_free = nn.Parameter(torch.zeros(config.n_free))

    @property
    def W_enc(self) -> Tensor:  # noqa: N802 - the field's name
        """Encoder weights [d_model, d_sae] over scaled input: the bound rows, then the free ones."""
        return torch.cat(
            [(self._bound(self.concept_weights) * self.log_scale.exp().unsqueeze(1)).T, self.W_free], dim=1
        )

    def rate_factors(self) -> dict[str, float]:
        """Return the predictor's multiple of the learning rate, which the log-scales share."""
        guidance = self.config.guidance
        rates = dict.fromkeys(("W_pred", "b_pred", "log_scale"), guidance.predictor_rate)
        if guidance.locate:
            rates |= dict.fromkeys(("sites.weight", "sites.bias"), guidance.predictor_rate)
        if guidance.protein_head:
            own = guidance.predictor_rate * guidance.protein_head_rate
            rates |= dict.fromkeys(("W_protein", "b_protein"), own)
        for name in ("W_attention", "log_sharpness"):
            if getattr(self, name) is not None:
                rates[name] = guidance.predictor_rate * guidance.attention_rate
        return rates

    def gate(self, x: Tensor) -> Tensor:
        """Return where the concepts are predicted present, bool [n, m]."""
        return self.codes(x).gate

    def encode(self, x: Tensor) -> Tensor:
        """Return codes [n, d_sae] >= 0 of raw activations [n, d_model]; defined latents first."""
        return self.codes(x).latent_acts

    def sparse_codes(self, x: Tensor) -> SparseCodes:
        """Return the codes of raw activations [n, d_model], the active ones alone. No gradient flows."""
        codes = self.codes(x).sparse()
        return SparseCodes(codes.values.detach(), codes.columns)

    def codes(self, x: Tensor) -> Codes:
        """Return the codes of raw activations [n, d_model] with their gate and drive."""
        scaled = self.scale_input(x)
        return self._codes(scaled, self._logits(scaled))

    def _bound(self, weights: Tensor) -> Tensor:
        return weights.detach() if self.config.guidance.detach else weights

    def _bound_logits(self, scaled: Tensor, logits: Tensor) -> Tensor:
        """Return the predictor's logits, with a graph only where the reconstruction may train the
        predictor."""
        guidance = self.config.guidance
        if not guidance.detach:
            return logits
        if guidance.predictor_centring == "fixed":
            return logits.detach()
        return functional.linear(self._seen(scaled), self.concept_weights.detach(), self.b_pred.detach())

    def _codes(self, scaled: Tensor, logits: Tensor, dead: Tensor | None = None) -> Codes:
        guidance, scale = self.config.guidance, self.log_scale.exp()
        bound = self._bound_logits(scaled, logits)
        k, n_free, at_once = self.config.k, self.config.n_free, k_dead(self.config.d_model)
        sites = self.site_share(scaled)
        gates = bound.detach(), self.gate_logit.clone()  # a copy: the thresholds change in training
        if sites is not None:  # where no site is, the gate stays closed
            bound = torch.lerp(self.gate_logit, bound, sites).where(sites > 0, self.gate_logit - 1)
        free, revived = encode_top_k(scaled, self.W_free, self.b_free, k, dead=dead, k_dead=at_once)
        if is_plain(guidance):
            lifted, driven = choose_open(
                scale, bound, self.gate_logit, free.values, n_free=n_free, guidance=guidance
            )
        else:
            evidence = bound - self.gate_logit
            drive = self._drive(scale, bound, evidence)
            chosen = choose(drive, evidence, free.values, n_free=n_free, k=k, guidance=guidance)
            columns = compress(chosen.defined).columns
            lifted = SparseCodes(chosen.defined.gather(1, columns), columns)
            driven = chosen.drive.detach().gather(1, columns)
            free = SparseCodes(chosen.free, free.columns)
        return Codes(lifted, driven, free, gates, sites, n_free, revived)

    def _drive(self, scale: Tensor, bound: Tensor, evidence: Tensor) -> Tensor:
        """Return the defined latents before forced activation."""
        guidance = self.config.guidance
        if guidance.defined_bias == "tied":
            return functional.relu(scale * evidence)
        bias = self.b_def if guidance.defined_bias == "free" else 0.0
        return functional.relu(scale * (bound - self._bound(self.b_pred)) + bias)

    def step_output(self, batch: TrainingBatch) -> StepOutput:
        """Return losses and codes of one batch, without side effects.

        Raises:
            ValueError: the batch has no labels, or none of its residues though a concept is residue-level.
        """
        supervision = self._supervision(batch)
        if self.config.residue_level and batch.residue_labels is None:
            raise ValueError("concepts of residues train on batches with residue_labels")
        scaled = self.scale_input(batch.x)
        logits = self.training_logits(scaled)
        m = self.n_defined
        codes = self._codes(scaled, logits, batch.dead[m:])
        active = codes.sparse()
        x_hat = sparse_decode(active, self.W_dec) + self.b_dec
        unit = 1.0
        if self.config.guidance.loss_scale == "raw":
            unit = float(self.config.d_model / self.input_scale.square())
        terms = {
            "loss/reconstruction": (unit, reconstruction_loss(x_hat, scaled, batch.mean)),
            "loss/aux": (
                self.config.aux_coefficient,
                auxk_of_codes(scaled - x_hat, codes.revived, self.W_dec[m:], batch.mean),
            ),
            **self.guidance_terms(scaled, logits, supervision, batch.axioms),
        }
        if weight := self.config.guidance.lambda_decorrelation:
            correlation = decorrelation_loss(codes.defined, codes.free, self.config.n_free)
            terms["loss/decorrelation"] = (weight, correlation)
        losses = {name: value for name, (_, value) in terms.items()}
        losses["loss/total"] = torch.stack([weight * value for weight, value in terms.values()]).sum()
        return StepOutput(losses, fired(active, self.config.d_sae), active.l0(), logits.detach())

    @property
    def has_unit_rows(self) -> bool:
        """Whether training holds the decoder's rows at unit norm."""
        return self.config.guidance.unit_decoder
