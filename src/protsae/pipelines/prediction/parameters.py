"""Parameters of the prediction pipeline."""

from protsae.activations.config import ExtractionConfig
from protsae.prediction.config import PredictionConfig


class PredictionParameters(PredictionConfig):
    """The top-level key `prediction`. The first five are given on the command line: `kedro run --pipelines
    prediction --params prediction.fasta=my.fasta`."""

    fasta: str | None = None
    """File of proteins: FASTA, a UniProt export, a Swiss-Prot file or a rearrangement table."""
    sequence: str | None = None
    """One protein as text, in place of a file."""
    variants: str | None = None
    """Table of substitutions of these proteins, see docs/prediction.md."""
    release: str | None = None
    """`demo` or `antibody`, which are in the package, or the folder of a release; null: that of
    `comparison.subject` if there is one, else `demo`."""
    plm: str | None = None
    """Weights of the language model, which has to be the release's: a file, a folder or a fair-esm name;
    null: those that the release holds."""
    extraction: ExtractionConfig
    """How activations are computed. Its hook points and its sample of residues are not used: all residues are
    read, at the layer of the release."""
