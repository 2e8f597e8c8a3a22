"""What docs/alignment.md shows of a finished run: alignment_demo.csv and alignment_k_sparse_demo.csv.

After `kedro run --pipelines alignment --params alignment.baselines.random_plm=true`:

    python benchmarks/alignment.py [--env ENV] [--folder docs/results] [--name demo]

The first is the run's `alignment_summary`, the second its rows of `k_sparse_auc`, with intervals over
homology clusters.
"""

import argparse
from pathlib import Path

import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT
from protsae.core.files import write_text_atomic

METRIC = "k_sparse_auc"


def write_tables(summary: pd.DataFrame, metrics: pd.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write both tables; return their paths.

    Args:
        summary: the run's `alignment_summary`.
        metrics: its `alignment_metrics`.
        folder: where they go.
        name: what their names end in.
    """
    tables = {"alignment": summary, "alignment_k_sparse": metrics[metrics["metric"] == METRIC]}
    written = []
    for table, rows in tables.items():
        written.append(folder / f"{table}_{name}.csv")
        write_text_atomic(written[-1], rows.to_csv(index=False, float_format="%.6g"))
    return written


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default=None, help="environment of the run")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs/results")
    parser.add_argument("--name", default="demo", help="what the names of the files end in")
    given = parser.parse_args()
    run = FinishedRun(given.env)
    tables = run.load("alignment_summary"), run.load("alignment_metrics")
    for path in write_tables(*tables, given.folder, given.name):
        print(path)


if __name__ == "__main__":
    main()
