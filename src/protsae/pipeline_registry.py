"""The pipelines by name: each is its nodes and all their ancestors, so that any name runs from a clone."""

from kedro.pipeline import Pipeline

from protsae.config_loader import wiring as configured
from protsae.pipelines.assembly import ON_FILES, PIPELINES, WIRED, assemble
from protsae.pipelines.wiring import Wiring

__all__ = ["ON_FILES", "PIPELINES", "WIRED", "own_pipelines", "register_pipelines"]

BY_NAME_ONLY = frozenset(
    {"pretraining", "sweeps", "dynamics", "dense_ablation", "prediction", "steering", "attribution"}
)
"""What `__default__` leaves out: two take hours, one needs snapshots of trainings, one is an experiment,
three are for proteins or concepts that the user names. The product of pretraining comes in as an input,
`plm_checkpoint`."""
RESULTS = {"probing": "reporting.collect_metrics"}
"""Pipeline to the node of another that brings its results together: it runs along."""


def own_pipelines(wiring: Wiring | None = None) -> dict[str, Pipeline]:
    """Return the nodes of every pipeline without those of others, under its name as namespace and as tag.

    Args:
        wiring: dictionaries and source; None: those of the project's configuration.
    """
    return assemble(wiring or configured())


def register_pipelines(wiring: Wiring | None = None) -> dict[str, Pipeline]:
    """Return every pipeline that `kedro run --pipelines` knows, and `__default__`: from FASTA to report.

    Datasets keep their names. Written out by hand: `find_pipelines` loads only the requested names, and then
    no ancestors are left.

    Args:
        wiring: see `own_pipelines`.
    """
    own = own_pipelines(wiring)
    everything = sum(own.values(), Pipeline([]))
    default = sum((own[name] for name in own if name not in BY_NAME_ONLY), Pipeline([]))
    there = {node.name for node in everything.nodes}
    closed = {}
    for name, pipeline in own.items():
        goals = {node.name for node in pipeline.nodes} | ({RESULTS.get(name, "")} & there)
        closed[name] = everything.to_nodes(*sorted(goals)) if goals else pipeline
    return {"__default__": default, **closed}
