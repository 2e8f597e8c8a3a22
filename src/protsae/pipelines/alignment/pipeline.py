"""Declaration of the alignment pipeline."""

from kedro.pipeline import Pipeline

from protsae.pipelines.wiring import LABELLED, Wiring, as_named, by_part, node, of_dictionary, own

from .nodes import align_baselines, align_dictionary, collect_alignment

BASELINES = "baselines"
"""Stands for all methods that were not trained, where a dictionary's name stands."""
_SETTINGS = {name: f"params:alignment.{name}" for name in ("hook_point", "choice", "k_sparse", "baselines")}
_JUDGING = {name: _SETTINGS[name] for name in ("choice", "k_sparse")}
_OUTPUTS = ("alignment", "k_sparse", "alignment_metrics")


def _alignment_of(name: str) -> Pipeline:
    """Return what is done with each dictionary."""
    inputs = LABELLED | own(name, "residue_codes", "encoding") | _JUDGING
    return of_dictionary(name, [node(align_dictionary, inputs, [f"{name}.{output}" for output in _OUTPUTS])])


def create_pipeline(wiring: Wiring) -> Pipeline:
    """Return the alignment pipeline: which concepts single latents stand for, compared with baselines."""
    shared = [
        node(
            align_baselines,
            LABELLED | as_named("plm_checkpoint", "activation_shards") | _SETTINGS,
            [f"{BASELINES}.{output}" for output in _OUTPUTS],
        ),
        node(
            collect_alignment,
            {"choice": _SETTINGS["choice"], **by_part((*wiring.names, BASELINES), *_OUTPUTS)},
            ["concept_alignment", "alignment_summary", "k_sparse_probes", "alignment_metrics"],
        ),
    ]
    return sum((_alignment_of(name) for name in wiring.names), Pipeline(shared))
