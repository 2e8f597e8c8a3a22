"""Steer antibodies towards concepts whose truth is known, by every arm; the judge is alignment to germline
genes.

Needs the outputs of a finished `kedro run --env antibody`, and the twin (benchmarks/antibody_twin.py).

    python benchmarks/antibody_steering.py [--seeds 0] [--targets v_subgroup:IGHVF3 ...] [--processes 2]

Every target and seed is a job whose designs are kept below data/antibody/07_model_output/steering, so that a
second call makes what is missing. docs/results/antibody_steering.csv has a row for each arm and target, class
of targets, targets on which the arms were designed and others, and all (`mean`): docs/steering.md says
how to read it.
docs/results/antibody_steering_doses.csv has the dose-response curves on validation. Both are also written for
the run's explorer, data/antibody/08_reporting/steering_arms.csv and steering_doses.csv.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import pandas as pd
import torch

from antibody_twin import TWIN
from helpers.provenance import ROOT, provenance, write_json
from helpers.steering import Bench, steer
from helpers.steering_tables import doses, table
from protsae.core.files import write_text_atomic

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


def groups(aspect_of: dict[str, str]) -> dict[str, list[str]]:
    """Return rows of the table to targets: each alone, classes, those on which the arms were designed and
    others, and all."""
    found = {target: [target] for target in aspect_of}
    found |= {
        aspect: [t for t in aspect_of if aspect_of[t] == aspect]
        for aspect in dict.fromkeys(aspect_of.values())
    }
    found["mean of unused"] = [t for t in aspect_of if t in UNUSED]
    found["mean of design"] = [t for t in aspect_of if t in DESIGN]
    found["mean"] = list(aspect_of)
    return {name: own for name, own in found.items() if own}


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
    clusters = proteins.set_index("protein_id")["cluster_id"]
    rows_of = groups(dict(zip(designs["target"], designs["aspect"], strict=True)))
    found = table(designs, clusters, rows_of, ("v_identity", "perplexity"))
    explored = given.project / "data" / "antibody" / "08_reporting"
    for name, rows in {"arms": found, "doses": doses(designs)}.items():
        text = rows.to_csv(index=False, float_format="%.4g")
        own = "antibody_steering" if name == "arms" else "antibody_steering_doses"
        write_text_atomic(given.output / f"{own}.csv", text)
        if explored.is_dir():
            write_text_atomic(explored / f"steering_{name}.csv", text)
    print(found[found["target"].str.startswith("mean")].to_string())
    seconds = round(time.monotonic() - started)
    write_json(given.output / "antibody_steering.json", {**about, "seconds": seconds})


if __name__ == "__main__":
    main()
