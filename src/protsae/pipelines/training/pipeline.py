"""Declaration of the training pipeline."""

from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node, Pipeline

from .nodes import read_training_log, train_protsae, train_topk

_STORED = ("activation_shards", "proteins")
_KNOWLEDGE = ("protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms", "warm_start")
_SETTINGS = ("hook_point", "d_sae", "k", "seed", "trainer")


def _dictionary(
    method: str, train: Callable[..., Any], tables: tuple[str, ...], settings: tuple[str, ...]
) -> Pipeline:
    """Return the template of one dictionary: its checkpoint and its log, under its own namespace."""
    parameters = {name: f"params:training.{name}" for name in settings}
    node = Node(
        train,
        inputs={**{name: name for name in tables}, **parameters},
        outputs="sae_checkpoint",
        name=train.__name__,
    )
    log = Node(read_training_log, inputs="sae_checkpoint", outputs="training_log", name="read_training_log")
    return Pipeline([node, log], namespace=method, inputs=set(tables), parameters=set(parameters.values()))


def create_pipeline() -> Pipeline:
    """Return the training pipeline: ProtSAE, and TopK beside it."""
    protsae = _dictionary("protsae", train_protsae, _STORED + _KNOWLEDGE, (*_SETTINGS, "guidance"))
    return protsae + _dictionary("topk", train_topk, _STORED, _SETTINGS)
