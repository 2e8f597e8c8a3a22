"""Table 1 of ProtSAE (arXiv 2509.05309) for the run at hand: function prediction by each dictionary and by
the linear probe, in the paper's rows and columns, by DeepGO's rules."""

import pandas as pd

from protsae.reporting.dictionaries import REFERENCE_LABELS, Dictionaries
from protsae.reporting.selection import blank
from protsae.reporting.style import ASPECTS

ROWS = {
    "splice": "SpLiCE",
    "relu": "Naive SAE",
    "gated": "Gated SAE",
    "topk": "TopK SAE",
    "linear_probe": "Linear probe",
    "protsae": "ProtSAE",
}
"""The paper's rows: architecture, or method without a dictionary, to what the paper calls it."""
METRICS = {
    "fmax": ("fmax", "deepgo"),
    "smin": ("smin", "deepgo"),
    "aupr": ("aupr_curve", "deepgo"),
    "auc": ("auc", ""),
}
"""The paper's columns: to metric and preset of the metrics table."""
SCORES = ("latent", "predictor", "probe")
KEYS = ("row", "dictionary", "score", "supervision", "k", "seed")
PARTS = ("mean", *ASPECTS)
NOT_LISTED = "not trained in this run: add it to the parameter `dictionaries`"


def paper_table(metrics: pd.DataFrame, dictionaries: Dictionaries) -> pd.DataFrame:
    """Return the paper's rows, then the run's other dictionaries; test proteins.

    What the paper's "probe-based prediction" reads of a dictionary is not published, so each kind of score
    that there is has a line: latents, predictor, probe on all latents.

    Args:
        metrics: the run's metrics table.
        dictionaries: those of the run.

    Returns:
        `KEYS` (`score` is empty without a dictionary), `<metric>_mean` and `<metric>_<aspect>` for `METRICS`,
        and `note`: why a row is empty.
    """
    test = metrics[(metrics["split"] == "test") & metrics["stratum"].map(blank)]
    presets = test["preset"].astype(object).where(~test["preset"].map(blank), "")
    by_architecture: dict[str, list[str]] = {}
    for name, architecture in dictionaries.architectures.items():
        by_architecture.setdefault(architecture, []).append(name)
    others = [architecture for architecture in by_architecture if architecture not in ROWS]
    records = []
    for architecture in (*ROWS, *others):
        names = by_architecture.get(architecture, [])
        methods = [(name, score, f"{name}_{score}") for name in names for score in SCORES]
        if architecture in REFERENCE_LABELS:
            methods = [("", "", architecture)]
        row = ROWS.get(architecture, architecture)
        found = [
            {"row": row, "dictionary": name, "score": score, **_values(test[of_method], presets[of_method])}
            for name, score, method in methods
            if (of_method := test["method"] == method).any()
        ]
        records += found or [{"row": row, "note": NOT_LISTED if architecture in ROWS else "not scored"}]
    columns = [f"{metric}_{part}" for metric in METRICS for part in PARTS]
    return pd.DataFrame(records).reindex(columns=[*KEYS, *columns, "note"])


def _values(rows: pd.DataFrame, presets: pd.Series) -> dict[str, object]:
    """Return the cells of one method."""
    first = rows.iloc[0]
    cells: dict[str, object] = {name: first[name] for name in ("supervision", "k", "seed")}
    for column, (metric, preset) in METRICS.items():
        wanted = rows[(rows["metric"] == metric) & (presets == preset)]
        for part in PARTS:
            value = wanted.loc[wanted["aspect"] == part, "value"]
            cells[f"{column}_{part}"] = value.iloc[0] if len(value) else None
    return cells
