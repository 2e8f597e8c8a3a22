"""How well measured scores of variants are predicted from few of them: ridge probes, and the ratio alone."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.core.seeding import numpy_generator
from protsae.prediction.config import ProbesConfig

PROBE_COLUMNS = ("protein_id", "features", "n_train", "draw", "n_test", "spearman", "alpha")
SUMMARY_COLUMNS = ("protein_id", "features", "n_train", "n_draws", "mean", "sd", "lowest", "highest")
RATIOS = ("llr", "llr_wild_type")
_CODES = code_table(AMINO_ACIDS, len(AMINO_ACIDS))
Floats = NDArray[np.float64]


def one_hot(sequences: list[str]) -> Floats:
    """Return the residues of aligned sequences as [n, n_varied x 21], of the positions that differ alone."""
    codes = _CODES[np.stack([character_codes(sequence) for sequence in sequences])]
    varied = codes[:, (codes != codes[0]).any(axis=0)]
    found: Floats = np.eye(len(AMINO_ACIDS) + 1)[varied].reshape(len(codes), -1)
    return found


def probe_variants(
    scores: Floats,
    features: dict[str, Floats],
    ratios: dict[str, Floats],
    config: ProbesConfig,
    protein_id: str,
) -> pd.DataFrame:
    """Return one row per draw, size and kind of features, in `PROBE_COLUMNS`.

    Every draw keeps a share of the variants for the test and takes training variants from the others, the
    smaller numbers being part of the larger; all features see the same draws. A ridge regression on
    standardised features, its penalty chosen by cross-validation inside the training variants, predicts the
    test variants.
    A ratio needs no training (`n_train` 0). Spearman's correlation is missing where predictions are constant.

    Args:
        scores: measured [n].
        features: name to [n, d].
        ratios: name to what needs no training [n].
        config: draws and sizes.
        protein_id: whose variants they are.
    """
    n = len(scores)
    n_test = max(2, round(config.test_share * n))
    sizes = [size for size in config.sizes if size < n - n_test]
    rows: list[tuple[Any, ...]] = []
    for draw in range(config.n_draws):
        order = numpy_generator(config.seed, "variants", protein_id, str(draw)).permutation(n)
        test, rest = order[:n_test], order[n_test:]
        for name, values in ratios.items():
            rows.append((protein_id, name, 0, draw, n_test, _spearman(values[test], scores[test]), np.nan))
        for size in (*sizes, len(rest)):
            train = rest[:size]
            for name, values in features.items():
                predicted, alpha = _ridge(values[train], scores[train], values[test], config)
                found = _spearman(predicted, scores[test])
                rows.append((protein_id, name, size, draw, n_test, found, alpha))
    return pd.DataFrame(rows, columns=list(PROBE_COLUMNS))


def summary(probes: pd.DataFrame) -> pd.DataFrame:
    """Return mean and spread over draws, in `SUMMARY_COLUMNS`."""
    grouped = probes.groupby(["protein_id", "features", "n_train"], sort=False)["spearman"]
    found = grouped.agg(n_draws="count", mean="mean", sd="std", lowest="min", highest="max")
    return found.reset_index()[list(SUMMARY_COLUMNS)]


def _ridge(x: Floats, y: Floats, new: Floats, config: ProbesConfig) -> tuple[Floats, float]:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # a score needs two values or more
    folds = KFold(min(5, len(y) // 2), shuffle=True, random_state=config.seed)
    model = make_pipeline(StandardScaler(), RidgeCV(config.alphas, cv=folds))
    model.fit(x, y)
    predicted: Floats = model.predict(new)
    return predicted, float(model[-1].alpha_)


def _spearman(one: Floats, other: Floats) -> float:
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)
