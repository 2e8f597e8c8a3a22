"""All sources of concepts other than the ontology, read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from protsae.annotations.airr import read_rearrangements
from protsae.annotations.binding import read_binding_sites
from protsae.annotations.features import read_features
from protsae.annotations.motifs import ASPECT as MOTIF
from protsae.annotations.motifs import Motif, find_motifs, read_motifs
from protsae.annotations.sources import ConceptSource, SourcesConfig, concept_source
from protsae.annotations.tables import read_concept_table
from protsae.core.errors import InputError


@dataclass(frozen=True)
class SourceFiles:
    """What the user gives in addition to the ontology's annotations; any of it may be missing."""

    tables: Mapping[str, Path]
    """Aspect to table of proteins and concepts."""
    parents: Mapping[str, Path]
    """Aspect to table of concepts and parents."""
    features: Path | None
    """UniProt features."""
    binding_sites: Mapping[str, Path]
    """Class of ligand to binding sites."""
    motifs: Path | None
    """Sequence motifs."""
    rearrangements: Path | None
    """Rearrangements of antibodies or T-cell receptors."""


def read_sources(files: SourceFiles, sequences: pd.DataFrame, config: SourcesConfig) -> list[ConceptSource]:
    """Read what is given, and look for the motifs.

    Args:
        files: the files.
        sequences: `protein_id`, `aliases`, `sequence`.
        config: settings of readers.

    Raises:
        InputError: as `file:line: reason`; parents are given for a table that is not.
    """
    if strangers := sorted(set(files.parents) - set(files.tables)):
        raise InputError(
            f"raw_concept_parents names '{strangers[0]}', which raw_concept_tables does not: give both the "
            f"same name (tables: {', '.join(files.tables) or 'none'})"
        )
    sources = [read_concept_table(name, path, files.parents.get(name)) for name, path in files.tables.items()]
    if files.features is not None:
        sources.append(read_features(files.features))
    if files.binding_sites:
        sources.append(read_binding_sites(files.binding_sites))
    if files.motifs is not None:
        sources.append(motif_source(read_motifs(files.motifs), sequences))
    if files.rearrangements is not None:
        sources.append(read_rearrangements(files.rearrangements, sequences, config.rearrangements))
    return sources


def motif_source(motifs: tuple[Motif, ...], sequences: pd.DataFrame) -> ConceptSource:
    """Return the matches of motifs as a source: every protein is labelled, since all were searched."""
    spans = find_motifs(dict(zip(sequences["protein_id"], sequences["sequence"], strict=True)), motifs)
    terms = [
        (m.id, m.name, MOTIF, f"Sequence motif {m.pattern}. {m.reference}".strip(), "residue") for m in motifs
    ]
    return concept_source(
        MOTIF,
        terms,
        spans=spans.rename(columns={"protein_id": "accession", "concept_id": "term_id"}),
        listed=sequences["protein_id"],
        counts={f"n_matches_{m.id}": int((spans["concept_id"] == m.id).sum()) for m in motifs},
    )
