"""Declaration of the fidelity pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import Wiring, as_named, by_part, node, of_dictionary, own

from .nodes import (
    choose_fidelity_sequences,
    collect_fidelity,
    judge_fidelity,
    measure_ablations,
    splice_dictionary,
)

_READ = ("spliced_losses", "reconstruction_sums", "latent_statistics", "residue_codes")
_JUDGED = ("fidelity_metrics", "density_histogram")
_HOOK_POINT = {"hook_point": "params:fidelity.hook_point"}


def _fidelity_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    spliced = ["plm_checkpoint", f"{name}.sae_checkpoint", "fidelity_sequences", "params:fidelity.passes"]
    judged = own(name, *_READ) | as_named("plm_losses") | _HOOK_POINT
    nodes = [
        node(splice_dictionary, spliced, f"{name}.spliced_losses"),
        node(
            judge_fidelity,
            judged | {"config": "params:fidelity.judging"},
            [f"{name}.{part}" for part in _JUDGED],
        ),
    ]
    return of_dictionary(name, nodes)


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the fidelity pipeline: the language model's loss with each dictionary spliced in."""
    read = as_named("plm_checkpoint", "activation_shards", "proteins", "fidelity_sequences")
    shared = [
        node(
            choose_fidelity_sequences,
            ["activation_shards", "proteins", "params:fidelity.sequences"],
            ["fidelity_sequences", "fidelity_report"],
        ),
        node(
            measure_ablations,
            read | _HOOK_POINT | {"config": "params:fidelity.passes"},
            "plm_losses",
        ),
        node(collect_fidelity, by_part(wiring.names, *_JUDGED), list(_JUDGED)),
    ]
    return sum((_fidelity_of(name) for name in wiring.names), Pipeline(shared))
