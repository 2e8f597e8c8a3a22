"""The judges: items with their similarities by annotations, by embeddings of another model, by windows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.disentanglement.residues import ResidueSample
from protsae.disentanglement.windows import window_vectors
from protsae.metrics.monosemanticity import Blocks, Groups, InnerProducts, Similarity
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import Ontology
from protsae.ontology.similarity import annotation_similarity

LIN, WINDOWS, EMBEDDINGS = "lin", "windows", "embeddings"


@dataclass(frozen=True)
class Panel:
    """Items of one kind and a judge of their similarity."""

    name: str
    """`lin`, `windows`, or `embeddings:<model>`."""
    aspect: str
    """Of the ontology, for `lin`; empty for the others."""
    items: NDArray[Any]
    """The protein of each item [n_items]: proteins, or residues of them."""
    judge: Similarity


def annotation_panels(
    protein_concepts: pd.DataFrame, ontology: Ontology, proteins: pd.DataFrame, split: str
) -> list[Panel]:
    """Return one panel per aspect of concepts of whole proteins, in alphabetical order.

    Terms' information comes from the training split, whatever split is judged.

    Args:
        protein_concepts: `protein_id`, `concept_id`.
        ontology: the tables `concept_terms` and `concept_relations`.
        proteins: `protein_id`, `split`, `cluster_id` of those that have activations.
        split: the proteins to compare; those without an annotation in an aspect are no items there.
    """
    closure, terms = ancestor_closure(ontology, "cafa"), ontology.terms
    of_proteins = terms[(terms["level"] == "protein") & ~terms["is_obsolete"]]
    split_of = dict(zip(proteins["protein_id"], proteins["split"], strict=True))
    where = protein_concepts["protein_id"].map(split_of)
    judged, trained = (protein_concepts[where == name] for name in (split, "train"))
    clusters = cluster_of(proteins)
    panels = []
    for aspect, terms in of_proteins.groupby("aspect", sort=True):
        similarity = annotation_similarity(judged, trained, closure, terms["term_id"].to_numpy(object))
        if similarity.protein_ids:
            groups = Groups.of([clusters[protein_id] for protein_id in similarity.protein_ids])
            items = np.array(similarity.protein_ids, dtype=object)
            panels.append(Panel(LIN, str(aspect), items, Blocks(similarity.rows, groups)))
    return panels


def embedding_panels(embeddings: pd.DataFrame, proteins: pd.DataFrame, split: str) -> list[Panel]:
    """Return the panel of cosines between embeddings, or none where there are no embeddings.

    Args:
        embeddings: `protein_id`, `embedding` (unit length), `model`.
        proteins: `protein_id`, `split`, `cluster_id`.
        split: the proteins to compare; those without an embedding are no items.
    """
    ids = set(proteins.loc[proteins["split"] == split, "protein_id"])
    here = embeddings[embeddings["protein_id"].isin(ids)]
    if here.empty:
        return []
    clusters = cluster_of(proteins)
    groups = Groups.of([clusters[protein_id] for protein_id in here["protein_id"]])
    judge = InnerProducts(np.stack(here["embedding"].tolist()), groups)
    name = f"{EMBEDDINGS}:{here['model'].iloc[0]}"
    return [Panel(name, "", here["protein_id"].to_numpy(object), judge)]


def window_panel(
    sample: ResidueSample, sequences: Mapping[str, str], clusters: Mapping[str, str], flank: int
) -> Panel:
    """Return the panel of residues whose similarity is that of the windows around them."""
    items = sample.protein_ids
    groups = Groups.of([clusters[protein_id] for protein_id in items])
    return Panel(WINDOWS, "", items, InnerProducts(window_vectors(sequences, sample.items, flank), groups))


def cluster_of(proteins: pd.DataFrame) -> dict[str, str]:
    """Return protein id to homology cluster."""
    return dict(zip(proteins["protein_id"], proteins["cluster_id"].astype(str), strict=True))
