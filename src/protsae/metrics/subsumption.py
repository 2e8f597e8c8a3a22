"""Subsumption AUC: does the geometry of the concepts follow the ontology?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protsae.metrics.ranking import roc_auc

_MAX_PAIRS = 50_000


def subsumption_auc(
    centres: NDArray[np.floating[Any]],
    radii: NDArray[np.floating[Any]],
    is_ancestor: NDArray[np.bool_],
    aspects: NDArray[Any],
    generator: np.random.Generator,
) -> tuple[float, int]:
    """Rank true (descendant, ancestor) pairs against other pairs of the same aspect.

    A pair (c, d) scores -(||c - d|| + r_c - r_d): high where the ball of c lies inside the ball of d.
    Negatives are the ordered pairs of one aspect that are no subsumption, including true pairs in reverse
    order; beyond 50,000 they are a random sample of that many.

    Args:
        centres: concept centres [n_concepts, d_model].
        radii: concept radii [n_concepts].
        is_ancestor: [n_concepts, n_concepts], [c, d] true where d is an ancestor of c.
        aspects: aspect of each concept [n_concepts].
        generator: draws the sample of negatives.

    Returns:
        (AUC, number of true pairs); AUC is NaN where there is no true pair or no other.
    """
    same_aspect = np.asarray(aspects)[:, None] == np.asarray(aspects)[None, :]
    true_pairs = np.argwhere(is_ancestor & same_aspect)
    others = np.argwhere(same_aspect & ~is_ancestor & ~np.eye(len(centres), dtype=bool))
    if len(others) > _MAX_PAIRS:
        others = others[generator.choice(len(others), _MAX_PAIRS, replace=False)]
    child, parent = np.concatenate([true_pairs, others]).T
    gap = np.linalg.norm(centres[child] - centres[parent], axis=1) + radii[child] - radii[parent]
    labels = np.arange(len(gap)) < len(true_pairs)
    return float(roc_auc(-gap[:, None], labels[:, None])[0]), len(true_pairs)
