"""Settings of annotation files."""

from typing import Literal, Self

from pydantic import Field, model_validator

from protsae.annotations.evidence import EvidenceFilter
from protsae.core.config import Config, Share

AnnotationFormat = Literal["tsv", "gaf", "gpad", "uniprot_tsv", "swissprot_dat"]


class AnnotationsConfig(Config):
    """How annotation files are read, and which rows count."""

    format: Literal["auto"] | AnnotationFormat = "auto"
    """Kind of file; `auto` tells it by the content."""
    evidence: EvidenceFilter = "all"
    """`experimental`, `curated` (what a curator assigned: all codes but IEA), `all`, or a list of codes."""
    databases: tuple[str, ...] = Field(default=("UniProtKB",), min_length=1)
    """Databases (column 1 of GAF and GPAD) whose ids the sequences have, such as MGI, WB or PomBase; rows of
    others are counted and left."""
    isoforms: Literal["canonical", "inherit"] = "canonical"
    """With `inherit`, isoform proteins without rows of their own take those of the canonical protein."""


class RearrangementConfig(Config):
    """Bounds of the classes of rearranged chains: below the first, between the two, from the second on."""

    mutation_load: tuple[Share, Share] = (0.01, 0.05)
    """Share of mutated nucleotides: low, medium, high."""
    cdr3_length_heavy: tuple[int, int] = (13, 22)
    """Residues of CDR3 without its anchors in heavy chains (loci with D genes): short, medium, long."""
    cdr3_length_light: tuple[int, int] = (9, 12)
    """The same in light chains."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        for name, (low, high) in self.model_dump().items():
            if not 0 < low < high:
                raise ValueError(f"{name}: expected two rising numbers above 0, found {low} and {high}")
        return self
