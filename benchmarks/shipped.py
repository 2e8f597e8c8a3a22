"""The releases that come with the package, from finished runs: `make shipped`.

    kedro run                   # both runs have to be there: this script trains nothing
    kedro run --env antibody
    python benchmarks/shipped.py [--only demo]

Each is what the pipeline `release` puts together of that run's datasets, so that a table that joins the
pipeline joins these too; one that the run does not have yet is computed from those that it has. Equal inputs
give equal bytes.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from helpers.finished_run import FinishedRun
from helpers.provenance import ROOT
from protsae.core.files import sha256_file
from protsae.pipelines.assembly import assemble
from protsae.pipelines.release import create_pipeline
from protsae.pipelines.wiring import Wiring
from protsae.release import Release, write_release

TARGET = ROOT / "src/protsae/release/shipped"


class Shipped(NamedTuple):
    """Where a release comes from."""

    environment: str
    dictionary: str
    plm: str | None
    """Weights that have to be those of the run; None: none go in, those of another release serve."""
    settings: dict[str, Any]
    """Changed settings of the pipeline `release`."""


ANTIBODIES = "8,000 of 43,604 simulated human antibody variable domains (docs/antibody.md)"
SHIPPED = {
    "demo": Shipped("base", "protsae", "data/01_raw/demo/esm2_mini.safetensors", {}),
    "demo_topk": Shipped("base", "topk", None, {}),
    "antibody": Shipped(
        "antibody",
        "protsae",
        "data/01_raw/antibody/esm2_antibody.safetensors",
        {"max_train_sequences": 1000, "description": ANTIBODIES},
    ),
}


def ship(name: str, run: FinishedRun) -> Release:
    """Write one release from its finished run."""
    shipped = SHIPPED[name]
    (node,) = create_pipeline(Wiring({shipped.dictionary: shipped.dictionary})).nodes
    inputs = {argument: loaded(run, dataset, shipped) for argument, dataset in node._inputs.items()}
    content = node.func(**{**inputs, "config": inputs["config"].model_copy(update=shipped.settings)})
    if shipped.plm is None:
        content = replace(content, plm=None)
    elif content.plm is None or sha256_file(content.plm) != sha256_file(ROOT / shipped.plm):
        raise SystemExit(f"{name}: the run was made with another language model than {shipped.plm}")
    return write_release(TARGET / name, content)


def loaded(run: FinishedRun, dataset: str, shipped: Shipped) -> Any:
    """Return a dataset of the run; a table of this dictionary that was not made yet is computed from what the
    run has, and not kept there."""
    if dataset.startswith("params:") or run.exists(dataset):
        return run.load(dataset)
    nodes = assemble(Wiring({shipped.dictionary: shipped.dictionary}))
    makers = [n for part in nodes.values() for n in part.nodes if dataset in n.outputs]
    if not makers or not dataset.startswith(f"{shipped.dictionary}.") or "training" in makers[0].tags:
        raise SystemExit(
            f"{dataset} is missing: finish the run first, `kedro run --env {shipped.environment}`"
        )
    print(f"computing {dataset}")
    (maker,) = makers
    found = maker.run({name: loaded(run, name, shipped) for name in maker.inputs})
    return found[dataset]


def main(argv: Sequence[str] | None = None) -> None:
    """Write the releases named, or all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=SHIPPED)
    only = parser.parse_args(argv).only
    for name in SHIPPED if only is None else [only]:
        release = ship(name, FinishedRun(SHIPPED[name].environment))
        size = sum(path.stat().st_size for path in release.path.iterdir()) / 1e6
        print(f"{release.path.relative_to(ROOT)}: {size:.1f} MB, {', '.join(release.record.files)}")


if __name__ == "__main__":
    main()
