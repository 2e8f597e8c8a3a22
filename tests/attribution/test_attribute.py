"""All tables of one protein together, and the graph for Neuronpedia."""

import json

import numpy as np
import pytest
import torch
from jsonschema import Draft7Validator, ValidationError
from tests.attribution.test_gradients import HOOK_POINT, TEXT, protsae, topk
from tests.plm.tiny_esm2 import tiny_model

from protsae.attribution.differentiable import EMBEDDING, DifferentiableModel
from protsae.attribution.explain import AttributionConfig, TargetConfig, attribute
from protsae.attribution.graph import attribution_graph, write_graph
from protsae.core.errors import InputError

CONFIG = AttributionConfig(steps=64, window=3)
LOGIT = TargetConfig(kind="logit", positions=(4, 10), letters="AC", against="CA")
TARGETS = {
    "predictor": TargetConfig(kind="predictor", concept_id="GO:2"),
    "latent": TargetConfig(kind="latent", latent=1, pooling="top"),
    "logit": LOGIT,
}

# What Neuronpedia requires of a graph (apps/webapp/app/api/graph/graph-schema.json), written anew.
_TEXT, _NUMBER = {"type": "string"}, {"type": "number"}
SCHEMA = {
    "type": "object",
    "required": ["metadata", "qParams", "nodes", "links"],
    "properties": {
        "metadata": {
            "type": "object",
            "required": ["slug", "scan", "prompt_tokens", "prompt"],
            "properties": {
                **dict.fromkeys(("slug", "scan", "prompt"), _TEXT),
                "prompt_tokens": {"type": "array", "items": _TEXT},
                "info": {
                    "type": "object",
                    "properties": {
                        "description": _TEXT,
                        "generator": {"type": "object", "properties": {"name": _TEXT, "version": _TEXT}},
                    },
                },
                "generation_settings": {
                    "type": "object",
                    "properties": {"max_feature_nodes": {"type": "integer"}},
                },
            },
        },
        "qParams": {
            "type": "object",
            "properties": {
                "pinnedIds": {"type": "array", "items": _TEXT},
                "supernodes": {"type": "array"},
                **dict.fromkeys(("linkType", "clickedId", "sg_pos"), _TEXT),
            },
        },
        "nodes": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["node_id", "feature", "layer", "ctx_idx", "feature_type", "jsNodeId", "clerp"],
                "properties": {
                    **dict.fromkeys(("node_id", "feature_type", "jsNodeId", "clerp"), _TEXT),
                    "feature": {"type": ["integer", "null"]},
                    "layer": {"type": ["string", "integer"]},
                    "ctx_idx": {"type": "integer"},
                    **{key: {"type": ["number", "null"]} for key in ("influence", "activation")},
                },
            },
        },
        "links": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "target", "weight"],
                "properties": {"source": _TEXT, "target": _TEXT, "weight": _NUMBER},
            },
        },
    },
}


@pytest.fixture(scope="module")
def plm(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", params=TARGETS)
def found(request, plm):
    sae = topk() if request.param == "logit" else protsae()
    return request.param, sae, attribute(TEXT, plm, sae, HOOK_POINT, TARGETS[request.param], CONFIG)


def test_tables_of_one_protein_agree_with_each_other(found):
    kind, _, outcome = found
    nodes, latents, residues = outcome.nodes, outcome.latents.set_index("latent"), outcome.residues
    for method in ("gradient_x_activation", "integrated_gradients"):
        of_latents = nodes.groupby("latent")[method].sum()
        assert latents[method].to_numpy() == pytest.approx(of_latents[latents.index].to_numpy(), abs=1e-12)
    of_residues = nodes.groupby("residue_index")["integrated_gradients"].sum()
    assert residues["at_hook_point"].to_numpy() == pytest.approx(of_residues.to_numpy(), abs=1e-12)
    assert (nodes["activation"] > 0).all()
    assert latents["n_residues"].loc[-1] == len(TEXT)
    counts = nodes.groupby("latent").size()
    assert latents["n_residues"].tolist() == counts[latents.index].tolist()
    assert "".join(residues["residue"]) == TEXT
    assert residues["is_masked"].sum() == (2 if kind == "logit" else 0)
    assert residues.loc[residues["is_masked"], ["at_input", "occlusion"]].eq(0).all(axis=None)
    covered = np.concatenate(
        [np.arange(a, b) for a, b in zip(outcome.regions["start"], outcome.regions["end"], strict=True)]
    )
    assert set(covered) >= set(residues.index[~residues["is_masked"]])


def test_curves_and_summary_agree(found):
    _, _, outcome = found
    curves = outcome.curves.set_index(["what", "method"])
    summary = outcome.summary.set_index(["what", "method"])
    assert set(curves.index) == set(summary.index)
    assert len(summary) == 9
    for (what, method), row in summary.iterrows():
        of = curves.loc[(what, method)]
        assert of["n"].tolist() == list(range(len(of)))
        assert of["kept"].iloc[-1] == pytest.approx(of["removed"].iloc[0])
        assert of["removed"].iloc[-1] == pytest.approx(of["kept"].iloc[0])
        if what == "latents":
            assert of["kept"].iloc[[0, -1]].tolist() == pytest.approx([0.0, 1.0])
            near = ((of["kept"] - 1).abs() <= 1 - CONFIG.share).tolist()
            assert int(row["n_kept"]) == near.index(True)
            assert all(near[int(row["n_settled"]) :])
            assert not near[int(row["n_settled"]) - 1]
        else:
            assert row["insertion_auc"] == pytest.approx(np.trapezoid(of["kept"]) / (len(of) - 1))
            assert row["deletion_auc"] == pytest.approx(np.trapezoid(of["removed"]) / (len(of) - 1))


def test_a_concept_without_the_rest_has_the_score_of_the_tables(found):
    kind, _, outcome = found
    if kind == "logit":  # against the probabilities: another scale
        assert outcome.curves.query("what == 'regions'")["kept"].between(0, 1).all()
        return
    whole = outcome.curves.query("what == 'regions' and method == 'eagle'")["kept"].iloc[-1]
    assert whole == pytest.approx(1 / (1 + np.exp(-outcome.full)), abs=1e-5)


def test_targets_that_do_not_fit_are_refused(plm):
    for changes, message in {
        ("kind", "logit"): "0 positions",
        ("kind", "predictor"): "unknown concept",
        ("latent", 99): "latents 0 to 31",
    }.items():
        target = TargetConfig(**{"kind": "latent", changes[0]: changes[1]})
        with pytest.raises(InputError, match=message):
            attribute(TEXT, plm, protsae(), HOOK_POINT, target)
    with pytest.raises(InputError, match="position 99 lies outside the protein of 17"):
        attribute(
            TEXT, plm, topk(), HOOK_POINT, LOGIT.model_copy(update={"positions": (99,), "letters": "A"})
        )


def test_graph_is_accepted_by_the_schema_and_complete(found, plm, tmp_path):
    _, sae, outcome = found
    graph = attribution_graph(
        outcome, plm, sae, HOOK_POINT, slug="one", title="score", labels={1: "concept GO:2"}, n_nodes=9
    )
    write_graph(tmp_path / "graph.json", graph)
    read = json.loads((tmp_path / "graph.json").read_text())
    assert read == graph
    Draft7Validator(SCHEMA).validate(read)
    ids = [node["node_id"] for node in read["nodes"]]
    assert len(set(ids)) == len(ids) == len(TEXT) + 9 + 1
    assert {end for link in read["links"] for end in (link["source"], link["target"])} <= set(ids)
    strongest = outcome.nodes["integrated_gradients"].abs().nlargest(9)
    to_score = [link["weight"] for link in read["links"] if link["target"] == read["qParams"]["clickedId"]]
    assert sorted(np.abs(to_score)) == pytest.approx(sorted(strongest))
    assert len(read["metadata"]["prompt_tokens"]) == len(TEXT)
    broken = json.loads(json.dumps(read))
    del broken["nodes"][0]["clerp"]
    with pytest.raises(ValidationError, match="clerp"):
        Draft7Validator(SCHEMA).validate(broken)


def test_links_from_residues_equal_finite_differences(plm):
    sae = topk()
    outcome = attribute(TEXT, plm, sae, HOOK_POINT, LOGIT, CONFIG)
    graph = attribution_graph(outcome, plm, sae, HOOK_POINT, slug="one", title="score", n_nodes=12)
    kinds = {node["node_id"]: node for node in graph["nodes"]}
    model = DifferentiableModel(plm)
    masked = torch.tensor(outcome.residues["is_masked"].tolist())
    entrance = model.place(TEXT, EMBEDDING, masked)
    step = 1e-6
    compared = 0
    for link in graph["links"]:
        source, target = kinds[link["source"]], kinds[link["target"]]
        if source["feature_type"] != "embedding" or source["ctx_idx"] % 5:
            continue
        x = entrance.values[None].repeat(2, 1, 1)
        x[0, source["ctx_idx"]] *= 1 + step
        x[1, source["ctx_idx"]] *= 1 - step
        values = model.values(entrance, x, HOOK_POINT)[:, target["ctx_idx"]]
        weight = sae.W_enc.detach()[:, target["feature"]].double()
        change = (values[0] - values[1]) @ weight * sae.input_scale.double() / (2 * step)
        assert link["weight"] == pytest.approx(float(change), rel=1e-3, abs=1e-6)
        compared += 1
    assert compared > 10
