"""Settings of ProtSAE's guidance. No torch here."""

from typing import Literal

from pydantic import Field, model_validator

from protsae.annotations.local_evidence import LocalEvidenceConfig
from protsae.core.config import Config

Pooling = Literal["mean", "residue", "attention", "noisy_or", "log_sum_exp"]
TopKScope = Literal["free", "before", "after"]


class GuidanceConfig(Config):
    """How the ontology guides ProtSAE: the paper's method and every switch on it (docs/protsae.md)."""

    lambda_annotation: float = Field(1.0, ge=0)
    """Weight of the annotation loss, relative to a reconstruction loss in units of the training variance."""
    lambda_axiom: float = Field(0.01, ge=0)
    """Weight of the axiom loss."""
    locate: bool = False
    """A second vector per concept of whole proteins says where in a protein the concept lies, and a defined
    latent fires only there. It learns from the peptides that speak for the concept (`annotations.
    local_evidence`), in training proteins that carry it; no residue is annotated."""
    local_evidence: LocalEvidenceConfig = LocalEvidenceConfig()
    """How that evidence is measured, for `locate`."""
    site_sensitivity: float = Field(0.8, gt=0, lt=1)
    """Share of the sites in proteins with the concept at which its gate fires, unless `gate` is `half`."""
    site_openness: float = Field(1.7, gt=0, le=100)
    """How many residues of proteins with the concept are its sites, as a multiple of their mean evidence (at
    most 95 %)."""
    lambda_norm: float = Field(0.0, ge=0)
    """Weight of the mean squared norm of the predictor's rows: prevents the memorisation of few proteins."""
    lambda_hierarchy: float = Field(0.0, ge=0)
    """Weight of the mean excess of a concept's pooled logit over that of a concept it is subsumed by."""
    lambda_decorrelation: float = Field(0.0, ge=0)
    """Weight of the mean squared correlation of free with defined codes (AlignSAE); moves free latents."""
    loss_scale: Literal["variance", "raw"] = "variance"
    """Unit of the reconstruction loss in the total: the training split's `variance`, or the `raw` squared
    error summed over dimensions, as in the paper's logs. What is logged has the first unit either way."""
    predictor_rate: float = Field(4.0, gt=0)
    """Learning rate of predictor and log-scales, as a multiple of the trainer's: at 1 the predictor is far
    from its optimum when the autoencoder is done. Over scaled input it takes 15."""
    predictor_input: Literal["scaled", "whitened"] = "whitened"
    """What the predictor's weights apply to: scaled activations, as in the paper, or these in coordinates in
    which the training proteins' mean activations vary alike in all directions. The predictor stays linear; of
    a few million residues it learns in the latter what would take longer in the former."""
    whitening_floor: float = Field(0.01, gt=0)
    """Share of the mean variance that whitening adds to every direction's, which bounds their
    amplification."""
    predictor_centring: Literal["fixed", "decoder_bias"] = "fixed"
    """The predictor sees the scaled input as it is, or, as in the paper, less the decoder's bias, which the
    annotation loss then moves."""
    annotation_pooling: Pooling = "mean"
    """`mean`: the mean logit over a protein's residues is compared with the protein's labels. `attention`: a
    mean whose weights each concept learns. `noisy_or`: the protein carries the concept unless no residue
    does. `log_sum_exp`: between mean and maximum, by a temperature that each concept learns. `residue`, as
    in the paper: every residue is compared with its protein's labels, and the protein's score is the mean
    logit."""
    annotation_residues: Literal["sampled", "all", "both"] = "sampled"
    """Whose mean logit that is in training: of the residues that the step `sampled`, of `all` residues of the
    protein, as when proteins are scored, or `both`, each compared with the labels. The latter two only with
    pooling by `mean`."""
    protein_head: bool = False
    """Weights for proteins, trained on the mean of all their residues, in addition to those that score
    residues. A protein's score is the mean of both logits. Weights that are best for whole proteins are poor
    for single residues: gates and latents use those of the sampled residues. Only with pooling by `mean`."""
    protein_head_rate: float = Field(1.0, gt=0)
    """Learning rate of the protein head, as a multiple of the predictor's."""
    attention_rate: float = Field(1.0, gt=0)
    """Learning rate of attention vectors and temperatures, as a multiple of the predictor's."""
    class_balance: float = Field(0.0, ge=0, le=1)
    """Power by which a concept's positives weigh more than its negatives in the annotation loss: 0 not at
    all, 1 until both kinds weigh the same. A concept's mean weight stays 1."""
    focal_gamma: float = Field(0.0, ge=0)
    """Power of the focal loss: pairs that are predicted well already count less."""
    bce_reduction: Literal["mean", "sum"] = "mean"
    """The annotation loss is a mean over labelled pairs, or a sum over concepts and a mean over rows."""
    gate: Literal["prevalence", "f1", "half"] = "prevalence"
    """`prevalence`: one threshold per concept, so that the gate fires as often as the concept occurs among
    labelled training residues. `f1`: the threshold of best F1 on training residues that carry their protein's
    labels. `half`, as in the paper: a probability of one half."""
    gate_openness: float = Field(1.0, gt=0)
    """How often a gate by prevalence fires, as a multiple of the concept's prevalence (at most 95 %)."""
    gate_momentum: float = Field(0.9, ge=0, lt=1)
    """Share of the old threshold that one training step keeps."""
    detach: bool = True
    """Keep the reconstruction's gradient from the predictor's weights (the paper's stop-gradient)."""
    scales: bool = True
    """Learn one log-scale per defined latent; without, the predictor's rows are bound as they are."""
    topk_scope: TopKScope = "free"
    """What competes for the k active latents: the `free` ones alone; or all of them, `before` or `after`
    forced activation."""
    forced_activation: bool = True
    """Lift a gated defined latent to a level set by its token's free codes."""
    forced_mean: Literal["nonzero", "all"] = "nonzero"
    """That level is their mean over the token's `nonzero` free codes, or over `all` free latents, times
    `forced_scale`."""
    forced_scale: float = Field(0.25, ge=0)
    """Multiple of the mean that a latent is lifted to; the paper's is 1."""
    forced_share: Literal["each", "root"] = "each"
    """Every open latent is lifted to the whole level (the paper), or to the level over the `root` of the
    number of open gates, so that all lifts of a token together have about the norm of one code."""
    forced_limit: int = Field(0, ge=0)
    """At most this many of a token's open latents are lifted, those of most evidence; 0: all."""
    defined_bias: Literal["tied", "free", "none"] = "tied"
    """`tied`: a defined latent is positive exactly where its gate is open. `free`: a bias of its own."""
    unit_decoder: bool = True
    """Keep the decoder's rows at unit norm; without, they are free."""
    axiom_margin: float = Field(0.1, ge=0)
    """Tolerance subtracted inside every axiom loss."""
    axiom_batch: int = Field(0, ge=0)
    """Axioms of each form that one step draws; 0: all of them in every step."""
    axiom_negatives: int = Field(0, ge=0)
    """Pairs that no axiom subsumes that one step draws and pushes apart."""
    axiom_batch_norm: bool = False
    """Normalise the centres over all classes, dimension by dimension, as DeepGO-SE does."""
    nf4: Literal["overlap", "containment"] = "overlap"
    """What `C ⊑ ∃R.D` asks of C's ball and D's moved one: to overlap (DeepGO-SE), or to lie inside."""
    radius: Literal["own", "bias"] = "own"
    """A concept's radius is a parameter of its `own`, or the absolute `bias` of its predictor. Classes that
    only axioms name have radii of their own."""

    @model_validator(mode="after")
    def _all_residues_have_a_mean(self) -> "GuidanceConfig":
        asked = (
            f"annotation_residues '{self.annotation_residues}'"
            if self.annotation_residues != "sampled"
            else ""
        )
        asked = "protein_head" if self.protein_head else asked
        if asked and self.annotation_pooling != "mean":
            raise ValueError(
                f"{asked} goes with annotation_pooling 'mean', not '{self.annotation_pooling}': other "
                "poolings need the logits of every residue"
            )
        return self

    @model_validator(mode="after")
    def _sites_close_tied_latents(self) -> "GuidanceConfig":
        if self.locate and self.defined_bias != "tied":
            raise ValueError(
                f"locate goes with defined_bias 'tied', not '{self.defined_bias}': a latent with a bias of "
                "its own fires where its gate is closed, at its sites or not"
            )
        return self

    @property
    def needs_protein_means(self) -> bool:
        """Whether training sees the mean activation of all residues of each protein."""
        return self.annotation_residues != "sampled" or self.protein_head
