"""How much the demo's figures change with the split: several salts by several seeds, all trained and judged.

    python benchmarks/demo_splits.py [--salts protsae a b c d] [--seeds 0 1 2] [--frozen first]

Every salt of `splitting.split` deals the demo's clusters anew, so that other proteins train, select and test;
the audit then excludes relatives. Each salt and seed is one run of the project, up to its paired differences,
with files of its own (`data/splits`); a run that was judged at the same commit is kept, so that the same
command goes on where it stopped. Frozen dictionaries (docs/architectures.md) are trained on the first salt,
on all, or on none.

Writes docs/results/demo_splits.csv (test; mean over aspects; rows of every run, over its own vocabulary and
over the concepts that all salts have) and docs/results/demo_splits.md: mean, spread between splits, between
seeds, and what the interval over homology clusters of one run says.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT, provenance
from protsae.core.files import write_text_atomic
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.metrics.table import concat_metrics

TARGET = ROOT / "docs/results/demo_splits.csv"
WORK = ROOT / "data/splits"
ENVIRONMENT = "splits"
FROZEN = ("frozen_decoder", "frozen_encoder")
METRICS = ("auc", "aupr", "fmax")
OF_CONCEPTS = {"auc": "auc", "average_precision": "aupr"}
ASPECTS = ("BPO", "CCO", "MFO")
"""Those that means are over; concepts of other sources are not of whole proteins."""
COLUMNS = ["salt", "seed", "method", "metric", "concepts", "value", "n", "low", "high"]
OWN, COMMON = "own", "common"
KEYS = ["method", "metric", "concepts"]


def configure(folder: Path, dictionaries: Iterable[str]) -> None:
    """Write a copy of the configuration whose files lie apart, with so many further dictionaries."""
    shutil.copytree(ROOT / "conf/base", folder / "base", dirs_exist_ok=True)
    own = folder / ENVIRONMENT
    own.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f"{name}: {{architecture: {name}}}" for name in dictionaries)
    (own / "globals.yml").write_text(f"data_root: {WORK.relative_to(ROOT)}\n")
    (own / "parameters.yml").write_text(f"dictionaries: {{{listed}}}\n")


def run_project(conf: Path, salt: str, seed: int) -> None:
    """Train and judge with one salt and seed, in a process of its own."""
    command = [sys.executable, "-m", "kedro", "run", "--conf-source", str(conf), "--env", ENVIRONMENT]
    command += ["--to-nodes", "probing.compare_methods"]
    command += ["--params", f"splitting.split.salt={salt},shared.seed={seed}"]
    subprocess.run(command, cwd=ROOT, check=True, env={"OMP_NUM_THREADS": "2", **os.environ})


def results_of(run: FinishedRun, salt: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of a run over its own vocabulary, and its metrics concept by concept."""
    tables = [run.load("score_metrics"), run.load("method_differences")]
    for name in [name for name, listed in run.load("params:dictionaries").items() if listed is not None]:
        sae = run.load(f"{name}.sae_checkpoint")
        about = Run(name, seed, run.hook_point, sae.config.get("k"))
        sums, statistics = run.load(f"{name}.reconstruction_sums"), run.load(f"{name}.latent_statistics")
        whole = split_rows(sums, statistics, sae.metadata["d_model"], about)
        tables.append(whole[whole["metric"].isin(["fve", "l0"])].assign(aspect="mean"))
    table = concat_metrics(tables)
    kept = table["metric"].isin([*METRICS, "fve", "l0"]) & (table["aspect"] == "mean")
    kept &= (table["split"] == "test") & (table["stratum"] == "")
    rows = table[kept].assign(salt=salt, seed=seed, concepts=OWN)[COLUMNS]
    concepts = run.load("concept_metrics")
    concepts = concepts[(concepts["split"] == "test") & concepts["aspect"].isin(ASPECTS)]
    columns = ["salt", "seed", "method", "concept_id", "aspect", *OF_CONCEPTS]
    return rows, concepts.assign(salt=salt, seed=seed)[columns]


def over_common(concepts: pd.DataFrame, pairs: Iterable[str]) -> pd.DataFrame:
    """Return means over the concepts that every salt has: by aspect, then over aspects.

    Args:
        concepts: `salt`, `seed`, `method`, `concept_id`, `aspect`, `auc`, `average_precision`.
        pairs: differences `a - b` to add.
    """
    n_salts = concepts["salt"].nunique()
    salts_of = concepts.groupby("concept_id")["salt"].nunique()
    shared = concepts[concepts["concept_id"].map(salts_of) == n_salts]
    keys = ["salt", "seed", "method"]
    by_aspect = shared.groupby([*keys, "aspect"])[list(OF_CONCEPTS)].mean()
    means = by_aspect.groupby(level=keys).mean().rename(columns=OF_CONCEPTS).rename_axis("metric", axis=1)
    wide = means.stack().unstack("method")
    for pair in pairs:
        one, _, other = pair.partition(" - ")
        if {one, other} <= set(wide.columns):
            wide[pair] = wide[one] - wide[other]
    rows = wide.stack().dropna().rename("value").reset_index()
    return rows.assign(concepts=COMMON, n=shared["concept_id"].nunique()).reindex(columns=COLUMNS)


def spreads(rows: pd.DataFrame) -> pd.DataFrame:
    """Return per method, metric and vocabulary how much a figure changes, and why.

    `seed_sd`: standard deviation over seeds of one split, pooled. `split_sd`: standard deviation over splits
    of means over infinitely many seeds (one-way analysis of variance; 0 where seeds explain all).
    `within_sd`: that of the test proteins of one split, from the width of the 95 % interval over homology
    clusters. Missing where there is one seed or one split.
    """
    found = []
    for key, of_key in rows.groupby(KEYS, sort=False):
        wide = of_key.pivot_table(index="salt", columns="seed", values="value")
        n_salts, n_seeds = wide.shape
        seed_variance = wide.var(axis=1, ddof=1).mean() if n_seeds > 1 else np.nan
        of_means = wide.mean(axis=1).var(ddof=1) if n_salts > 1 else np.nan
        share = seed_variance / n_seeds if n_seeds > 1 else 0.0
        widths = of_key["high"] - of_key["low"]
        found.append(
            {
                **dict(zip(KEYS, key, strict=True)),
                "mean": float(wide.to_numpy().mean()),
                "split_sd": max(0.0, of_means - share) ** 0.5 if n_salts > 1 else np.nan,
                "seed_sd": seed_variance**0.5,
                "within_sd": widths.mean() / (2 * 1.96),
                "n_salts": n_salts,
                "n_seeds": n_seeds,
            }
        )
    return pd.DataFrame(found)


def as_markdown(table: pd.DataFrame) -> list[str]:
    """Return the spreads as a Markdown table: a row for each method, a column for each metric."""
    order = [(metric, concepts) for metric in (*METRICS, "fve", "l0") for concepts in (OWN, COMMON)]
    there = set(zip(table["metric"], table["concepts"], strict=True))
    columns = [key for key in order if key in there]
    heads = ["method", "splits x seeds", *(f"{metric}, {concepts}" for metric, concepts in columns)]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for method, of_method in table.groupby("method", sort=False):
        cells = of_method.set_index(["metric", "concepts"])
        runs = "{n_salts} x {n_seeds}".format(**of_method.iloc[0])
        shown = [_cell(cells.loc[key]) if key in cells.index else "" for key in columns]
        lines.append(f"| `{method}` | {runs} | {' | '.join(shown)} |")
    return lines


def _cell(row: pd.Series) -> str:
    """Return `mean (between splits, between seeds, by interval)`."""
    spread = [
        "–" if pd.isna(row[name]) else f"{row[name]:.3f}" for name in ("split_sd", "seed_sd", "within_sd")
    ]
    return f"{row['mean']:.3f} ({', '.join(spread)})"


def text(table: pd.DataFrame, about: Mapping[str, str], sizes: str, n_common: int, seconds: float) -> str:
    """Return the summary as Markdown."""
    return "\n".join(
        [
            "# The demo over splits",
            "",
            f"Made by `{about['command']}` at commit {about['commit']}, on {about['machine']}; the last part "
            f"of it took {seconds:.0f} s.",
            "",
            "Every split deals the same clusters anew, audits for relatives and chooses its own vocabulary. "
            f"Test split, means over three aspects. `own`: over each split's own vocabulary ({sizes} "
            f"concepts); `common`: over the {n_common} concepts that all splits have. The spread between "
            "splits contains that of the test proteins, which the interval over homology clusters measures, "
            "and that of training proteins and vocabulary, which no "
            "interval of one split covers. Where the spread between splits is the larger one, intervals of "
            "one split are too narrow for a claim about proteins in general.",
            "",
            "Cells: mean (standard deviation between splits, between seeds of one split, and of the test "
            "proteins of one split: the width of the 95 % interval over homology clusters / 3.92).",
            "",
            *as_markdown(table),
            "",
        ]
    )


def main() -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--salts", nargs="+", default=["protsae", "a", "b", "c", "d"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--frozen", choices=["first", "all", "none"], default="first")
    parser.add_argument("--output", type=Path, default=TARGET)
    arguments = parser.parse_args()
    about, started = provenance(), time.monotonic()
    conf, kept = WORK / "conf", WORK / "kept" / about["commit"].replace(" ", "-")
    kept.mkdir(parents=True, exist_ok=True)
    tables: list[pd.DataFrame] = []
    concepts: list[pd.DataFrame] = []
    for salt in arguments.salts:
        with_frozen = arguments.frozen == "all" or (
            arguments.frozen == "first" and salt == arguments.salts[0]
        )
        further = FROZEN if with_frozen else ()
        for seed in arguments.seeds:
            name = f"{salt.replace('/', '_')}-seed{seed}{'-frozen' if with_frozen else ''}"
            paths = kept / f"{name}.csv", kept / f"{name}-concepts.csv"
            if not paths[1].is_file():
                configure(conf, further)
                run_project(conf, salt, seed)
                run = FinishedRun(ENVIRONMENT, conf_source=conf)
                for path, table in zip(paths, results_of(run, salt, seed), strict=True):
                    write_text_atomic(path, table.to_csv(index=False))
            print(f"{salt} seed {seed}: done after {time.monotonic() - started:.0f} s", flush=True)
            tables.append(pd.read_csv(paths[0]))
            concepts.append(pd.read_csv(paths[1]))
    own = pd.concat(tables, ignore_index=True)
    pairs = [method for method in own["method"].unique() if " - " in method]
    pairs += [f"topk_{kind} - {frozen}_{kind}" for frozen in FROZEN for kind in ("latent", "probe")]
    each = pd.concat(concepts, ignore_index=True)
    common = over_common(each, pairs)
    table = pd.concat([own, common], ignore_index=True)
    write_text_atomic(arguments.output, table.to_csv(index=False, float_format="%.6g"))
    counts = each.groupby("salt")["concept_id"].nunique()
    sizes = f"{counts.min()} to {counts.max()}"
    summary = text(spreads(table), about, sizes, int(common["n"].max()), time.monotonic() - started)
    write_text_atomic(arguments.output.with_suffix(".md"), summary)
    print(summary)


if __name__ == "__main__":
    main()
