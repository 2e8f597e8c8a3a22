"""Declaration of the training pipeline."""

from kedro.pipeline import Node, Pipeline

from protsae.pipelines.wiring import Wiring, bound, of_dictionary

from .nodes import plan_guided_training, plan_training, read_training_log

_STORED = ("activation_shards", "proteins")
_KNOWLEDGE = ("protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms", "warm_start")
_SETTINGS = ("hook_point", "d_sae", "k", "seed", "trainer")


def _training_of(name: str, *, guided: bool) -> Pipeline:
    """Return what makes one dictionary: its checkpoint and its log."""
    plan = plan_guided_training if guided else plan_training
    tables = (*_STORED, *_KNOWLEDGE) if guided else _STORED
    settings = (*_SETTINGS, "guidance") if guided else _SETTINGS
    inputs = {
        **{table: table for table in tables},
        "dictionary": f"params:dictionaries.{name}",
        **{setting: f"params:training.{setting}" for setting in settings},
    }
    checkpoint, log = f"{name}.sae_checkpoint", f"{name}.training_log"
    nodes = [
        Node(bound(plan, name=name), inputs=inputs, outputs=checkpoint, name=plan.__name__),
        Node(read_training_log, inputs=checkpoint, outputs=log, name="read_training_log"),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the training pipeline: every dictionary of the list."""
    return sum((_training_of(name, guided=name in wiring.guided) for name in wiring.names), Pipeline([]))
