"""Of antibodies: which latents read a concept, and which steer towards it, counted by architecture.

Needs the outputs of a finished `kedro run --env antibody`.

    python benchmarks/antibody_quadrants.py [--project FOLDER]

Association and causal effect of each concept's own latent, of the best others, and of random ones, for the
targets of benchmarks/antibody_steering.py. docs/results/antibody_quadrants.csv
has the counts, docs/results/antibody_quadrant_latents.csv the latents: docs/steering.md says what they mean.
"""

import argparse
import time
from pathlib import Path

import torch

from antibody_steering import DESIGN, UNUSED
from antibody_twin import TWIN
from helpers.provenance import ROOT, provenance, write_json
from helpers.steering import Bench
from helpers.steering_arms import correlation_and_effect
from helpers.steering_tables import quadrants
from protsae.core.files import write_text_atomic

RESULTS = ROOT / "docs" / "results"
NAMES = {
    "protsae": "ProtSAE",
    "topk": "TopK",
    "ordered": "Ordered",
    "frozen_decoder": "TopK, frozen decoder",
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--env", default="antibody", help="environment of the run")
    parser.add_argument("--project", type=Path, default=ROOT, help="folder of the project with the run")
    parser.add_argument("--seed", type=int, default=0, help="of the dictionaries")
    parser.add_argument("--twin", type=Path, default=TWIN)
    parser.add_argument("--output", type=Path, default=RESULTS, help="folder of the tables")
    given = parser.parse_args()
    torch.set_num_threads(1)
    about, started = provenance(), time.monotonic()
    bench = Bench(given.env, given.project, given.seed, given.twin)
    targets = [bench.target(name) for name in (*DESIGN, *UNUSED)]
    latents = correlation_and_effect(bench, targets, NAMES, n_best=5, n_random=5)
    tables = {
        "antibody_quadrants": quadrants(latents),
        "antibody_quadrant_latents": latents[latents["kind"] != "random"],
    }
    for name, rows in tables.items():
        write_text_atomic(given.output / f"{name}.csv", rows.to_csv(index=False, float_format="%.4g"))
    print(tables["antibody_quadrants"].to_string())
    seconds = round(time.monotonic() - started)
    n_targets = int(latents["target"].nunique())
    counts = {"n_concepts": n_targets, "n_left_out": len(targets) - n_targets}
    write_json(given.output / "antibody_quadrants.json", {**about, "seconds": seconds, **counts})


if __name__ == "__main__":
    main()
