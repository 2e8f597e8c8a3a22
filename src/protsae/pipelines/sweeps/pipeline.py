"""Declaration of the sweeps pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import collect_sweep, compare_members, plan_sweep, plot_members

_TABLES = ("proteins", "protein_labels", "labelled_aspects", "residue_labels", "concepts", "axioms")
_INPUTS = ("activation_shards", *_TABLES, "concept_terms", "concept_relations")


def create_pipeline() -> Pipeline:
    """Return the sweeps pipeline: a list of settings to members, their metrics, and comparisons."""
    of_training = {name: f"params:training.{name}" for name in ("d_sae", "k", "trainer", "guidance")}
    own = {"sweep": "params:sweeps.sweep", "judging": "params:sweeps.judging"}
    return Pipeline(
        [
            Node(
                plan_sweep,
                inputs={**{name: name for name in _INPUTS}, **of_training, **own},
                outputs="sweep_members",
                name="plan_sweep",
            ),
            Node(collect_sweep, inputs="sweep_members", outputs="sweep_metrics", name="collect_sweep"),
            Node(
                compare_members,
                inputs=["sweep_metrics", "params:sweeps.sweep"],
                outputs=["sweep_comparison", "sweep_ablations"],
                name="compare_members",
            ),
            Node(
                plot_members,
                inputs=[
                    *("sweep_metrics", "params:sweeps.sweep", "params:dictionaries", "params:comparison"),
                ],
                outputs=["figure_sweep_curves", "figure_sweep_ablations", "figure_sweep_layers"],
                name="plot_members",
            ),
        ]
    )
