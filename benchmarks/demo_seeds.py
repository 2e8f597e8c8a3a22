"""Train both dictionaries with several seeds on the demo's activations, and say which claims hold.

Needs the outputs of a finished `kedro run`. Writes docs/results/demo.csv (columns of metrics.csv: the rows of
every seed, then mean and spread over seeds, then differences) and docs/results/demo.md (how it was made, and
its reading). The floor `shuffled_labels` is a mean over shuffles of its own: these differ more than seeds do.

    python benchmarks/demo_seeds.py [--seeds 0 1 2] [--shuffles 80]
"""

import argparse
import logging
import os
import platform
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from provenance import commit

from protsae.annotations.labels import LabelTables
from protsae.core.files import write_text_atomic
from protsae.metrics.table import concat_metrics
from protsae.probing.collect import all_metrics, subsumption_rows
from protsae.probing.encoding import Encoding, Run, encode_splits
from protsae.probing.estimates import Evaluations
from protsae.probing.evaluation import evaluate_all, score_metrics, scores_by_method
from protsae.probing.residue_scores import STRATUM, SUPERVISION, evaluate_residues
from protsae.probing.scores import BASELINES, METHODS, probe_scores, score_all_methods
from protsae.probing.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS, summarise_seeds
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.splits import (
    SplitLabels,
    feature_matrix,
    labels_by_split,
    protein_level,
    split_of_proteins,
)
from protsae.probing.vocabulary import Vocabulary
from protsae.sae.base import SparseAutoencoder
from protsae.training.fit import fit_protsae, fit_topk
from protsae.training.plan import Size, Source

ROOT = Path(__file__).resolve().parents[1]
DIFFERENCES = (
    ("protsae_latent", "topk_latent"),
    ("protsae_predictor", "linear_probe"),
    ("protsae_latent", "protsae_predictor"),
    ("protsae_probe", "topk_probe"),
    ("protsae_predictor", "nearest_neighbour"),
    ("linear_probe", "composition_probe"),
    ("linear_probe", "random_plm_probe"),
)
METRICS = ("auc", "aupr", "fmax")
ASPECTS = ("mean", "BPO", "MFO", "CCO", "all")
SHUFFLED = "shuffled_labels"


class Demo:
    """The datasets and parameters of a finished run."""

    def __init__(self, conf_source: Path | None) -> None:
        bootstrap_project(ROOT)
        with KedroSession.create(project_path=ROOT, conf_source=conf_source) as session:
            self._catalog = session.load_context().catalog
        self.proteins = self.load("proteins")
        self.concepts = self.load("concepts")
        labels = (self.load(name) for name in ("protein_labels", "labelled_aspects", "residue_labels"))
        self.tables = LabelTables(self.concepts, *labels)
        self.n_residue_level = int(self.tables.is_residue_level.sum())
        self.axioms = self.load("axioms")
        self.store = self.load("activation_shards")
        self.hook_point: str = self.load("params:training.hook_point")
        self.split_of = split_of_proteins(self.proteins, self.store.protein_ids)
        self.columns = protein_level(self.concepts)
        self.labels = labels_by_split(
            self.proteins,
            self.concepts,
            self.tables.protein_labels,
            self.tables.labelled_aspects,
            self.split_of,
        )

    @cached_property
    def splits(self) -> dict[str, SplitLabels]:
        """Labels by split, of the concepts of whole proteins."""
        return {split: found.of_concepts(self.columns) for split, found in self.labels.items()}

    def load(self, name: str) -> Any:
        """Return a dataset or parameter of the catalog."""
        return self._catalog.load(name)

    def dictionary(self, method: str, seed: int) -> SparseAutoencoder:
        """Return the run's own dictionary where it has this seed, else train one with the run's settings."""
        checkpoint = self.load(f"{method}.sae_checkpoint")
        if int(checkpoint.metadata["seed"]) == seed:
            return checkpoint.load()
        source = Source(self.store, self.hook_point, self.proteins)
        size = Size(self.load("params:training.d_sae"), self.load("params:training.k"), seed)
        trainer = self.load("params:training.trainer")
        if method == "topk":
            (sae, _), _ = fit_topk(source, size, trainer)
        else:
            (sae, _), _ = fit_protsae(
                source,
                size,
                trainer,
                self.load("params:training.guidance"),
                tables=self.tables,
                axioms=self.axioms,
            )
        return sae.eval()

    def run_seed(self, seed: int) -> tuple[pd.DataFrame, Evaluations]:
        """Train, encode, score and judge with one seed; return its metrics rows and evaluations."""
        runs = {
            name: Run(name, seed, self.hook_point, self.load("params:training.k"))
            for name in ("protsae", "topk")
        }
        saes = {name: self.dictionary(name, seed) for name in runs}
        encodings: dict[str, Encoding] = {
            name: encode_splits(
                self.store, saes[name], run, self.split_of, self.load("params:probing.encoding")
            )
            for name, run in runs.items()
        }
        scoring = self.load("params:probing.scoring").model_copy(update={"seed": seed})
        scores = score_all_methods(
            encodings["protsae"].proteins,
            encodings["topk"].proteins,
            self.load("mean_activations"),
            self.labels,
            self.columns,
            scoring,
        )
        scores |= scores_by_method(self.load("baseline_scores"), self.splits, self.columns)
        del scores[SHUFFLED]  # they come by themselves
        config = self.load("params:probing.evaluation")
        found = self.evaluated(scores)
        residue_metrics, _ = evaluate_residues(
            self.store,
            saes["protsae"],
            runs["protsae"],
            proteins=self.proteins[self.proteins["protein_id"].isin(self.split_of)],
            tables=self.tables,
            residues_per_batch=self.load("params:probing.encoding").residues_per_batch,
            config=config,
        )
        rows = all_metrics(
            score_metrics(found, config.confidence),
            [
                residue_metrics,
                subsumption_rows(saes["protsae"], runs["protsae"], self.axioms, self.concepts),
            ],
            [encodings[name].reconstruction for name in runs],
        )
        return rows, found

    def shuffled(self, n_shuffles: int) -> Iterator[Evaluations]:
        """Yield what a linear probe makes of so many shuffles of the labels that it learns from."""
        features = self.load("mean_activations")
        values = {
            split: feature_matrix(features, "activation", of.protein_ids) for split, of in self.splits.items()
        }
        scoring = self.load("params:probing.scoring")
        for seed in range(n_shuffles):
            scores = probe_scores(values, shuffle_labels(self.splits, seed), scoring)
            yield self.evaluated({SHUFFLED: scores})

    def evaluated(self, scores: Any) -> Evaluations:
        """Return what scores by method and split are worth."""
        judged = self.concepts[self.concepts["concept_idx"].isin(self.columns)]
        vocabulary = Vocabulary.of(judged, self.load("concept_terms"), self.load("concept_relations"))
        clusters = dict(zip(self.proteins["protein_id"], self.proteins["cluster_id"], strict=True))
        return evaluate_all(scores, self.splits, vocabulary, clusters, self.load("params:probing.evaluation"))


def reading(table: pd.DataFrame) -> list[str]:
    """Return the claims with what the numbers say of them; a claim holds where its interval leaves out the
    rival."""
    auc = table[
        (table["metric"] == "auc") & (table["aspect"] == "mean") & (table["stratum"] == MEAN_OF_SEEDS)
    ]
    rows = auc.set_index("method")

    def figures(name: str) -> str:
        return f"{rows.loc[name, 'value']:.3f} ({rows.loc[name, 'low']:.3f} to {rows.loc[name, 'high']:.3f})"

    def compared(one: str, other: str) -> str:
        name = f"{one} - {other}"
        low, high = rows.loc[name, "low"], rows.loc[name, "high"]
        verdict = "ahead of" if low > 0 else "behind" if high < 0 else "not told apart from"
        return f"- `{one}` is {verdict} `{other}`: paired difference {figures(name)}."

    prevalence = float(rows.loc["prevalence", "value"])
    level = "the floor it must be" if prevalence == 0.5 else "NOT the .5 it must be"
    return [
        *(compared(one, other) for one, other in DIFFERENCES),
        f"- `prevalence` has AUC {prevalence:.3f}, {level}.",
        f"- `{SHUFFLED}` has AUC {figures(SHUFFLED)}, which covers the choice of test proteins alone; sd is "
        "from shuffle to shuffle. Whether all methods are at chance then: label_shuffles.json.",
    ]


def overview(table: pd.DataFrame) -> list[str]:
    """Return a Markdown table: method by metric, mean over aspects, mean over seeds, interval, spread over
    seeds."""
    kept = table[table["aspect"] == "mean"].set_index(["method", "metric", "stratum"]).sort_index()
    lines = ["| method | supervision | AUC | AUPR | Fmax |", "| --- | --- | --- | --- | --- |"]
    for method, about in METHODS.items():
        cells = []
        for metric in METRICS:
            mean = kept.loc[(method, metric, MEAN_OF_SEEDS)]
            spread = (method, metric, SD_OF_SEEDS)
            sd = f", sd {kept.loc[spread, 'value']:.3f}" if spread in kept.index else ""
            cells.append(f"{mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}{sd})")
        lines.append(f"| `{method}` | {about.supervision} | {' | '.join(cells)} |")
    return lines


def health(table: pd.DataFrame) -> list[str]:
    """Return a Markdown table of the dictionaries on test, one row per seed."""
    names = ["fve", "l0", "dead_share", "defined_participation", "gate_rate"]
    rows = table[
        table["metric"].isin(names) & (table["split"] == "test") & table["method"].isin(["protsae", "topk"])
    ]
    wide = rows.pivot_table(index=["method", "seed"], columns="metric", values="value").reindex(columns=names)
    lines = [f"| dictionary | seed | {' | '.join(names)} |", f"| --- | --- {'| --- ' * len(names)}|"]
    for (method, seed), values in wide.iterrows():
        cells = " | ".join("" if pd.isna(value) else f"{value:.4g}" for value in values)
        lines.append(f"| {method} | {seed} | {cells} |")
    return lines


def of_residues(table: pd.DataFrame) -> list[str]:
    """Return a Markdown table of the concepts of residues on test: mean over seeds, outermost bounds."""
    rows = table[(table["stratum"] == STRATUM) & (table["split"] == "test") & (table["aspect"] == "all")]
    lines = ["| method | supervision | AUC | AUPR |", "| --- | --- | --- | --- |"]
    for method, supervision in SUPERVISION.items():
        cells = []
        for metric in ("auc", "aupr"):
            own = rows[(rows["method"] == method) & (rows["metric"] == metric)]
            bounds = f"{own['low'].min():.3f} to {own['high'].max():.3f}"
            cells.append(f"{own['value'].mean():.3f} ({bounds})")
        lines.append(f"| `{method}` | {supervision} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shuffles", type=int, default=80, help="of labels, behind the floor")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "demo.csv")
    parser.add_argument("--conf-source", type=Path, default=None, help="another folder of configuration")
    arguments = parser.parse_args()
    started, version = time.monotonic(), commit()
    demo = Demo(arguments.conf_source)
    logging.getLogger("kedro").setLevel(logging.WARNING)  # after the project has set up its own logging
    tables, evaluations = [], []
    for seed in arguments.seeds:
        rows, found = demo.run_seed(seed)
        unseeded = ["linear_probe", "prevalence", "residue_identity", *BASELINES]
        constant = rows["method"].isin(unseeded) & (len(tables) > 0)
        tables.append(rows[~constant])  # these do not depend on the seed: one set of rows
        evaluations.append(found)
        print(f"seed {seed} done after {time.monotonic() - started:.0f} s", flush=True)
    shuffled = list(demo.shuffled(arguments.shuffles))
    confidence = demo.load("params:probing.evaluation").confidence
    summary = concat_metrics(
        summarise_seeds(found, differences, metrics=METRICS, aspects=ASPECTS, confidence=confidence)
        for found, differences in ((evaluations, DIFFERENCES), (shuffled, ()))
    )
    table = concat_metrics([*tables, summary])
    write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.6g"))
    about = (
        f"Made by `python benchmarks/demo_seeds.py --seeds {' '.join(map(str, arguments.seeds))}` at commit "
        f"{version}, on {os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, "
        f"in {time.monotonic() - started:.0f} s."
    )
    counts = demo.proteins["split"].value_counts()
    sizes = ", ".join(f"{counts[name]} {name}" for name in ("train", "validation", "test"))
    text = [
        "# The demo over seeds",
        "",
        about,
        "",
        f"Proteins: {sizes}. Concepts: {len(demo.concepts)}, {demo.n_residue_level} of them of residues and "
        "not in these means. Test split; metrics are means over the three "
        "aspects, averaged over seeds; intervals are percentile intervals (95 %) over resampled homology "
        "clusters (those of AUPR lean upwards: a positive drawn twice helps itself); sd is over seeds, of "
        f"`{SHUFFLED}` over {arguments.shuffles} shuffles. Fmax "
        "is computed on scores calibrated on validation, the same way for every method.",
        "",
        "The labels are Swiss-Prot annotations of January 2014 of all evidence kinds, partly inferred from "
        "sequence; the language model is a small stand-in. The figures compare methods with each other, no "
        "more.",
        "",
        *overview(summary),
        "",
        "Reading, by AUC and its paired intervals:",
        "",
        *reading(summary),
        "",
        "Concepts of residues, residue by residue (`residue_identity` is the amino acid alone; most residues "
        "are tied at zero in the latents, whose gates open on as few as carry the concept); means over the "
        "seeds, intervals from the lowest bound to the highest of the seeds:",
        "",
        *of_residues(table),
        "",
        "The dictionaries, on test residues:",
        "",
        *health(table),
        "",
    ]
    write_text_atomic(arguments.output.with_suffix(".md"), "\n".join(text))
    print("\n".join(reading(summary)))


if __name__ == "__main__":
    main()
