"""Steer antibodies towards concepts whose truth is known, by every arm; the judge is alignment to germline
genes.

Needs the outputs of a finished `kedro run --env antibody`, and the twin (benchmarks/antibody_twin.py).

    python benchmarks/antibody_steering.py [--seeds 0] [--targets v_subgroup:IGHVF3 ...] [--processes 2]

Every target and seed is a job whose designs are kept below data/antibody/07_model_output/steering, so that a
second call makes what is missing. docs/results/antibody_steering.csv has a row for each arm and target, class
of targets, targets on which the arms were designed and others, and all (`mean`): docs/steering.md says
how to read it.
docs/results/antibody_steering_doses.csv has the dose-response curves on validation.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from antibody_twin import TWIN
from helpers.provenance import ROOT, provenance, write_json
from helpers.steering import Bench, judged, steer
from protsae.core.files import write_text_atomic
from protsae.core.seeding import numpy_generator
from protsae.metrics.bootstrap import cluster_weights, percentile_interval
from protsae.steering.scoring import Judged, scores, smallest_difference

DESIGN = (
    *("v_subgroup:IGHVF3", "j_gene:IGHJ6", "mutation_load:high", "v_gene:IGHVF10-G37"),
    *("v_subgroup:IGHVF1", "j_gene:IGKJ2-27FL", "mutation_load:low", "v_subgroup:IGKV3"),
)
"""Those on whose validation sequences the arms were designed."""
UNUSED = (
    *("v_subgroup:IGHVF5", "v_subgroup:IGHVF6", "v_subgroup:IGKV2"),
    *("v_gene:IGHVF10-G41", "v_gene:IGHVF10-G43", "v_gene:IGHVF10-G51"),
    *("j_gene:IGHJ2", "j_gene:IGKJ1-5PHE", "j_gene:IGKJ4-ZOFQ"),
)
"""Three of each class that had no part in the design: those with the lowest hashes of `steering targets`."""
RESULTS = ROOT / "docs" / "results"
N_RESAMPLES = 500
REFERENCE = "difference_of_means"
METRICS = ("hit", "gain", "isolation", "naturalness", "score")


def job(env: str, project: Path, seed: int, targets: Sequence[str], twin: Path, folder: Path) -> None:
    """Make what is missing of a seed."""
    torch.set_num_threads(1)
    missing = [name for name in targets if not _file(folder, seed, name).exists()]
    if not missing:
        return
    bench = Bench(env, project, seed, twin)
    for name in missing:
        started = time.monotonic()
        found = steer(bench, bench.target(name))
        path = _file(folder, seed, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.to_parquet(path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
        print(f"{name}, seed {seed}: {time.monotonic() - started:.0f} s", flush=True)


def _file(folder: Path, seed: int, target: str) -> Path:
    return folder / f"seed{seed}" / f"{target.replace(':', '-').replace('/', '-')}.parquet"


def table(designs: pd.DataFrame, clusters: pd.Series) -> pd.DataFrame:
    """Return rows for each arm and target, class and all targets, on test."""
    test = designs[designs["split"] == "test"]
    ids = np.array(sorted(set(test["protein_id"])))
    weights = cluster_weights(clusters[ids].to_numpy(), N_RESAMPLES, numpy_generator(0, "steering"))
    values: dict[tuple[str, int, str], tuple[dict[str, float], dict[str, np.ndarray]]] = {}
    for (target, seed), own in test.groupby(["target", "seed"]):
        by_arm = {arm: _spread(rows, ids) for arm, rows in own.groupby("arm")}
        for arm, found in by_arm.items():
            samples = scores(found, by_arm["unsteered"], weights)
            values[arm, seed, target] = scores(found, by_arm["unsteered"]), samples
    aspect_of = dict(zip(test["target"], test["aspect"], strict=True))
    groups = {target: [target] for target in aspect_of}
    groups |= {
        aspect: [t for t in aspect_of if aspect_of[t] == aspect]
        for aspect in dict.fromkeys(aspect_of.values())
    }
    groups["mean of unused"] = [t for t in aspect_of if t in UNUSED]
    groups["mean of design"] = [t for t in aspect_of if t in DESIGN]
    groups["mean"] = list(aspect_of)
    groups = {name: own for name, own in groups.items() if own}
    rows = []
    for group, arm in product(groups, test["arm"].unique()):
        own = {
            s: [values[arm, s, t] for t in groups[group] if (arm, s, t) in values]
            for s in test["seed"].unique()
        }
        own = {seed: found for seed, found in own.items() if found}
        row = {"arm": arm, "target": group, "n_targets": len(groups[group]), "n_seeds": len(own)}
        samples = {}
        for metric in METRICS:
            of_seeds = [np.mean([value[metric] for value, _ in found]) for found in own.values()]
            samples[metric] = np.mean([[s[metric] for _, s in found] for found in own.values()], axis=(0, 1))
            row[metric] = np.mean(of_seeds)
            if metric == "score":
                row["score_sd"] = np.std(of_seeds, ddof=1) if len(own) > 1 else np.nan
        row["score_low"], row["score_high"] = percentile_interval(samples["score"])
        chosen = test[(test["arm"] == arm) & test["target"].isin(groups[group])]
        row |= {
            "strength": chosen["strength"].mean(),
            "v_identity": chosen["v_identity"].mean(),
            "perplexity": chosen["perplexity"].mean(),
            "n_designs": len(chosen),
        }
        rows.append((row, samples["score"]))
    reference = {row["target"]: samples for row, samples in rows if row["arm"] == REFERENCE}
    found = []
    for row, samples in rows:
        paired = samples - reference[row["target"]]
        row["difference"] = row["score"] - next(
            r["score"] for r, _ in rows if r["arm"] == REFERENCE and r["target"] == row["target"]
        )
        row["difference_low"], row["difference_high"] = percentile_interval(paired)
        row["detectable"] = smallest_difference(paired)
        found.append(row)
    return pd.DataFrame(found)


def doses(designs: pd.DataFrame) -> pd.DataFrame:
    """Return the scores on validation by arm, target and strength, means over seeds."""
    rows = []
    of = designs[designs["split"] == "validation"]
    for (target, seed), own in of.groupby(["target", "seed"]):
        plain = judged(own[own["arm"] == "unsteered"])
        for (arm, strength), found in own.groupby(["arm", "strength"]):
            rows.append(
                {
                    "arm": arm,
                    "target": target,
                    "seed": seed,
                    "strength": strength,
                    **scores(judged(found), plain),
                }
            )
    return pd.DataFrame(rows).groupby(["target", "arm", "strength"], as_index=False)[list(METRICS)].mean()


def _spread(rows: pd.DataFrame, ids: np.ndarray) -> Judged:
    found = rows.set_index("protein_id").reindex(ids)
    return judged(found)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="antibody", help="environment of the run")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the project with the run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--targets", nargs="+", default=[*UNUSED, *DESIGN])
    parser.add_argument("--twin", type=Path, default=TWIN)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    about, started = provenance(), time.monotonic()
    folder = given.project / "data" / "antibody" / "07_model_output" / "steering"
    jobs = [
        (given.env, given.project, seed, given.targets[i :: given.processes], given.twin, folder)
        for seed in given.seeds
        for i in range(given.processes)
    ]
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        list(pool.map(job, *zip(*jobs, strict=True)))
    designs = pd.concat(
        [pd.read_parquet(_file(folder, seed, name)) for seed, name in product(given.seeds, given.targets)],
        ignore_index=True,
    )
    proteins = pd.read_parquet(given.project / "data" / "antibody" / "03_primary" / "proteins.parquet")
    found = table(designs, proteins.set_index("protein_id")["cluster_id"])
    for name, rows in {"antibody_steering": found, "antibody_steering_doses": doses(designs)}.items():
        write_text_atomic(given.output / f"{name}.csv", rows.to_csv(index=False, float_format="%.4g"))
    print(found[found["target"].str.startswith("mean")].to_string())
    seconds = round(time.monotonic() - started)
    write_json(given.output / "antibody_steering.json", {**about, "seconds": seconds})


if __name__ == "__main__":
    main()
