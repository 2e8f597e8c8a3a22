"""Settings of annotation files."""

from typing import Literal

from pydantic import Field

from protsae.annotations.evidence import EvidenceFilter
from protsae.core.config import Config

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
