"""A whole extraction in a process of its own, to be killed: `python extract_process.py MODEL FOLDER`."""

import sys
from pathlib import Path

from tests.activations.conftest import config
from tests.plm.tiny_esm2 import random_sequences

from protsae.activations.plan import plan_extraction
from protsae.activations.writer import write_activations
from protsae.plm import load_plm


def main(model: Path, folder: Path) -> None:
    sequences = random_sequences([20 + 7 * i % 90 for i in range(120)])
    asked = config(proteins_per_shard=2, long_sequences="window", max_residues=60, window_overlap=20)
    plan = plan_extraction([f"P{i:03d}" for i in range(120)], sequences, load_plm(model), asked)
    print("begins", flush=True)
    write_activations(plan, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
