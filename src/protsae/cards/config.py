"""Settings of latent cards."""

from pydantic import Field

from protsae.core.config import Config, Share
from protsae.core.pooling import Pooling
from protsae.core.splits import Split
from protsae.plm.arithmetic import Device


class ActivityConfig(Config):
    """What is counted where a latent fires."""

    splits: tuple[Split, ...] = Field(default=("validation", "test"), min_length=1)
    """Splits that cards describe; held-out proteins by default. Their codes have to be stored whole:
    `encoding.stored_splits`."""
    n_top: int = Field(default=6, ge=1)
    """Windows at the top level; one at each of the nine levels below it."""
    flank: int = Field(default=15, ge=0)
    """Residues that a window shows on either side of the peak."""
    logo_flank: int = Field(default=7, ge=0)
    """The same in logos."""
    logo_windows: int = Field(default=50, ge=1)
    """Homology clusters whose best protein gives a window to a latent's logo."""
    min_logo_windows: int = Field(default=5, ge=1)
    """Fewer give no logo."""
    min_proteins: int = Field(default=5, ge=1)
    """A latent that fires on fewer proteins has the shape `few`."""
    dense_above: float = Field(default=0.1, gt=0, lt=1)
    """Share of the test residues above which a latent is dense."""
    sampled_residues: int = Field(default=20_000, ge=1)
    """Residues on which dense latents are compared with positions: whole proteins, drawn at random."""
    family_cut: Share = 0.4
    """Links of the tree of co-firing that are weaker than this are cut; what hangs together is a family."""
    max_in_tree: int = Field(default=8192, ge=2)
    """Latents in the tree, those that fire most; others are families of their own. Memory is 4 bytes times
    its square, 268 MB at the default."""
    seed: int = Field(default=0, ge=0)
    """Seed of samples."""


class DirectionsConfig(Config):
    """How directions of latents are compared and drawn."""

    n_neighbours: int = Field(default=5, ge=1)
    """Neighbours listed per latent."""
    perplexity: float = Field(default=30.0, ge=2, le=1000)
    """Of t-SNE."""
    max_placed: int = Field(default=4096, ge=10)
    """Latents placed by t-SNE; in a wider dictionary the others, drawn at random, are put between their
    nearest placed ones."""
    seed: int = Field(default=0, ge=0)
    """Seed of the map."""


class EffectsConfig(Config):
    """How effects on the language model's output are measured."""

    n_proteins: int = Field(default=24, ge=1)
    """Held-out proteins, drawn at random, whose residues the direct path and principal components are
    measured on."""
    n_residues: int = Field(default=32, ge=1)
    """Residues of these on which the direct path is measured."""
    n_sites: int = Field(default=3, ge=0)
    """Proteins, a latent's top ones, in which its effect is measured causally; 0: nowhere."""
    all_latents: bool = False
    """Whether all latents are measured causally: otherwise defined ones and those with examples."""
    max_residues: int = Field(default=1022, ge=1)
    """Longer proteins are cut to this length around the peak."""
    device: Device = "auto"
    """Where it runs; `auto`: a GPU if torch sees one."""
    seed: int = Field(default=0, ge=0)
    """Seed of samples and random directions."""


class EnrichmentConfig(Config):
    """Which concepts are tested, and what is kept."""

    splits: tuple[Split, ...] = Field(default=("validation", "test"), min_length=1)
    """Splits whose proteins are counted; held-out ones by default, as defined latents saw the labels of
    training."""
    pooling: Pooling = "mean"
    """From residues to proteins."""
    top_share: float = Field(default=0.1, gt=0, lt=1)
    """Share of the clusters that count as those with the highest activations. scFeatureLens takes 1 % of tens
    of thousands of cells; of a few hundred clusters that would be a handful."""
    min_clusters: int = Field(default=5, ge=1)
    """Clusters that carry a concept that is tested."""
    max_share: float = Field(default=0.5, gt=0, le=1)
    """Concepts that a larger share of the background carries are not tested: near the root of an ontology."""
    max_q: float = Field(default=0.05, gt=0, le=1)
    """False-discovery rate up to which pairs are kept, by the test of counts."""
    seed: int = Field(default=0, ge=0)
    """Seed of the permutation that gives the floor."""


class TopicsConfig(Config):
    """How latents are merged to topics."""

    n_topics: int = Field(default=20, ge=1)
    """Topics in the cards; `cards.topics.merge_topics` makes any other number from the table of atoms."""
    min_proteins: int = Field(default=10, ge=1)
    """Training proteins that carry a concept that is a word."""
    max_share: float = Field(default=0.5, gt=0, le=1)
    """Concepts that a larger share of the training proteins carry are no words."""
    max_words: int = Field(default=1000, ge=1)
    """Words, those carried by most; bounds the time."""
    background: float = Field(default=0.3, ge=0, lt=1)
    """Share of a protein's words that no latent has to explain (pi)."""
    n_steps: int = Field(default=20, ge=1)
    """Of expectation maximisation."""
    mass: float = Field(default=0.9, gt=0, le=1)
    """Of a latent's most likely words that make its vector (tau)."""
    n_dimensions: int = Field(default=50, ge=1)
    """Of the vectors of words."""
    seed: int = Field(default=0, ge=0)
    """Seed of k-means."""


class DenseConfig(Config):
    """When a latent is dense, and in which class. The first class that fits counts."""

    above: float = Field(default=0.1, gt=0, lt=1)
    """Share of the test residues above which a latent is dense."""
    position: Share = 0.4
    """`position`: |Spearman's correlation| with the position is larger."""
    residue: Share = 0.5
    """`residue`: the amino acid explains a larger share of the activation's variance."""
    component: Share = 0.75
    """`component`: |cosine| of the decoder direction with one of the first three principal components is
    larger."""
    nullspace: Share = 0.2
    """`nullspace`: the head sees less than this multiple of what it sees of a random direction."""
    antipodal: Share = 0.5
    """`antipodal`: `antipode_score` is larger."""
