"""How a dictionary scores one protein for each concept, and what that was worth: enough to score any other
protein as `judge.Judge.score_dictionary` scored those of the run."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.pooling import Pooling
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, percentile_interval
from protsae.metrics.ranking import Ranking
from protsae.probing.calibration import Calibration, fit_calibration
from protsae.probing.judge import Judge, Scores
from protsae.probing.scores import select_latents
from protsae.probing.splits import SplitLabels

KINDS = ("predictor", "latent")
"""What scores a concept: ProtSAE's predictor, or one latent."""
SCORER_COLUMNS = (
    *("concept_idx", "concept_id", "score", "latent", "sign", "pooling"),
    *("centre", "scale", "slope", "intercept", "threshold"),
    *("auc_test", "auc_low", "auc_high", "aupr_test", "f1_test", "prevalence", "n_test"),
)
Floats = NDArray[np.float64]


def scorer_table(
    judge: Judge, name: str, encoding: pd.DataFrame, scores: Scores, *, guided: bool
) -> pd.DataFrame:
    """Return one row per kind of score and concept of whole proteins, in `SCORER_COLUMNS`.

    A score is `sign x` the latent pooled over residues (`latent` -1: the predictor's logit of the protein).
    Its probability is `sigmoid(slope x (score - centre) / scale + intercept)`, fitted on validation proteins;
    `threshold` is the probability with the largest F1 on them, the highest of equals. It is NaN where the
    score ranks them no better than chance, so that the probability is constant. The rest is of the `n_test`
    labelled test proteins: areas of the score with the judge's interval over homology clusters, F1 of the
    threshold, and the share of positives, where average precision starts from.

    Args:
        judge: labels, and the settings with which proteins were scored and judged.
        name: what the tables call the dictionary.
        encoding: see `encoding.reading.Encoding.proteins`.
        scores: what the judge made of it.
        guided: whether its first latents are tied to the concepts.
    """
    tables = [
        _rows(judge, kind, scores.values[method], latents)
        for kind in KINDS
        if (method := f"{name}_{kind}") in scores.values
        for latents in [
            _latents(judge, encoding, scores.pooling[method], guided) if kind == "latent" else None
        ]
    ]
    if not tables:
        return pd.DataFrame(columns=list(SCORER_COLUMNS))
    return pd.concat(tables, ignore_index=True)[list(SCORER_COLUMNS)]


def calibration_of(scorers: pd.DataFrame) -> Calibration:
    """Return the calibration of rows of `scorer_table`, a concept each."""
    return Calibration(
        *(scorers[name].to_numpy(np.float64) for name in ("centre", "scale", "slope", "intercept"))
    )


def _latents(judge: Judge, encoding: pd.DataFrame, poolings: Any, guided: bool) -> pd.DataFrame:
    """Return `latent`, `sign` and `pooling` of every concept, as the judge chose them."""
    own = np.asarray(judge.columns, np.int64)
    found = pd.DataFrame({"latent": own, "sign": 1.0, "pooling": list(poolings)})
    if guided:
        return found
    kinds: list[Pooling] = list(dict.fromkeys(poolings))
    for pooling in kinds:
        best = select_latents(
            judge.features(encoding, f"{pooling}_latents"), judge.splits, judge.scoring.selection
        )
        of = (found["pooling"] == pooling).to_numpy()
        found.loc[of, "latent"], found.loc[of, "sign"] = best.latent[of], best.sign[of]
    return found


def _rows(
    judge: Judge, kind: str, scores: Mapping[str, NDArray[Any]], latents: pd.DataFrame | None
) -> pd.DataFrame:
    validation, test = judge.splits["validation"], judge.splits["test"]
    calibration = fit_calibration(scores["validation"], validation.labels, validation.labelled)
    thresholds = best_thresholds(calibration.probabilities(scores["validation"]), validation)
    thresholds[calibration.slope <= 0] = np.nan
    about = judge.known.tables.concepts.iloc[judge.columns]
    columns = (
        latents
        if latents is not None
        else pd.DataFrame({"latent": -1, "sign": 1.0, "pooling": ""}, about.index)
    )
    rows: dict[str, Any] = {
        "concept_idx": judge.columns.astype(np.int32),
        "concept_id": about["concept_id"].to_numpy(),
        "score": kind,
        **{str(column): columns[column].to_numpy() for column in columns},
        **vars(calibration),
        "threshold": thresholds,
        **_on_test(judge, scores["test"], calibration.probabilities(scores["test"]) >= thresholds, test),
    }
    return pd.DataFrame(rows)


def _on_test(
    judge: Judge, scores: NDArray[Any], called: NDArray[np.bool_], test: SplitLabels
) -> dict[str, NDArray[Any]]:
    proteins, config = judge.known.proteins, judge.evaluation
    clusters = proteins.set_index("protein_id")["cluster_id"].loc[test.protein_ids].astype(str).to_numpy()
    generator = numpy_generator(config.seed, "cluster_bootstrap")  # the judge's resamples
    weights = cluster_weights(clusters, config.n_resamples, generator)
    ranking = Ranking(np.asarray(scores, np.float64), test.labels, test.labelled)
    auc, aupr = ranking.areas()
    samples = ranking.areas(weights)[0]
    intervals = np.array([percentile_interval(of, config.confidence) for of in samples.T]).reshape(-1, 2)
    hits = (called & test.labels & test.labelled).sum(axis=0)
    claimed = (called & test.labelled).sum(axis=0) + (test.labels & test.labelled).sum(axis=0)
    return {
        "auc_test": auc,
        "auc_low": intervals[:, 0],
        "auc_high": intervals[:, 1],
        "aupr_test": aupr,
        "f1_test": 2 * hits / np.maximum(claimed, 1),
        "prevalence": (test.labels & test.labelled).sum(axis=0) / np.maximum(test.labelled.sum(axis=0), 1),
        "n_test": test.labelled.sum(axis=0).astype(np.int32),
    }


def best_thresholds(values: Floats, of: SplitLabels) -> Floats:
    """Return the value at or above which calling proteins positive has the largest F1 [n_concepts]; of equals
    the highest, NaN without positives.

    Args:
        values: [n, n_concepts], such as probabilities.
        of: what is true of the proteins.
    """
    from sklearn.metrics import precision_recall_curve

    found = np.full(values.shape[1], np.nan)
    for concept, counted in enumerate(of.labelled.T):
        truth = of.labels[counted, concept]
        if not truth.any():
            continue
        precision, recall, thresholds = precision_recall_curve(truth, values[counted, concept])
        f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-300))[:-1]
        best = f1 >= f1.max() * (1 - 1e-12)  # equal but for rounding
        found[concept] = thresholds[best].max()
    return found
