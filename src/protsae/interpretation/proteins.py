"""Concepts of whole proteins: relevance F1 of pooled latents, by the rule that interpretation matches by."""

from collections.abc import Mapping

import numpy as np

from protsae.interpretation.config import ChoiceConfig
from protsae.interpretation.matching import Pooled, match_latents
from protsae.interpretation.pairs import Chosen, PairCounts
from protsae.probing.splits import SplitLabels


def align_proteins(
    pooled: Pooled, labels: Mapping[str, SplitLabels], config: ChoiceConfig
) -> tuple[Chosen, PairCounts]:
    """Choose latents and thresholds for the concepts of whole proteins, and count them on test.

    Args:
        pooled: split to latents of its proteins [n_proteins, n_latents].
        labels: split to labels of these concepts.
        config: how latents are chosen.
    """
    matches = match_latents(pooled, labels, config, config.selection)
    chosen = Chosen.best(matches.selection, matches.threshold, matches.validation.f1, config.n_latents)
    known = labels["test"].labelled[:, chosen.concept]
    positive = labels["test"].labels[:, chosen.concept] & known
    fired = (pooled["test"][:, chosen.latent] > chosen.threshold) & known
    inside = (fired & positive).astype(np.int64)
    return chosen, PairCounts(inside, fired.astype(np.int64), inside, positive.astype(np.int64))
