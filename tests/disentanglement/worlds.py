"""A small dictionary held against a parent and a child concept, with latents that do as they are told."""

import numpy as np
import pandas as pd

from protsae.disentanglement.absorption import Subject
from protsae.probing.encoding import Run
from protsae.probing.splits import SplitLabels

N = 120
RUN = Run("protsae", 0, "hook", 4)


def labels_of(parent: np.ndarray, child: np.ndarray) -> SplitLabels:
    labels = np.column_stack([parent, child])
    return SplitLabels([f"P{i:03d}" for i in range(len(parent))], labels, np.ones_like(labels))


def subject(latents, kind, own=(-1, -1), test=None) -> Subject:
    """Return a subject whose splits have equal labels.

    Proteins 0 to 59 have the parent, 0 to 29 of them the child.

    Args:
        latents: the proteins on which each latent fires.
        kind: of each latent.
        own: defined latents of parent and child.
        test: the same as `latents` for the test split, where it differs.
    """
    i = np.arange(N)
    pooled, on_test = (
        np.column_stack([np.isin(i, list(on)) for on in fires]).astype(np.float32)
        for fires in (latents, test or latents)
    )
    concepts = pd.DataFrame(
        {"concept_id": ["GO:p", "GO:c"], "name": ["parent", "child"], "aspect": ["BPO", "BPO"]}
    )
    splits = ("train", "validation", "test")
    labels = labels_of(i < 60, i < 30)
    return Subject(
        RUN,
        np.array(kind, dtype=object),
        np.array(own, dtype=np.int64),
        concepts,
        {**dict.fromkeys(splits, pooled), "test": on_test},
        dict.fromkeys(splits, labels),
    )
