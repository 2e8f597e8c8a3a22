"""All that is known of why a language model and a dictionary predict something of one protein, as tables."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from protsae.attribution import regions as eagle
from protsae.attribution.components import (
    ERROR,
    Components,
    Floats,
    ablations,
    node_attributions,
    value_attributions,
)
from protsae.attribution.config import AttributionConfig, TargetConfig
from protsae.attribution.differentiable import EMBEDDING, DifferentiableModel, Place
from protsae.attribution.faithfulness import curve, learned_mask
from protsae.attribution.scores import Score, latent_score, logit_score, predictor_score, seen_from
from protsae.attribution.seen import concept_seen, residues_seen
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.plm.checkpoint import PlmModel
from protsae.sae.base import SparseAutoencoder

REGION_COLUMNS = ("rank", "start", "end", "insight", "necessity", "occlusion", "gradient")


@dataclass(frozen=True)
class Attribution:
    """Outcome for one protein; docs/attribution.md says what each column means."""

    full: float
    """The score."""
    empty: float
    """The score without any latent and without the error."""
    nodes: pd.DataFrame
    """`residue_index`, `latent` (-1: error), `activation`,
    `gradient_x_activation`, `integrated_gradients`."""
    latents: pd.DataFrame
    """`latent`, `n_residues`, `gradient_x_activation`, `integrated_gradients`, `ablation`, `learned_mask`."""
    residues: pd.DataFrame
    """`residue_index`, `residue`, `is_masked`, `at_hook_point`, `at_input`, `occlusion`."""
    regions: pd.DataFrame
    """`REGION_COLUMNS`: `start` is 0-based, `end` exclusive. No rows without `config.regions`."""
    curves: pd.DataFrame
    """`what` (latents, regions), `method`, `n`, `kept`, `removed`: faithfulness of the first n and of all
    others, or the probability with the first n regions and without them."""
    summary: pd.DataFrame
    """`what`, `method`, `n_kept`, `n_settled`, `insertion_auc`, `deletion_auc`."""


def attribute(
    sequence: str,
    plm: PlmModel,
    sae: SparseAutoencoder,
    hook_point: str,
    target: TargetConfig,
    config: AttributionConfig | None = None,
) -> Attribution:
    """Say which latents and which residues carry a prediction.

    Args:
        sequence: the protein.
        plm: the language model.
        sae: the dictionary.
        hook_point: where it reads.
        target: the prediction.
        config: settings.

    Raises:
        InputError: a target that does not fit, an unknown hook point, or a letter that is no residue.
    """
    config = config or AttributionConfig()
    run = _Run(sequence, plm, sae, hook_point, target)
    components = Components.of(sae, run.place.values)
    worth, nodes = _worth(run.score, components, config)
    latents = _latent_table(components, nodes, worth)
    curves, summary = _latent_curves(run.score, components, worth, config)
    residues = run.residues(nodes["integrated_gradients"], config.steps)
    regions = pd.DataFrame(columns=list(REGION_COLUMNS))
    if config.regions:
        regions, more_curves, more_summary = _regions(run, residues, config)
        curves = pd.concat([curves, more_curves], ignore_index=True)
        summary = pd.concat([summary, more_summary], ignore_index=True)
    empty, full = components.ends(run.score)
    return Attribution(
        full,
        empty,
        _node_table(components, nodes),
        latents,
        residues,
        regions,
        curves,
        summary,
    )


class _Run:
    """One protein and its prediction."""

    def __init__(
        self, sequence: str, plm: PlmModel, sae: SparseAutoencoder, hook_point: str, target: TargetConfig
    ) -> None:
        self.sequence = sequence
        model = DifferentiableModel(plm)
        at = [position - 1 for position in target.positions] if target.kind == "logit" else []
        self.masked = np.zeros(len(sequence), dtype=bool)
        if wrong := [i + 1 for i in at if not 0 <= i < len(sequence)]:
            raise InputError(f"position {wrong[0]} lies outside the protein of {len(sequence)} residues")
        self.masked[at] = True
        masked = torch.from_numpy(self.masked)
        self.place: Place = model.place(sequence, hook_point, masked)
        self.entrance = model.place(sequence, EMBEDDING, masked)
        if target.kind == "logit":
            letters = (at, target.letters, target.against or None)
            self.score: Score = logit_score(model, self.place, *letters)
            self.of_input: Score = logit_score(model, self.entrance, *letters)
            self.seen = residues_seen(plm, sequence, at, target.letters)
        else:
            if target.kind == "predictor":
                self.score = predictor_score(sae, target.concept_id)
            else:
                self.score = latent_score(sae, target.latent, target.pooling)
            self.of_input = seen_from(model, self.entrance, hook_point, self.score)
            self.seen = concept_seen(plm, sequence, hook_point, self.score)

    def residues(self, nodes: Floats, steps: int) -> pd.DataFrame:
        """Return the table of residues."""
        single = np.eye(len(self.sequence), dtype=bool)[~self.masked]
        fall = np.zeros(len(self.sequence))
        fall[~self.masked] = eagle.occlusion(self.seen, single)
        return pd.DataFrame(
            {
                "residue_index": np.arange(len(self.sequence)),
                "residue": list(self.sequence),
                "is_masked": self.masked,
                "at_hook_point": nodes.sum(axis=1),
                "at_input": value_attributions(self.of_input, self.entrance.values, steps),
                "occlusion": fall,
            }
        )


def _worth(
    score: Score, components: Components, config: AttributionConfig
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Return what components are worth by every method, and nodes by the fast ones."""
    nodes = {
        "gradient_x_activation": node_attributions(score, components),
        "integrated_gradients": node_attributions(score, components, config.steps),
    }
    worth = {name: values.sum(axis=0) for name, values in nodes.items()}
    worth["ablation"] = ablations(score, components)
    worth["learned_mask"] = learned_mask(score, components, config.share, config.mask_steps)
    return worth, nodes


def _node_table(components: Components, nodes: Mapping[str, Floats]) -> pd.DataFrame:
    size = components.error.norm(dim=1, keepdim=True)
    activation = torch.cat([components.codes, size], dim=1).numpy()
    rows, columns = np.nonzero(activation)
    latents = np.array(components.latents)
    return pd.DataFrame(
        {
            "residue_index": rows,
            "latent": latents[columns],
            "activation": activation[rows, columns],
            **{name: values[rows, columns] for name, values in nodes.items()},
        }
    )


def _latent_table(
    components: Components, nodes: Mapping[str, Floats], worth: Mapping[str, Floats]
) -> pd.DataFrame:
    active = (components.codes > 0).sum(dim=0).tolist()
    table = pd.DataFrame(
        {"latent": components.latents, "n_residues": [*active, len(components.codes)], **worth}
    )
    order = table["integrated_gradients"].abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].reset_index(drop=True)


def _latent_curves(
    score: Score, components: Components, worth: Mapping[str, Floats], config: AttributionConfig
) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = numpy_generator(config.seed, "attribution", "latents").random(len(components))
    rows, summary = [], []
    for method, values in {**worth, "random": random}.items():
        found = curve(score, components, values)
        rows.append(_curve_rows("latents", method, found.faithfulness, found.completeness))
        summary.append(
            _summary_row("latents", method, found.n_kept(config.share), found.n_settled(config.share))
        )
    return pd.concat(rows), pd.DataFrame(summary)


def _regions(
    run: _Run, residues: pd.DataFrame, config: AttributionConfig
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    places = eagle.windows(len(run.sequence), config.window, run.masked)
    found = eagle.greedy(run.seen, places)
    gradient = places @ residues["at_input"].to_numpy()
    fall = eagle.occlusion(run.seen, places)
    orders = {
        "eagle": found.order,
        "occlusion": np.argsort(-fall, kind="stable").tolist(),
        "gradient": np.argsort(-gradient, kind="stable").tolist(),
        "random": numpy_generator(config.seed, "attribution", "regions").permutation(len(places)).tolist(),
    }
    rank, start = np.arange(1, len(places) + 1), places.argmax(axis=1)[found.order]
    end = places.shape[1] - places[:, ::-1].argmax(axis=1)[found.order]
    order = found.order
    columns = (rank, start, end, found.insight, found.necessity, fall[order], gradient[order])
    table = pd.DataFrame(dict(zip(REGION_COLUMNS, columns, strict=True)))
    rows, summary = [], []
    for method, order in orders.items():
        of = eagle.curves(run.seen, places, order)
        rows.append(_curve_rows("regions", method, of.insertion, of.deletion))
        summary.append(_summary_row("regions", method, np.nan, np.nan, of.insertion_auc, of.deletion_auc))
    return table, pd.concat(rows), pd.DataFrame(summary)


def _curve_rows(what: str, method: str, kept: Floats, removed: Floats) -> pd.DataFrame:
    n = np.arange(len(kept))
    return pd.DataFrame({"what": what, "method": method, "n": n, "kept": kept, "removed": removed})


def _summary_row(
    what: str,
    method: str,
    n_kept: float,
    n_settled: float,
    insertion_auc: float = np.nan,
    deletion_auc: float = np.nan,
) -> dict[str, object]:
    counts = {"n_kept": n_kept, "n_settled": n_settled}
    return {
        "what": what,
        "method": method,
        **counts,
        "insertion_auc": insertion_auc,
        "deletion_auc": deletion_auc,
    }


__all__ = ["ERROR", "Attribution", "AttributionConfig", "TargetConfig", "attribute"]
