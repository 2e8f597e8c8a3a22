"""The nodes of every pipeline, without those of others."""

from importlib import import_module

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring

PIPELINES = (
    *("ingestion", "annotation", "splitting", "labelling", "extraction", "training", "encoding", "fidelity"),
    *("probing", "interpretation", "disentanglement", "alignment", "cards", "explanation"),
    *("missing_annotations", "reporting", "release", "explorer"),
    *("pretraining", "sweeps", "dynamics", "dense_ablation", "prediction", "steering"),
    "attribution",
)
"""Packages of `protsae.pipelines`, in the order of their work."""
WIRED = frozenset(PIPELINES) - {
    *("ingestion", "annotation", "splitting", "labelling", "pretraining", "sweeps", "prediction", "steering"),
    "attribution",
}
"""Those whose nodes follow from the list of dictionaries."""
ON_FILES = ("extraction", "training", "dynamics")
"""What there is where activations come from files of any origin."""


def assemble(wiring: Wiring) -> dict[str, Pipeline]:
    """Return the nodes of every pipeline, under its name as namespace and as tag.

    Args:
        wiring: dictionaries and source.
    """
    names = ON_FILES if wiring.source == "parquet" else PIPELINES
    found = {}
    for name in names:
        create = import_module(f"protsae.pipelines.{name}").create_pipeline
        nodes = (create(wiring) if name in WIRED else create()).nodes
        found[name] = Pipeline(nodes, namespace=name, prefix_datasets_with_namespace=False, tags=name)
    return found
