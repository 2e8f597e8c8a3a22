"""What the demo costs, for the forecasts of `kedro run --plan`.

    python benchmarks/foresight.py DEMO OTHER

Both are data roots of finished runs on one machine: of the demo, while the machine did little else, and of
other data. Writes `src/protsae/caching/foresight.json`: the demo's sizes, and by kind of node seconds, bytes
and peak memory in MB, the means over the dictionaries (of memory: the maximum). `off` is
|forecast / measured - 1| of the demo's sums (of memory: of its maximum), foreseen from the other run;
`off_other` is that of the other run, foreseen from the demo. The commit is that of the demo's run.
"""

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

from helpers.provenance import ROOT, provenance, write_json
from protsae.caching.foresight import FIGURES, Cost, Foresight, kind_of, total
from protsae.caching.records import read_json
from protsae.caching.sizes import model_shape, sizes_of

Run = tuple[dict[str, Any], dict[str, Cost]]
"""Figures as `FIGURES` has them, and the costs by name of node."""


def finished_run(root: Path) -> Run:
    """Return what a run's own `run.json` and report of sequences say."""
    run = read_json(root / "08_reporting" / "run.json")
    report = read_json(root / "02_intermediate" / "sequence_report.json")
    shape = model_shape(ROOT / run["inputs"]["plm_checkpoint"]["path"])
    if run["status"] != "succeeded" or shape is None:
        raise SystemExit(f"{root}: no finished run, or its language model is not in {ROOT}")
    sizes = sizes_of(run["parameters"], (report["n_proteins"], report["n_residues"]), shape)
    nodes = {
        name: Cost(node["seconds"], node["bytes_written"], node["peak_memory_mb"])
        for name, node in run["nodes"].items()
    }
    by_kind: dict[str, list[Cost]] = {}
    for name, cost in nodes.items():
        by_kind.setdefault(kind_of(name), []).append(cost)
    means = {
        kind: [
            round(mean(c.seconds for c in costs), 3),
            round(mean(c.n_bytes for c in costs)),
            round(total(costs).peak_mb),
        ]
        for kind, costs in sorted(by_kind.items())
    }
    return {"commit": run["commit"][:12], "sizes": sizes, "nodes": means}, nodes


def off(target: Run, source: Run) -> dict[str, float]:
    """Return the relative errors of a run that is foreseen from another, over the nodes that both have."""
    foresight = Foresight(target[0]["sizes"], [], source[0])
    pairs = [(foresight.cost(name, None), cost) for name, cost in target[1].items()]
    expected, found = total(e for e, _ in pairs if e), total(m for e, m in pairs if e)
    print(f"foreseen {expected}, measured {found}")
    names = ("seconds", "n_bytes", "peak_mb")
    return {name: round(abs(getattr(expected, name) / getattr(found, name) - 1), 3) for name in names}


def main() -> None:
    """Measure the errors, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("demo", type=Path, help="data root of a finished run of the demo")
    parser.add_argument("other", type=Path, help="data root of a finished run of other data")
    parser.add_argument("--what", default="8,000 antibodies", help="what the other data are")
    parser.add_argument("--output", type=Path, default=FIGURES)
    arguments = parser.parse_args()
    demo, other = finished_run(arguments.demo), finished_run(arguments.other)
    errors = {"off_from": arguments.what, "off": off(demo, other), "off_other": off(other, demo)}
    origin = {**provenance(), "command": "python benchmarks/foresight.py DEMO OTHER"}
    write_json(arguments.output, {**origin, **errors, **demo[0]})


if __name__ == "__main__":
    main()
