"""How many hidden annotations come back, by every method: docs/results/missing_annotations.csv.

Needs a finished `kedro run` or `kedro run --env antibody`; replaces the rows of that run.

    python benchmarks/missing_annotations.py [--env antibody] [--draws 10] [--resamples 1000]

A tenth of the positive labels of validation and test proteins is hidden, `draws` times; docs/explanations.md
says what that measures and what it does not.
"""

import argparse
from pathlib import Path

import pandas as pd

from explanations import replace
from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT, provenance
from protsae.missing.check import HiddenTask, checked_methods
from protsae.probing.judge import scores_of

TABLE = ROOT / "docs/results/missing_annotations.csv"
MORE = ("gated_linear_probe", "random_plm_probe")


def main() -> None:
    """Check all methods of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", default=None)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--project", type=Path, default=ROOT, help="where the finished run lies")
    arguments = parser.parse_args()
    origin = provenance()
    run = FinishedRun(arguments.env, project=arguments.project)
    hiding, candidates = (run.load(f"params:missing_annotations.{name}") for name in ("hiding", "candidates"))
    update = {"n_draws": arguments.draws, "n_resamples": arguments.resamples}
    hiding = hiding.model_copy(update={**update, "references": (*hiding.references, *MORE)})
    names = list(run.load("parameters")["dictionaries"])
    tables = pd.concat([run.load(f"{name}.concept_scores") for name in (*names, "references")])
    judge = run.judge
    scores = scores_of(tables[tables["method"].isin(checked_methods(names, hiding))], judge)
    clusters = dict(zip(run.proteins["protein_id"], run.proteins["cluster_id"], strict=True))
    task = HiddenTask.of(judge.splits, judge.vocabulary.below["deepgo"], clusters, hiding, candidates)
    found = task.check(scores)
    data = arguments.env or "demo"
    replace(TABLE, data, found.assign(data=data, **{key: origin[key] for key in ("command", "commit")}))
    shown = found[found["metric"].str.startswith("precision")]
    columns = ["method", "stratum", "value", "low", "high", "floor", "most"]
    print(shown[columns].round(3).to_string(index=False))


if __name__ == "__main__":
    main()
