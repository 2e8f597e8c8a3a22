"""The guided half of ProtSAE: a linear predictor of concepts, its geometry, losses and thresholds.

Shapes: n residues, m defined latents.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from protsae.sae.axiom_sampling import AxiomSampler
from protsae.sae.axioms import AxiomIndices, axiom_loss
from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch
from protsae.sae.config import ProtSaeConfig
from protsae.sae.guidance import (
    Supervision,
    Weighting,
    best_f1_thresholds,
    firing_thresholds,
    guided_loss,
    hierarchy_loss,
    masked_bce,
)
from protsae.sae.pooling import pool_logits, segment_mean
from protsae.sae.sites import Sites, approach, opened

_EPSILON = 1e-5


def whitening_matrix(means: Tensor, floor: float) -> Tensor:
    """Return `(C + floor x mean variance)^(-1/2)` in double precision [d_model, d_model].

    Args:
        means: mean activations of proteins [n_proteins, d_model], whose covariance is C.
        floor: share of the mean variance that is added to every direction's.
    """
    variances, directions = torch.linalg.eigh(torch.cov(means.double().T))
    added = floor * variances.mean()
    found: Tensor = directions * (variances.clamp_min(0) + added).rsqrt() @ directions.T
    return found


class ConceptPredictor(SparseAutoencoder):
    """An autoencoder that also predicts concepts, `π = σ(W_pred x + b_pred)` over scaled input x.

    A subclass defines how the predictions change its codes. Rows of W_pred are the centres of the axioms'
    balls. With whitened input W_pred applies to `whitening x`.
    """

    config: ProtSaeConfig
    gate_logit: Tensor
    """logit τ [m]; set by `after_step` and `after_epoch`, never in a forward pass."""
    concept_rate: Tensor
    """Share of positives among labelled training proteins [m], for concepts of residues among their residues:
    what the gate's firing rate is set to."""
    sites: Sites | None
    """Where in its proteins each concept lies; with `locate` alone."""
    whitening: Tensor | None
    """[d_model, d_model]: maps scaled activations to the predictor's input; None: they are its input."""
    W_attention: nn.Parameter | None
    """[m, d_model]: what each concept attends to; with pooling by attention alone."""
    log_sharpness: nn.Parameter | None
    """[m]: logarithms of the inverse temperatures; with pooling by log-sum-exp alone."""
    W_protein: nn.Parameter | None
    """[m, d_model]: weights that score proteins on the mean of their residues, with a protein head alone."""
    b_protein: nn.Parameter | None
    """[m]: their biases."""
    axiom_draw: Tensor | None
    """Int64 [2]: seed and number of the next draw of axioms; None where every step takes all of them."""
    is_residue_level: Tensor
    """Bool [m]: concepts that residues carry, rather than whole proteins."""

    def __init__(self, config: ProtSaeConfig, generator: torch.Generator | None = None) -> None:
        super().__init__(config, generator)
        m, d_model = config.n_defined, config.d_model

        def small(*shape: int) -> nn.Parameter:
            return nn.Parameter(0.01 * torch.randn(*shape, generator=generator))

        self.W_pred = small(m, d_model)
        self.b_pred = nn.Parameter(torch.zeros(m))
        self.zero_centres = small(config.n_zero, d_model)
        self.relations = small(config.n_relations, d_model)
        self.radius = small(m + config.n_zero)
        # Both poolings start as (nearly) the mean logit: with even attention, with a blunt softmax.
        guidance = config.guidance
        attends, softens = (guidance.annotation_pooling == name for name in ("attention", "log_sum_exp"))
        self.W_attention = nn.Parameter(torch.zeros(m, d_model)) if attends else None
        self.log_sharpness = nn.Parameter(torch.zeros(m)) if softens else None
        self.W_protein = nn.Parameter(torch.zeros(m, d_model)) if guidance.protein_head else None
        self.b_protein = nn.Parameter(torch.zeros(m)) if guidance.protein_head else None
        whitens = guidance.predictor_input == "whitened"
        self.register_buffer("whitening", torch.eye(d_model) if whitens else None)
        self.register_buffer("gate_logit", torch.zeros(m))
        self.register_buffer("concept_rate", torch.full((m,), 0.5))
        draws = guidance.axiom_batch > 0 or guidance.axiom_negatives > 0
        seed = torch.randint(2**62, (1,), generator=generator)
        self.register_buffer("axiom_draw", torch.cat([seed, torch.zeros_like(seed)]) if draws else None)
        of_residues = [concept_id in set(config.residue_level) for concept_id in config.concept_ids]
        self.register_buffer("is_residue_level", torch.tensor(of_residues), persistent=False)
        self.sites = Sites(torch.tensor(of_residues), d_model) if guidance.locate else None
        self._sampler: AxiomSampler | None = None

    @torch.no_grad()
    def set_concept_rates(self, rates: Tensor) -> None:
        """Start the predictor and the gate at the concepts' rates [m], each strictly between 0 and 1."""
        self.concept_rate.copy_(rates)
        self.b_pred.copy_(torch.logit(rates))
        if self.b_protein is not None:
            self.b_protein.copy_(self.b_pred)
        if self.config.guidance.gate != "half":
            self.gate_logit.copy_(self.b_pred)

    @torch.no_grad()
    def set_whitening(self, means: Tensor) -> None:
        """Set the predictor's coordinates, where it has its own: `(C + floor)^(-1/2) x`.

        Args:
            means: mean raw activations of training proteins [n_proteins, d_model], whose covariance is C; the
                input statistics are set.
        """
        if self.whitening is None:
            return
        self.whitening.copy_(whitening_matrix(self.scale_input(means), self.config.guidance.whitening_floor))

    @property
    def concept_weights(self) -> Tensor:
        """The predictor's weights over scaled activations [m, d_model]."""
        return self.W_pred if self.whitening is None else self.W_pred @ self.whitening

    def predictor_logits(self, x: Tensor) -> Tensor:
        """Return logits of the concepts' presence [n, m] for raw activations [n, d_model]."""
        return self._logits(self.scale_input(x))

    def protein_logits(self, x: Tensor, logits: Tensor, segment: Tensor, n_proteins: int) -> Tensor:
        """Return the score of proteins [n_proteins, m]: their residues' logits, pooled as in training; with a
        protein head the mean of these and its own, but for concepts of residues.

        Args:
            x: raw activations [n, d_model].
            logits: `predictor_logits` of x.
            segment: int64 [n], the protein of each residue.
            n_proteins: number of proteins.
        """
        scaled = self.scale_input(x)
        pooled = self._pooled(scaled, logits, segment, n_proteins)
        if self.W_protein is None:
            return pooled
        head = self._head_logits(segment_mean(scaled, segment, n_proteins))
        return torch.where(self.is_residue_level, pooled, (pooled + head) / 2)

    def balls(self) -> tuple[Tensor, Tensor]:
        """Return centres [n_classes, d_model] and radii [n_classes] of concepts, then zero concepts."""
        guidance, m = self.config.guidance, self.n_defined
        centres, radii = torch.cat([self.W_pred, self.zero_centres]), self.radius.abs()
        if guidance.axiom_batch_norm:
            variance, mean = torch.var_mean(centres, dim=0, correction=0)
            centres = (centres - mean) / (variance + _EPSILON).sqrt()
        if guidance.radius == "bias":
            radii = torch.cat([self.b_pred.abs(), radii[m:]])
        return centres, radii

    def axiom_terms(self, axioms: AxiomIndices) -> Tensor:
        """Return the axiom loss over the predictor's rows as centres, on this step's draw of the axioms."""
        guidance = self.config.guidance
        if self.axiom_draw is not None:
            if self._sampler is None or not self._sampler.is_of(axioms):
                self._sampler = AxiomSampler(axioms, guidance.axiom_batch, guidance.axiom_negatives)
            axioms = self._sampler.draw(*self.axiom_draw.tolist())
        centres, radii = self.balls()
        return axiom_loss(centres, radii, self.relations, axioms, guidance.axiom_margin, guidance.nf4)

    @torch.no_grad()
    def after_step(self, batch: TrainingBatch, output: StepOutput) -> None:
        """Move the gate's thresholds towards the values at which it fires as wanted on the batch."""
        if self.axiom_draw is not None:
            self.axiom_draw[1] += 1
        guidance, supervision = self.config.guidance, self._supervision(batch)
        if self.sites is not None:
            seen = self._predictor_input(self.scale_input(batch.x))
            self.sites.follow(seen, supervision, guidance.site_openness, guidance.gate_momentum)
        if guidance.gate == "half":
            return
        assert output.logits is not None
        wanted = self._wanted_thresholds(output.logits, supervision)
        if self.sites is not None:
            of_sites = self.sites.sensitive(seen, output.logits, supervision, guidance.site_sensitivity)
            wanted = torch.where(self.sites.is_used, of_sites, wanted)
        approach(self.gate_logit, wanted, guidance.gate_momentum)

    @torch.no_grad()
    def after_epoch(self, batches: Iterable[TrainingBatch]) -> None:
        """Set the gate's thresholds of residue-level concepts to their means over the batches, and choose the
        concepts that have sites.

        While the weights change, thresholds lag some steps. For concepts of residues, whose logits lie close
        together, the lag matters: on the demo, gates fired at 0.2 to 7 times the wanted rate.
        """
        if self.sites is not None:
            batches = list(batches)
            self.sites.choose(self._of_sites(batch) for batch in batches)
        if self.config.guidance.gate == "half" or not self.config.residue_level:
            return
        total, counts = torch.zeros_like(self.gate_logit), torch.zeros_like(self.gate_logit)
        for batch in batches:
            wanted = self._wanted_thresholds(self.predictor_logits(batch.x), self._supervision(batch))
            total += wanted.nan_to_num(nan=0.0)
            counts += ~wanted.isnan()
        settled = self.is_residue_level & (counts > 0)
        self.gate_logit.copy_(torch.where(settled, total / counts.clamp_min(1), self.gate_logit))

    def _of_sites(self, batch: TrainingBatch) -> tuple[Tensor, Tensor, Supervision]:
        scaled = self.scale_input(batch.x)
        return self._predictor_input(scaled), self._logits(scaled), self._supervision(batch)

    def site_logits(self, x: Tensor) -> Tensor:
        """Return how much residues look like the concepts' sites [n, m], for raw activations [n, d_model].

        Raises:
            ValueError: the concepts were not located.
        """
        if self.sites is None:
            raise ValueError("there are no sites: train with guidance.locate")
        found: Tensor = self.sites.logits(self._predictor_input(self.scale_input(x)))
        return found

    def site_share(self, scaled: Tensor) -> Tensor | None:
        """Return how far residues are sites [n, m], of scaled input; see `sites.Sites.forward`."""
        found: Tensor | None = None if self.sites is None else self.sites(self._predictor_input(scaled))
        return found

    def _predictor_input(self, scaled: Tensor) -> Tensor:
        """Return what W_pred applies to."""
        seen = self._seen(scaled)
        return seen if self.whitening is None else functional.linear(seen, self.whitening)

    def _seen(self, scaled: Tensor) -> Tensor:
        """Return the predictor's input, before whitening."""
        return scaled - self.b_dec if self.config.guidance.predictor_centring == "decoder_bias" else scaled

    def _logits(self, scaled: Tensor) -> Tensor:
        return functional.linear(self._seen(scaled), self.concept_weights, self.b_pred)

    def _pooled(self, scaled: Tensor, logits: Tensor, segment: Tensor, n_proteins: int) -> Tensor:
        weights = None
        if self.W_attention is not None:
            weights = functional.linear(scaled, self.W_attention)
        elif self.log_sharpness is not None:
            weights = self.log_sharpness.exp()
        pooling = self.config.guidance.annotation_pooling
        return pool_logits(logits, segment, n_proteins, pooling, weights)

    def training_logits(self, scaled: Tensor) -> Tensor:
        """Return the residues' logits [n, m], with a graph only where their gradient is needed.

        With pooling by the mean, the loss needs the logits of the proteins' mean activations alone.
        """
        guidance = self.config.guidance
        needed = not guidance.detach or guidance.annotation_pooling != "mean"
        with torch.set_grad_enabled(needed and torch.is_grad_enabled()):
            return self._logits(scaled)

    def _head_logits(self, means: Tensor) -> Tensor:
        """Return the protein head's logits [n_proteins, m] of scaled means [n_proteins, d_model]."""
        assert self.W_protein is not None
        seen = means if self.whitening is None else functional.linear(means, self.whitening)
        return functional.linear(seen, self.W_protein, self.b_protein)

    def _annotated(
        self, scaled: Tensor, logits: Tensor, supervision: Supervision
    ) -> tuple[Tensor, Supervision]:
        """Return the proteins' logits and labels, a row for each mean that is compared with the labels."""
        ways = self.config.guidance.annotation_residues
        if ways == "sampled":
            return self._sampled_pooled(scaled, logits, supervision), supervision
        assert supervision.protein_means is not None
        of_all = self._logits(self.scale_input(supervision.protein_means))
        if ways == "all":
            return of_all, supervision
        pooled = torch.cat([self._sampled_pooled(scaled, logits, supervision), of_all])
        labels, labelled = supervision.labels.repeat(2, 1), supervision.labelled.repeat(2, 1)
        return pooled, supervision._replace(labels=labels, labelled=labelled)

    def _sampled_pooled(self, scaled: Tensor, logits: Tensor, supervision: Supervision) -> Tensor:
        n_proteins = len(supervision.labels)
        if self.config.guidance.annotation_pooling == "mean":
            means = self._seen(segment_mean(scaled, supervision.segment, n_proteins))
            if self.whitening is not None:  # few rows: cheaper on this side of the product
                means = functional.linear(means, self.whitening)
            return functional.linear(means, self.W_pred, self.b_pred)
        return self._pooled(scaled, logits, supervision.segment, n_proteins)

    def _carried_logits(self, scaled: Tensor) -> Tensor | None:
        """Return the residues' logits of residue-level concepts [n, n_residue_level]; None without any."""
        if not self.config.residue_level:
            return None
        chosen = self.is_residue_level
        return functional.linear(self._seen(scaled), self.concept_weights[chosen], self.b_pred[chosen])

    def _supervision(self, batch: TrainingBatch) -> Supervision:
        if batch.segment is None or batch.labels is None or batch.labelled is None:
            raise ValueError("ProtSAE trains on labelled batches: segment, labels and labelled are needed")
        if self.config.guidance.needs_protein_means and batch.protein_means is None:
            raise ValueError(
                "protein_head and annotation_residues 'all' or 'both' train on batches with protein_means"
            )
        if self.config.guidance.locate and batch.evidence is None:
            raise ValueError("locate trains on batches with evidence")
        known = batch.segment, batch.labels, batch.labelled, batch.residue_labels, batch.protein_means
        return Supervision(*known, batch.evidence, mean=batch.mean)

    def guidance_terms(
        self,
        scaled: Tensor,
        logits: Tensor,
        supervision: Supervision,
        axioms: AxiomIndices | None,
    ) -> dict[str, tuple[float, Tensor]]:
        """Return weight and value of every term of the predictor.

        Args:
            scaled: scaled input [n, d_model].
            logits: its `training_logits`.
            supervision: labels.
            axioms: of the ontology; None: there are none.
        """
        guidance, m = self.config.guidance, self.n_defined
        given = supervision
        pooled, supervision = self._annotated(scaled, logits, given)
        weighting = Weighting(self.concept_rate, guidance.class_balance, guidance.focal_gamma)
        by_residue = guidance.annotation_pooling == "residue"
        annotation = guided_loss(
            logits if by_residue else pooled,
            self._carried_logits(scaled),
            supervision.by_residue() if by_residue else supervision,
            self.is_residue_level,
            weighting,
        )
        with torch.set_grad_enabled(torch.is_grad_enabled() and guidance.lambda_norm > 0):
            norm = self.W_pred.square().sum(dim=1).mean()
        n_summed = m if guidance.bce_reduction == "sum" else 1
        terms = {
            "loss/annotation": (guidance.lambda_annotation * n_summed, annotation),
            "loss/norm": (guidance.lambda_norm, norm),
        }
        if self.sites is not None:
            located = self.sites.loss(self._predictor_input(scaled), given)
            terms["loss/site"] = (guidance.lambda_annotation * n_summed, located)
        if self.W_protein is not None:
            assert given.protein_means is not None
            head = self._head_logits(self.scale_input(given.protein_means))
            known = given.labelled & ~self.is_residue_level
            of_proteins = masked_bce(head, given.labels, known, weighting, given.mean)
            terms["loss/protein_annotation"] = (guidance.lambda_annotation * n_summed, of_proteins)
        if axioms is not None:
            terms["loss/axiom"] = (guidance.lambda_axiom, self.axiom_terms(axioms))
        if axioms is not None and guidance.lambda_hierarchy:
            pairs = axioms.nf1[(axioms.nf1 < m).all(dim=1)]
            terms["loss/hierarchy"] = (guidance.lambda_hierarchy, hierarchy_loss(pooled, pairs))
        return terms

    def _wanted_thresholds(self, logits: Tensor, supervision: Supervision) -> Tensor:
        """Return the thresholds [m] at which the gate fires as wanted on a batch; NaN: unknown."""
        guidance, labelled, segment = self.config.guidance, supervision.labelled, supervision.segment
        if guidance.gate == "f1":
            truth = supervision.of_residues(self.is_residue_level)
            return best_f1_thresholds(logits, truth, labelled[segment])
        rates = self.concept_rate
        if guidance.gate_openness != 1:
            rates = opened(rates, guidance.gate_openness)
        return firing_thresholds(logits, rates, labelled, segment)
