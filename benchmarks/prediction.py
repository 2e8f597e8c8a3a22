"""Time and memory of prediction.

    python benchmarks/prediction.py [--release demo] [--rounds 2] [--output docs/results/prediction.json]

- `seconds_one`: wall clock of `kedro run --pipelines prediction` on one protein, in a fresh clone of this
  commit without data and without anything compiled; `seconds_again` of another protein, in the same clone.
- `over_extraction_1000`: seconds that predicting 1,000 proteins takes, over those that extracting them takes;
  proteins of Swiss-Prot at equal distances in rank by length (of `../shared/data` if it is there, else random
  residues of such lengths). Both in this process, in turn; the best of the rounds counts.
- `peak_mb_1000`, `peak_mb_10000`: peak resident memory (VmHWM) of processes that predict so many proteins of
  20 to 60 residues.

The last line printed is one JSON object.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from helpers.extraction_inputs import proteins_of, random_proteins
from helpers.provenance import ROOT, peak_mb, provenance, write_json
from helpers.writing import write_fasta
from protsae.activations.config import ExtractionConfig
from protsae.activations.plan import plan_extraction
from protsae.prediction.config import PredictionConfig
from protsae.prediction.plan import plan_prediction
from protsae.prediction.proteins import Proteins
from protsae.prediction.result import Prediction
from protsae.release import Release, open_release
from protsae.sequences.fasta import FastaRecord

RESIDUES_1000 = 344_000
"""Of about 1,000 proteins of the kind `mixed`."""


def proteins(sequences: list[str]) -> Proteins:
    """Return proteins with made-up ids."""
    return Proteins(
        tuple(f"P{i}" for i in range(len(sequences))), ("",) * len(sequences), tuple(sequences), {}
    )


def settings(release: Release) -> ExtractionConfig:
    """Return the defaults of an extraction at the layer of a release."""
    return ExtractionConfig(hook_point=release.record.hook_point)


def predict(release: Release, given: Proteins, folder: Path) -> None:
    """Predict into a folder."""
    plan_prediction(release, given, [], settings(release), PredictionConfig()).run(folder)


def seconds_in_a_clone(release: str) -> list[float]:
    """Return the seconds of one protein in a fresh clone, and of another one."""
    with tempfile.TemporaryDirectory() as temporary:
        clone, found = Path(temporary) / "clone", []
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        for i, sequence in enumerate(random_proteins(300, 302, 2)):
            write_fasta(clone / "one.fasta", [FastaRecord(f"P{i}", "", sequence)])
            params = f"prediction.fasta=one.fasta,prediction.release={release}"
            start = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "kedro", "run", "--pipelines", "prediction", "--params", params],
                cwd=clone,
                env={**os.environ, "PYTHONPATH": str(clone / "src")},
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            found.append(round(time.perf_counter() - start, 2))
            table = Prediction(clone / "data/07_model_output/prediction").table("proteins")
            assert table["protein_id"].tolist() == [f"P{i}"]
        return found


def against_extraction(release: Release, rounds: int) -> dict[str, Any]:
    """Return seconds of both for about 1,000 proteins."""
    given = proteins(proteins_of("mixed", RESIDUES_1000))
    model = release.load_plm()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        predict(release, proteins(random_proteins(30, 60, 20)), folder / "compiled")
        best = {"extraction": float("inf"), "prediction": float("inf")}
        for i in range(rounds):
            start = time.perf_counter()
            plan_extraction(given.ids, given.sequences, model, settings(release)).run(folder / f"shards{i}")
            between = time.perf_counter()
            predict(release, given, folder / f"tables{i}")
            seconds = {"extraction": between - start, "prediction": time.perf_counter() - between}
            best = {name: min(best[name], value) for name, value in seconds.items()}
    return {
        "n_proteins": len(given.ids),
        "n_residues": sum(map(len, given.sequences)),
        **{f"seconds_{name}_1000": round(value, 2) for name, value in best.items()},
        "over_extraction_1000": round(best["prediction"] / best["extraction"], 3),
    }


def peak_of(release: str, n: int) -> float:
    """Return the peak memory of a process that predicts n short proteins."""
    command = [sys.executable, __file__, "--release", release, "--peak", str(n)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    """Run the parts, and write and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", default="demo")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--peak", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    release = open_release(options.release)
    if options.peak:
        with tempfile.TemporaryDirectory() as temporary:
            predict(release, proteins(random_proteins(20, 60, options.peak)), Path(temporary) / "out")
        print(peak_mb())
        return
    about, load = provenance(), os.getloadavg()[0]
    one, again = seconds_in_a_clone(options.release)
    result = {
        **about,
        "release": release.name,
        "load_average": [round(load, 1), round(os.getloadavg()[0], 1)],
        "seconds_one": one,
        "seconds_again": again,
        **against_extraction(release, options.rounds),
        "peak_mb_1000": peak_of(options.release, 1000),
        "peak_mb_10000": peak_of(options.release, 10_000),
    }
    result["load_average"].append(round(os.getloadavg()[0], 1))
    if options.output:
        write_json(options.output, result)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
