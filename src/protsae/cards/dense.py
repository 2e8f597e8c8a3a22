"""Classes of dense latents: Dense SAE Latents (arXiv 2506.15679), adapted to proteins."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.config import DenseConfig

CLASSES = ("position", "residue", "component", "nullspace", "antipodal", "unclassified")


def dense_classes(cards: pd.DataFrame, config: DenseConfig) -> NDArray[Any]:
    """Return the class of each latent; empty for one that is not dense.

    Args:
        cards: `density_test`, `position_correlation`, `residue_eta`, `pc_cosine`, `head_share`,
            `head_share_chance`, `antipode_score`; a missing value fits no class.
        config: thresholds.
    """
    conditions = [
        cards["position_correlation"].abs() > config.position,
        cards["residue_eta"] > config.residue,
        cards["pc_cosine"] > config.component,
        cards["head_share"] < config.nullspace * cards["head_share_chance"],
        cards["antipode_score"] > config.antipodal,
    ]
    found = np.select([c.to_numpy(bool) for c in conditions], CLASSES[:-1], CLASSES[-1])
    return np.where(cards["density_test"].to_numpy() > config.above, found, "")
