"""Train the dictionaries with several seeds on the demo's activations, and say which claims hold.

Needs the outputs of a finished `kedro run` with every dictionary that the tables are to hold. Writes
docs/results/demo.csv (columns of metrics.csv: the rows of every seed, then mean and spread over seeds, then
differences) and docs/results/demo.md (how it was made, and its reading). The floor `shuffled_labels` is a
mean over shuffles of its own: these differ more than seeds do.

    python benchmarks/demo_seeds.py [--seeds 0 1 2] [--shuffles 80]
"""

import argparse
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import torch

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT, commit
from helpers.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS, summarise_seeds
from protsae.core.files import write_text_atomic
from protsae.encoding.codes import CodeStore
from protsae.encoding.reading import encode_and_store
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.metrics.bootstrap import interval_kind
from protsae.metrics.table import concat_metrics
from protsae.probing.estimates import Evaluations
from protsae.probing.judge import (
    Judgement,
    Scores,
    about_dictionary,
    about_references,
    scores_of,
)
from protsae.probing.residue_scores import FLOORS, STRATUM, evaluate_residues
from protsae.probing.scores import probe_scores
from protsae.probing.shuffles import shuffle_labels
from protsae.probing.subsumption import subsumption_rows
from protsae.sae.base import SparseAutoencoder
from protsae.sae.protsae import ProtSae
from protsae.sequences.bands import NO_HIT
from protsae.training.fit import fit

DIFFERENCES = (
    ("protsae_latent", "topk_latent"),
    ("protsae_latent", "protsae_gate"),
    ("protsae_latent", "gated_linear_probe"),
    ("protsae_latent", "random_directions_latent"),
    ("topk_latent", "random_directions_latent"),
    ("protsae_predictor", "linear_probe"),
    ("protsae_latent", "protsae_predictor"),
    ("protsae_probe", "topk_probe"),
    ("protsae_predictor", "nearest_neighbour"),
    ("linear_probe", "composition_probe"),
    ("linear_probe", "random_plm_probe"),
    *(
        (f"{trained}_{kind}", f"{frozen}_{kind}")
        for frozen in ("frozen_decoder", "frozen_encoder")
        for trained in ("protsae", "topk")
        for kind in ("latent", "probe")
    ),
)
"""Of these, what the run has; the frozen dictionaries stand under their architectures' names."""
METRICS = ("auc", "aupr", "fmax")
ASPECTS = ("mean", "BPO", "MFO", "CCO", "all")
SHUFFLED = "shuffled_labels"


class Demo(FinishedRun):
    """A finished run, and what its dictionaries are worth with other seeds."""

    def dictionary(self, name: str, seed: int) -> SparseAutoencoder:
        """Return the run's own dictionary where it has this seed, else train one with the run's settings."""
        if (own := self.own_dictionary(name, seed)) is not None:
            return own
        (sae, _), _ = fit(self.plan(name, seed))
        return sae.eval()

    def run_seed(self, seed: int) -> tuple[pd.DataFrame, Judgement]:
        """Train, encode, score and judge with one seed; return its metrics rows and what scores are worth."""
        judge = self.judge
        parts, reconstructions, others = [], [], []
        for name, listed in self.load("params:dictionaries").items():
            if listed is None:
                continue
            sae = self.dictionary(name, seed)
            run = Run(name, seed, self.hook_point, sae.config_json().get("k"))
            found, codes = encode_and_store(self.store, sae, run, self.encoded, self.load("params:encoding"))
            sums, statistics = found.reconstruction_sums, found.latent_statistics
            scores = judge.score_dictionary(name, found.proteins, guided=sae.n_defined > 0)
            parts.append(judge.judge(scores, about_dictionary(run, scores)))
            reconstructions.append(split_rows(sums, statistics, sae.config.d_model, run))
            if isinstance(sae, ProtSae):
                others += self._of_predictor(sae, codes)
        references = scores_of(self.load("references.concept_scores"), judge)
        kept = {name: values for name, values in references.values.items() if name != SHUFFLED}
        scores = Scores(kept, references.supervision)  # shuffled labels come by themselves
        parts.append(judge.judge(scores, about_references(self.hook_point, scores)))
        together = Judgement(
            {key: value for part in parts for key, value in part.evaluations.items()},
            {method: how for part in parts for method, how in part.supervision.items() if method != SHUFFLED},
            {method: about for part in parts for method, about in part.about.items()},
        )
        rows = together.rows(judge.evaluation.confidence)
        measured = concat_metrics([rows, *others, *reconstructions])
        return measured.drop_duplicates(ignore_index=True), together

    def _of_predictor(self, sae: ProtSae, codes: CodeStore) -> list[pd.DataFrame]:
        """Return the rows of residues, and of the predictor's geometry."""
        of_residues, _ = evaluate_residues(codes, self.labelled, self.judge.evaluation)
        return [of_residues, subsumption_rows(sae, codes.run, self.axioms, self.tables.concepts)]

    def shuffled(self, n_shuffles: int) -> Iterator[Evaluations]:
        """Yield what a linear probe makes of so many shuffles of the labels that it learns from."""
        judge = self.judge
        values = judge.features(self.load("mean_activations"), "activation")
        for seed in range(n_shuffles):
            scores = probe_scores(values, shuffle_labels(judge.splits, seed), judge.scoring)
            yield judge.judge(Scores({SHUFFLED: dict(scores)}, {SHUFFLED: "probe"}), {}).evaluations


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
        *(compared(one, other) for one, other in DIFFERENCES if f"{one} - {other}" in rows.index),
        f"- `prevalence` has AUC {prevalence:.3f}, {level}.",
        f"- `{SHUFFLED}` has AUC {figures(SHUFFLED)}, which covers the choice of test proteins alone; sd is "
        "from shuffle to shuffle. Whether all methods are at chance then: label_shuffles.json.",
    ]


def overview(table: pd.DataFrame) -> list[str]:
    """Return a Markdown table: method by metric, mean over aspects, mean over seeds, interval, spread over
    seeds."""
    kept = table[table["aspect"] == "mean"].set_index(["method", "metric", "stratum"]).sort_index()
    lines = ["| method | supervision | AUC | AUPR | Fmax |", "| --- | --- | --- | --- | --- |"]
    for method, supervision in zip(*_methods(table), strict=True):
        cells = []
        for metric in METRICS:
            mean = kept.loc[(method, metric, MEAN_OF_SEEDS)]
            spread = (method, metric, SD_OF_SEEDS)
            sd = f", sd {kept.loc[spread, 'value']:.3f}" if spread in kept.index else ""
            cells.append(f"{mean['value']:.3f} ({mean['low']:.3f} to {mean['high']:.3f}{sd})")
        lines.append(f"| `{method}` | {supervision} | {' | '.join(cells)} |")
    return lines


def _methods(table: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Return the methods of a table, differences left out, and how they saw labels."""
    rows = table[~table["method"].str.contains(" - ")].drop_duplicates("method")
    return rows["method"].tolist(), rows["supervision"].tolist()


def health(table: pd.DataFrame) -> list[str]:
    """Return a Markdown table of the dictionaries on test, one row per seed."""
    names = ["fve", "l0", "dead_share", "defined_participation", "gate_rate"]
    rows = table[
        table["metric"].isin(names) & (table["split"] == "test") & (table["stratum"].fillna("") == "")
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
    methods = {"protsae_latent": "training", "protsae_predictor": "training", **FLOORS}
    for method, supervision in methods.items():
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
    parser.add_argument("--shuffles", type=int, default=80, help="number of label shuffles for the floor")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "demo.csv")
    parser.add_argument("--conf-source", type=Path, default=None, help="another folder of configuration")
    arguments = parser.parse_args()
    started, version = time.monotonic(), commit()
    demo = Demo(conf_source=arguments.conf_source)
    tables, evaluations = [], []
    for seed in arguments.seeds:
        rows, found = demo.run_seed(seed)
        constant = rows["seed"].isna() & (len(tables) > 0)
        tables.append(rows[~constant])  # these do not depend on the seed: one set of rows
        evaluations.append(found)
        print(f"seed {seed} done after {time.monotonic() - started:.0f} s", flush=True)
    shuffled = list(demo.shuffled(arguments.shuffles))
    confidence = demo.load("params:probing.evaluation").confidence
    supervision = evaluations[0].supervision
    differences = [pair for pair in DIFFERENCES if {*pair} <= {*supervision}]
    over = [found.evaluations for found in evaluations]
    summary = concat_metrics(
        summarise_seeds(found, seen, pairs, metrics=METRICS, aspects=ASPECTS, confidence=confidence)
        for found, seen, pairs in ((over, supervision, differences), (shuffled, {SHUFFLED: "probe"}, ()))
    )
    table = concat_metrics([*tables, summary])
    table = table[table["stratum"] != NO_HIT]  # all test proteins of the demo: the same rows again
    write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.6g"))
    about = (
        f"Made by `python benchmarks/demo_seeds.py --seeds {' '.join(map(str, arguments.seeds))}` at commit "
        f"{version}, on {os.cpu_count()} cores ({platform.machine()}), torch {torch.__version__}, "
        f"in {time.monotonic() - started:.0f} s."
    )
    counts = demo.proteins["split"].value_counts()
    n_concepts, n_of_residues = len(demo.tables.concepts), int(demo.tables.is_residue_level.sum())
    kinds = ", ".join(f"{interval_kind(metric)} of {metric}" for metric in METRICS)
    sizes = ", ".join(f"{counts[name]} {name}" for name in ("train", "validation", "test"))
    text = [
        "# The demo over seeds",
        "",
        about,
        "",
        f"Proteins: {sizes}. Concepts: {n_concepts}, {n_of_residues} of them of residues and "
        "not in these means. Test split; metrics are means over the three "
        "aspects, averaged over seeds; intervals (95 %) are over resampled homology clusters, "
        f"{kinds}; sd is over seeds, of "
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
