"""The pipelines by name: each is its nodes and all their ancestors, so that any name runs from a clone."""

from kedro.pipeline import Pipeline

from protsae.pipelines import (
    alignment,
    annotation,
    disentanglement,
    dynamics,
    extraction,
    fidelity,
    ingestion,
    interpretation,
    labelling,
    parquet_training,
    pretraining,
    probing,
    reporting,
    splitting,
    sweeps,
    training,
)

PIPELINES = {
    "ingestion": ingestion,
    "annotation": annotation,
    "splitting": splitting,
    "labelling": labelling,
    "extraction": extraction,
    "training": training,
    "fidelity": fidelity,
    "probing": probing,
    "interpretation": interpretation,
    "disentanglement": disentanglement,
    "alignment": alignment,
    "reporting": reporting,
    "pretraining": pretraining,
    "sweeps": sweeps,
    "parquet_training": parquet_training,
    "dynamics": dynamics,
}
BY_NAME_ONLY = frozenset({"pretraining", "sweeps", "parquet_training", "dynamics"})
"""What `__default__` leaves out: two take hours, one needs a folder of files, one snapshots of trainings. The
product of pretraining comes in as an input, `plm_checkpoint`."""


def own_pipelines() -> dict[str, Pipeline]:
    """Return the nodes of every pipeline without those of others, each tagged with its pipeline's name."""
    return {name: Pipeline(module.create_pipeline().nodes, tags=name) for name, module in PIPELINES.items()}


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline that `kedro run --pipelines` knows, and `__default__`: from FASTA to report.

    Written out by hand: `find_pipelines` loads only the requested names, and then no ancestors are left.
    """
    own = own_pipelines()
    everything = sum(own.values(), Pipeline([]))
    default = sum((own[name] for name in own if name not in BY_NAME_ONLY), Pipeline([]))
    closed = {
        name: everything.to_nodes(*(node.name for node in pipeline.nodes)) if pipeline.nodes else pipeline
        for name, pipeline in own.items()
    }
    return {"__default__": default, **closed}
