"""Spoils files, kills runs and looks at what is lost: bits flipped in what plans keep, inputs of every
format, and `kedro run` ended by SIGKILL.

`make fuzz` (`python benchmarks/reliability.py`) writes docs/results/reliability.json.
tests/fuzz has the same in short.
"""

import argparse
import importlib
import json
import logging
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from helpers.provenance import ROOT, provenance, write_json

RESULTS = ROOT / "docs/results/reliability.json"
_MAX_MEMORY = 12 << 30


def flips(n: int, seed: int, only: list[str]) -> dict[str, Any]:
    """Flip `n` bits in the files that plans of every kind keep, finished and interrupted."""
    fuzz = importlib.import_module("tests.fuzz.flips")
    lost: list[str] = []
    tried: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        flippers = {}
        for name in only or fuzz.WORKS:
            given = Path(folder) / f"of {name}"
            given.mkdir()
            flippers[name] = fuzz.Flipper(fuzz.WORKS[name](given), Path(folder) / name)
        for number in range(n):
            name = list(flippers)[number % len(flippers)]
            try:
                flippers[name].try_one(Random(f"{seed} {number}"))
            except Exception as error:  # noqa: BLE001  (any is a finding)
                lost.append(f"{name}, flip {number}: {type(error).__name__}: {str(error)[:200]}")
                flippers[name].restore()
            tried[name] += 1
    return {"tried": dict(tried), "not_rebuilt_to_the_same_bytes": len(lost), "lost": lost}


def inputs(n: int, seed: int, only: list[str]) -> dict[str, Any]:
    """Give readers `n` spoilt files."""
    fuzz, readers = (importlib.import_module(f"tests.fuzz.{name}") for name in ("inputs", "readers"))
    names = only or list(readers.READERS)
    outcomes: dict[str, Counter[str]] = {name: Counter() for name in names}
    found: list[str] = []
    slowest = 0.0
    for index, name in enumerate(names):
        with tempfile.TemporaryDirectory() as folder:
            spoiler = fuzz.Spoiler(name, Path(folder))
            for number in range(index, n, len(names)):
                started = time.process_time()
                try:
                    outcomes[name][spoiler.try_one(Random(f"{seed} {number}"))] += 1
                except Exception as error:  # noqa: BLE001  (any is a finding)
                    outcomes[name]["failed"] += 1
                    found.append(f"{name}, input {number}: {type(error).__name__}: {str(error)[:200]}")
                slowest = max(slowest, time.process_time() - started)
    total = sum(outcomes.values(), Counter())
    return {
        "tried": total.total(),
        "read": total["read"],
        "refused_by_name": total["refused"],
        "other_errors_or_over_5_processor_seconds": total["failed"],
        "slowest_processor_seconds": round(slowest, 2),
        "formats": {name: dict(sorted(counts.items())) for name, counts in outcomes.items()},
        "failed": found,
    }


def kills(n: int, seed: int, only: list[str]) -> dict[str, Any]:
    """Kill `n` runs at random moments of the demo, of pretraining and of a sweep, each in the miniature."""
    fuzz, miniature = (importlib.import_module(f"tests.{name}") for name in ("fuzz.kills", "conftest"))
    names = only or list(fuzz.RUNS)
    hit: dict[str, Counter[str]] = {name: Counter() for name in names}
    lost: list[str] = []
    repeated = unfinished = 0
    for index, name in enumerate(names):
        with tempfile.TemporaryDirectory() as folder:
            killer = fuzz.Killer(miniature.Miniature(Path(folder) / "project"), *fuzz.RUNS[name])
            for number in range(index, n, len(names)):
                try:
                    kill = killer.try_one(Random(f"{seed} {number}"))
                except Exception as error:  # noqa: BLE001  (any is a finding)
                    lost.append(f"{name}, kill {number}: {type(error).__name__}: {str(error)[:1000]}")
                    continue
                hit[name][kill.last] += 1
                repeated += kill.repeated
                unfinished += kill.unfinished
    return {
        "tried": n,
        "not_finished_with_the_same_bytes": len(lost),
        "lost": lost,
        "nodes_repeated": repeated,
        "temporary_files_left": unfinished,
        "not_compared": ["08_reporting/run.json", "dot files: .cache/, .live.jsonl, .seconds.json"],
        "last_node_begun": {name: dict(sorted(counts.items())) for name, counts in hit.items()},
    }


def main() -> None:
    """Run what is asked for, and add it to the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--flips", type=int, default=2000)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=24)
    parser.add_argument("--only", nargs="*", default=[], help="formats or kinds; results gain `_of_some`")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))  # who asks for more has failed
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    sys.path.insert(0, str(ROOT))
    results = json.loads(arguments.output.read_text()) if arguments.output.is_file() else {}
    origin = provenance()
    parts = ((inputs, arguments.inputs), (flips, arguments.flips), (kills, arguments.kills))
    for part, n in parts:
        if n:
            started = time.perf_counter()
            content = part(n, arguments.seed, arguments.only)
            seconds = round(time.perf_counter() - started)
            key = f"{part.__name__}_of_some" if arguments.only else part.__name__
            results[key] = {**origin, "seconds": seconds, **content}
            write_json(arguments.output, results)
            print(part.__name__, {key: value for key, value in content.items() if key != "formats"})


if __name__ == "__main__":
    main()
