"""Declaration of the cards pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import ONTOLOGY, Wiring, as_named, node, of_dictionary, own

from .nodes import (
    DESCRIBED,
    MEASURED,
    compare_directions,
    describe_activity,
    describe_tables,
    enrich_latents,
    find_topics,
    join_cards,
    measure_effects,
)


def _setting(name: str) -> dict[str, str]:
    return {"config": f"params:cards.{name}"}


_ACTIVITY = {"activity": "params:cards.activity"}
_CARRIED = as_named("proteins", "protein_concepts", "concept_terms")


def _cards_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    checkpoint = own(name, "sae_checkpoint")
    windows = own(name, "latent_activity", "latent_windows", "latent_examples")
    nodes = [
        node(
            describe_activity,
            own(name, "residue_codes", "latent_statistics") | as_named("proteins") | _setting("activity"),
            [f"{name}.latent_activity", f"{name}.latent_windows"],
        ),
        node(compare_directions, checkpoint | _setting("directions"), f"{name}.latent_directions"),
        node(
            measure_effects,
            as_named("plm_checkpoint", "proteins") | checkpoint | windows | _ACTIVITY | _setting("effects"),
            f"{name}.latent_effects",
        ),
        node(
            enrich_latents,
            own(name, "encoding") | _CARRIED | as_named("labelled_aspects") | _setting("enrichment"),
            [f"{name}.latent_enrichment", f"{name}.enrichment_counts"],
        ),
        node(
            find_topics,
            own(name, "encoding") | _CARRIED | _setting("topics"),
            [f"{name}.latent_topics", f"{name}.topics"],
        ),
        node(
            join_cards,
            own(name, *MEASURED) | as_named("proteins") | ONTOLOGY | _ACTIVITY | _setting("dense"),
            [f"{name}.latent_cards", f"{name}.card_summary"],
        ),
        node(
            describe_tables,
            checkpoint | as_named("proteins") | own(name, *DESCRIBED),
            [f"{name}.{table}_tsv" for table in DESCRIBED],
        ),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the cards pipeline: what every latent of every dictionary does."""
    return sum((_cards_of(name) for name in wiring.names), Pipeline([]))
