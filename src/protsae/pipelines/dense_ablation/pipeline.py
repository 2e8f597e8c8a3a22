"""Declaration of the dense_ablation pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring, as_named, node, of_dictionary, own

from .nodes import ablate_classes

_SETTINGS = {name: f"params:dense_ablation.{name}" for name in ("passes", "judging", "seed")}


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the dense_ablation pipeline: what the language model loses without each class of dense
    latents."""
    shared = as_named("plm_checkpoint", "fidelity_sequences") | _SETTINGS
    parts = (
        of_dictionary(
            name,
            [
                node(
                    ablate_classes,
                    shared | own(name, "sae_checkpoint", "latent_cards"),
                    f"{name}.dense_ablation",
                )
            ],
        )
        for name in wiring.names
    )
    return sum(parts, Pipeline([]))
