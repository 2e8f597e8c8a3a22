"""An attribution as a graph in the JSON format of Neuronpedia and of Anthropic's attribution graphs.

Embeddings of residues point to the active codes that carry most of the score, these and the errors to the
score. Written to the schema that Neuronpedia checks uploads by (apps/webapp/app/api/graph/graph-schema.json
in its repository).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from protsae import __version__
from protsae.attribution.components import ERROR
from protsae.attribution.differentiable import EMBEDDING, DifferentiableModel
from protsae.attribution.explain import Attribution
from protsae.attribution.scores import differentiable_copy
from protsae.core.files import write_text_atomic
from protsae.plm.checkpoint import PlmModel
from protsae.plm.hook_points import parse_hook_point
from protsae.sae.base import SparseAutoencoder

_FEATURE, _ERROR, _EMBEDDING, _LOGIT = (
    "cross layer transcoder",
    "mlp reconstruction error",
    "embedding",
    "logit",
)  # the kinds that the viewer draws


def attribution_graph(
    attribution: Attribution,
    plm: PlmModel,
    sae: SparseAutoencoder,
    hook_point: str,
    *,
    slug: str,
    title: str,
    labels: Mapping[int, str] | None = None,
    n_nodes: int = 40,
) -> dict[str, Any]:
    """Return the graph.

    Links to the score are integrated gradients. Links from a residue's embedding to a code are the code's
    gradient times the embedding. What arrives at errors is not divided among residues.

    Args:
        attribution: of one protein.
        plm: the language model.
        sae: the dictionary.
        hook_point: where it reads.
        slug: the graph's name in addresses: lower-case letters, digits, `-`.
        title: what the score is.
        labels: latent to its name.
        n_nodes: most codes and errors, those of the largest attribution.
    """
    nodes = attribution.nodes
    order = nodes["integrated_gradients"].abs().sort_values(ascending=False, kind="stable").index
    chosen = nodes.loc[order[:n_nodes]].reset_index(drop=True)
    sequence, masked = "".join(attribution.residues["residue"]), attribution.residues["is_masked"].to_numpy()
    tokens = ["<mask>" if hidden else letter for letter, hidden in zip(sequence, masked, strict=True)]
    layer = parse_hook_point(hook_point, plm.n_layers).layer
    layer = plm.n_layers if layer is None else layer
    score_id = f"{plm.n_layers + 1}_0_{len(tokens) - 1}"
    named = [_node(row, str(layer), labels or {}) for row in chosen.to_dict("records")]
    links = [
        {"source": node["node_id"], "target": score_id, "weight": float(weight)}
        for node, weight in zip(named, chosen["integrated_gradients"], strict=True)
    ]
    entries = [
        _entry(
            f"E_{plm.module.alphabet.get_idx('<mask>' if hidden else letter)}_{i}",
            None,
            "E",
            i,
            _EMBEDDING,
            token,
        )
        for i, (letter, token, hidden) in enumerate(zip(sequence, tokens, masked, strict=True))
    ]
    links += _links_from_residues(chosen, named, entries, plm, sae, hook_point, sequence, masked)
    target = _entry(
        score_id, 0, str(plm.n_layers + 1), len(tokens) - 1, _LOGIT, f"{title} = {attribution.full:.4g}"
    )
    target |= {"is_target_logit": True, "activation": attribution.full}
    return {
        "metadata": {
            "slug": slug,
            "scan": plm.name,
            "prompt_tokens": tokens,
            "prompt": "".join(tokens),
            "info": {"description": title, "generator": {"name": "protsae", "version": __version__}},
            "generation_settings": {"hook_point": hook_point, "max_feature_nodes": n_nodes},
        },
        "qParams": {
            "linkType": "both",
            "pinnedIds": [],
            "supernodes": [],
            "clickedId": score_id,
            "sg_pos": "",
        },
        "nodes": [*entries, *named, target],
        "links": links,
    }


def write_graph(path: Path, graph: Mapping[str, Any]) -> None:
    """Write a graph to a file."""
    write_text_atomic(path, json.dumps(graph, allow_nan=False, indent=1) + "\n")


def _entry(node_id: str, feature: int | None, layer: str, at: int, kind: str, text: str) -> dict[str, Any]:
    return {
        "node_id": node_id,
        "feature": feature,
        "layer": layer,
        "ctx_idx": at,
        "feature_type": kind,
        "jsNodeId": f"{layer}_{feature}-{at}",
        "clerp": text,
        "influence": None,
        "activation": None,
    }


def _node(row: Mapping[Any, Any], layer: str, labels: Mapping[int, str]) -> dict[str, Any]:
    latent, at = int(row["latent"]), int(row["residue_index"])
    if latent == ERROR:
        found = _entry(f"error_{layer}_{at}", None, layer, at, _ERROR, "error of the dictionary")
    else:
        text = labels.get(latent, f"latent {latent}")
        found = _entry(f"{layer}_{latent}_{at}", latent, layer, at, _FEATURE, text)
    return found | {
        "activation": float(row["activation"]),
        "influence": abs(float(row["integrated_gradients"])),
    }


def _links_from_residues(
    chosen: pd.DataFrame,
    named: list[dict[str, Any]],
    entries: list[dict[str, Any]],
    plm: PlmModel,
    sae: SparseAutoencoder,
    hook_point: str,
    sequence: str,
    masked: Any,
) -> list[dict[str, Any]]:
    """Return links from every residue that is seen to the codes."""
    model, copy = DifferentiableModel(plm), differentiable_copy(sae)
    entrance = model.place(sequence, EMBEDDING, torch.tensor(masked.tolist()))
    x = entrance.values.clone().requires_grad_(True)
    codes = copy.encode(model.values(entrance, x[None], hook_point)[0])
    found = []
    for row, node in zip(chosen.to_dict("records"), named, strict=True):
        if row["latent"] == ERROR:
            continue
        code = codes[int(row["residue_index"]), int(row["latent"])]
        (gradient,) = torch.autograd.grad(code, x, retain_graph=True)
        weights = (gradient * x.detach()).sum(dim=1).tolist()
        found += [
            {"source": entry["node_id"], "target": node["node_id"], "weight": weight}
            for entry, weight, hidden in zip(entries, weights, masked, strict=True)
            if not hidden
        ]
    return found
