"""Declaration of the attribution pipeline."""

from kedro.pipeline import Node, Pipeline

from .nodes import attribute_proteins, tabulate_attribution


def create_pipeline() -> Pipeline:
    """Return the attribution pipeline: predictions of a finished dictionary, divided among residues and
    latents. It reads files of a finished run, and has no ancestors."""
    tables = [f"attribution_{name}" for name in ("residues", "latents", "regions", "summary")]
    return Pipeline(
        [
            Node(
                attribute_proteins,
                inputs=[
                    *("attribution_proteins", "attribution_dictionary", "attribution_concepts"),
                    *("attribution_labels", "attribution_encoding", "plm_checkpoint", "params:attribution"),
                ],
                outputs="attribution_graphs",
                name="attribute_proteins",
            ),
            Node(
                tabulate_attribution,
                inputs="attribution_graphs",
                outputs=tables,
                name="tabulate_attribution",
            ),
        ]
    )
