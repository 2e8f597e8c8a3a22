"""The comparison of architectures: from the table of a finished sweep to docs/results/architectures.csv.

Usage, after `kedro run --env swissprot --pipelines sweeps --params ingestion.sequences.n_sampled=20000`:

    python benchmarks/architectures.py [data/swissprot/08_reporting/sweep_metrics.csv]

A folder of members (data/swissprot/06_models/sweeps) in its place gives those that are judged by now.

Writes the table in the columns of metrics.csv, without references and strata (probing.csv has them), and
prints, on test proteins, means over seeds; how far each matched member's L0 is from ProtSAE's; and ProtSAE's
FVE against TopK's curve at ProtSAE's own L0.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.provenance import ROOT
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metrics_table
from protsae.reporting.comparison import comparison_table

SOURCE = ROOT / "data/swissprot/08_reporting/sweep_metrics.csv"
TARGET = ROOT / "docs/results/architectures.csv"


def as_markdown(table: pd.DataFrame) -> str:
    """Return what docs/architectures.md shows: a row per method, means over seeds on test proteins."""
    lines = [
        "| | seeds | AUC | AUPR | Fmax | Smin | FVE | L0 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in comparison_table(table).to_dict("records"):
        k = f", k {int(row['k'])}" if str(row["method"]).startswith("topk") else ""
        digits = {"auc_mean": 3, "aupr_mean": 3, "fmax_mean": 3, "smin_mean": 2, "fve": 4, "l0": 1}
        cells = [
            "" if pd.isna(row[name]) else f"{row[name]:.{n}f}".removeprefix("0") for name, n in digits.items()
        ]
        lines.append(f"| `{row['method']}`{k} | {row['n_seeds'] or ''} | {' | '.join(cells)} |")
    return "\n".join(lines)


def off_target(table: pd.DataFrame) -> pd.DataFrame:
    """Return the L0 of every member that follows ProtSAE, and over ProtSAE's of the same seed; validation."""
    l0 = table[(table["metric"] == "l0") & (table["split"] == "validation")]
    wanted = l0[l0["method"] == "protsae"].set_index("seed")["value"]
    followers = l0[l0["member"].str.contains("-like-protsae-", regex=False)]
    return followers.assign(ratio=followers["value"] / followers["seed"].map(wanted))[
        ["member", "value", "ratio"]
    ]


def fve_gap(table: pd.DataFrame) -> tuple[float, float, float]:
    """Return ProtSAE's L0, its FVE, and TopK's FVE at that L0, linear in log L0 between its points; test.

    Beyond the points it is that of the last one.
    """
    test = table[table["split"] == "test"]
    points = test[test["metric"].isin(["l0", "fve"])].pivot_table(
        index=["member", "method"], columns="metric", values="value"
    )
    curve = points.xs("topk", level="method").sort_values("l0")
    own = points.xs("protsae", level="method").mean()
    return own["l0"], own["fve"], float(np.interp(np.log(own["l0"]), np.log(curve["l0"]), curve["fve"]))


def read(source: Path) -> pd.DataFrame:
    """Return `member` and the columns of metrics.csv, from the table of a finished sweep or from a folder."""
    if source.is_file():
        table = pd.read_csv(source)
        return table.assign(**{name: table[name].fillna("") for name in ("aspect", "stratum", "preset")})
    parts = []
    for path in sorted(source.glob("*/metrics.json")):
        rows = metrics_table(json.loads(path.read_text(encoding="utf-8"))["metrics"])
        parts.append(concat_metrics([rows]).assign(member=path.parent.name))
    return pd.concat(parts, ignore_index=True)


def main() -> None:
    """Write the table and print what it says."""
    table = read(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    of_members = ~table["member"].str.startswith("references-") & (table["stratum"] == "")
    table.loc[of_members, list(METRIC_COLUMNS)].to_csv(TARGET, index=False, float_format="%.6g")
    pd.set_option("display.width", 200)
    print(as_markdown(table))
    print(off_target(table).round(3).to_string(index=False))
    if {"protsae", "topk"} <= set(table["method"]):
        l0, fve, curve = fve_gap(table)
        print(
            f"ProtSAE at L0 {l0:.1f}: FVE {fve:.4f}, TopK's curve {curve:.4f}, difference {fve - curve:+.4f}"
        )


if __name__ == "__main__":
    main()
