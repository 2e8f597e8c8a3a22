"""A small dictionary and a parent and a child concept; its latents fire where a test wants them to."""

import numpy as np
import pandas as pd

from protsae.core.splits import SPLITS
from protsae.encoding.run import Run
from protsae.interpretation.dictionary import EncodedDictionary
from protsae.ontology.obo import Ontology
from protsae.probing.labelled import LabelledProteins
from protsae.probing.splits import SplitLabels

N = 120
IDS = [f"P{i:03d}" for i in range(N)]
RUN = Run("protsae", 0, "hook", 4)
ONTOLOGY = Ontology(
    pd.DataFrame({"term_id": ["GO:p", "GO:c"], "aspect": "BPO", "is_obsolete": False}),
    pd.DataFrame([("GO:c", "is_a", "GO:p")], columns=["child_id", "relation", "parent_id"]),
)


def proteins() -> LabelledProteins:
    """Return proteins that are the same in every split, two to a cluster: 0 to 59 have the parent, 0 to 29 of
    them the child."""
    i = np.arange(N)
    concepts = pd.DataFrame(
        {
            "concept_idx": [0, 1],
            "concept_id": ["GO:p", "GO:c"],
            "name": ["parent", "child"],
            "aspect": "BPO",
            "level": "protein",
        }
    )
    values = np.column_stack([i < 60, i < 30])
    labels = SplitLabels(IDS, values, np.ones_like(values))
    clusters = {name: f"c{number // 2}" for number, name in enumerate(IDS)}
    ids = dict.fromkeys(SPLITS, IDS)
    return LabelledProteins(ids, {}, concepts, dict.fromkeys(SPLITS, labels), {}, clusters)


def subject(latents, kind, own=(-1, -1), test=None) -> EncodedDictionary:
    """Return a dictionary of latents that are 1 on some proteins and 0 on the others.

    Args:
        latents: the proteins on which each latent fires.
        kind: of each latent.
        own: defined latents of parent and child.
        test: the same as `latents` for the test split, where it differs.
    """
    pooled, on_test = (
        np.column_stack([np.isin(np.arange(N), list(on)) for on in fires]).astype(np.float32)
        for fires in (latents, test or latents)
    )
    index = np.full(len(kind), -1)
    for concept, latent in enumerate(own):
        if latent >= 0:
            index[latent] = concept
    values = {**dict.fromkeys(SPLITS, pooled), "test": on_test}
    return EncodedDictionary(RUN, np.array(kind, dtype=object), index, dict.fromkeys(SPLITS, IDS), values)
