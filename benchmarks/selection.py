"""Which labels should choose latents? Every set of latents scored by all three ways: a table.

Needs the encodings of a finished `kedro run` (to `alignment` or further). Writes docs/results/selection.csv:

    python benchmarks/selection.py [--env swissprot]

The best latent of each concept and probes on few latents, of every dictionary (a guided one as if it were
not), of neurons and of random directions, chosen by the labels of training, of validation, and of both. AUC
and AUPR are means over aspects, on validation (which two of the ways have seen) and on test proteins.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT
from protsae.core.files import write_text_atomic
from protsae.core.splits import HELD_OUT, Selection
from protsae.metrics.ranking import Ranking
from protsae.probing.baselines import project
from protsae.probing.config import EvaluationConfig, ScoringConfig
from protsae.probing.estimates import macro
from protsae.probing.judge import Judge, Known
from protsae.probing.vocabulary import Vocabulary

TABLE = ROOT / "docs/results/selection.csv"


def latents_of(run: FinishedRun, judge: Judge) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each set of latents by its name: split to latents of its proteins, pooled by the mean."""
    for name, entry in run.load("params:dictionaries").items():
        if entry is not None:
            yield name, judge.features(run.load(f"{name}.encoding"), "mean_latents")
    activations = judge.features(run.load("mean_activations"), "activation")
    yield "neurons", activations
    yield "random_directions", project(activations, judge.scoring.n_directions, judge.scoring.seed)


def rows(run: FinishedRun, scoring: ScoringConfig) -> Iterator[dict[str, Any]]:
    """Yield a row for each method, selection and split."""
    known = Known(run.proteins, run.tables, run.load("concept_terms"), run.load("concept_relations"))
    judge = Judge(known, set(run.split_of), scoring, EvaluationConfig())
    for name, latents in latents_of(run, judge):
        for selection in get_args(Selection):
            by_mean = scoring.model_copy(update={"selection": selection, "pooling": "mean"})
            by_way = Judge(known, judge.available, by_mean, judge.evaluation)
            for method, scores in by_way.score_latents(name, {"mean": latents}).values.items():
                for split in HELD_OUT:
                    of = judge.splits[split]
                    areas = Ranking(scores[split], of.labels, of.labelled).areas()
                    auc, aupr = (mean_of_aspects(values, judge.vocabulary) for values in areas)
                    about = {"method": method, "selection": selection, "split": split}
                    yield {**about, "auc": auc, "aupr": aupr}


def mean_of_aspects(values: np.ndarray, vocabulary: Vocabulary) -> float:
    """Return the mean over aspects of their means over the concepts that count [n_concepts]."""
    columns = vocabulary.representatives()
    return float(np.mean([macro(values[columns[aspect]], None).value for aspect in vocabulary.averaged()]))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default=None, help="environment of the run")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the project with the run")
    parser.add_argument("--output", type=Path, default=TABLE)
    given = parser.parse_args()
    run = FinishedRun(given.env, project=given.project)
    table = pd.DataFrame(rows(run, run.load("params:probing.scoring")))
    write_text_atomic(given.output, table.to_csv(index=False, float_format="%.5g"))
    wide = table.pivot_table(
        index="method", columns=["split", "selection"], values=["auc", "aupr"], sort=False
    )
    print(wide.round(3).to_string())


if __name__ == "__main__":
    main()
