"""Bringing metrics together: every row keeps to its run; geometry is measured on the real dictionary."""

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.core.errors import InputError
from protsae.metrics.table import metric_rows, metrics_table
from protsae.probing.collect import all_metrics, subsumption_rows
from protsae.probing.encoding import Run
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

RUN = Run(method="protsae", seed=5, hook_point="layers.1.resid_post", k=4)
CONCEPTS = pd.DataFrame({"concept_idx": [1, 0, 2], "concept_id": ["b", "a", "c"], "aspect": "MFO"})
AXIOMS = pd.DataFrame(  # 0 below 3 below 1: the way leads over a zero concept
    {"normal_form": ["NF1", "NF1", "NF4"], "c": [0, 3, 2], "relation": [-1, -1, 0], "d": [3, 1, 0]}
)


def test_scores_take_seed_hook_point_and_k_from_the_dictionary_they_came_from():
    runs = [
        metric_rows({"fve": 0.9}, method="protsae", split="test", seed=1, hook_point="h", k=8),
        metric_rows({"fve": 0.8}, method="topk", split="test", seed=2, hook_point="h", k=16),
    ]
    names = ["protsae_predictor", "topk_latent", "linear_probe", "prevalence"]
    scores = pd.concat([metric_rows({"auc": 0.6}, method=name, split="test") for name in names])
    residues = metric_rows(
        {"auc": 0.7}, method="protsae_latent", split="test", seed=1, hook_point="h", k=8, stratum="residues"
    )
    table = all_metrics(scores, [residues, metrics_table([])], runs)
    assert table["method"].tolist() == [*names, "protsae_latent", "protsae", "topk"]
    rows = table.set_index("method")
    assert rows.loc["protsae_latent", ["seed", "stratum", "value"]].tolist() == [1, "residues", 0.7]
    assert rows.loc["protsae_predictor", ["seed", "hook_point", "k"]].tolist() == [1, "h", 8]
    assert rows.loc["topk_latent", ["seed", "hook_point", "k"]].tolist() == [2, "h", 16]
    assert rows.loc["linear_probe", "hook_point"] == "h"
    assert pd.isna(rows.loc["linear_probe", "seed"])
    assert rows.loc["prevalence", "hook_point"] == ""


def test_fidelity_rows_take_the_place_of_those_that_reconstruction_has_too():
    labels = {"method": "topk", "seed": 1, "hook_point": "h", "k": 8}
    reconstruction = pd.concat(
        metric_rows({"fve": 0.8, "gate_rate": 0.1}, split=split, **labels) for split in ("validation", "test")
    )
    fidelity = pd.concat(
        [
            metric_rows({"fve": 0.81}, split="test", intervals={"fve": (0.7, 0.9)}, **labels),
            metric_rows({"gate_rate": 0.5}, split="test", stratum="residue C", **labels),
            metric_rows({"gate_rate": 0.4}, split="test", preset="free", **labels),
        ]
    )
    other = metric_rows({"fve": 0.7}, **{**labels, "method": "protsae"}, split="test")
    nothing = metrics_table([])
    table = all_metrics(nothing, [nothing], [reconstruction, other], [fidelity])
    values = table.set_index(["method", "split", "metric", "stratum", "preset"])["value"]
    assert values.to_dict() == {
        ("topk", "validation", "fve", "", ""): 0.8,
        ("topk", "validation", "gate_rate", "", ""): 0.1,
        ("topk", "test", "gate_rate", "", ""): 0.1,
        ("protsae", "test", "fve", "", ""): 0.7,
        ("topk", "test", "fve", "", ""): 0.81,
        ("topk", "test", "gate_rate", "residue C", ""): 0.5,
        ("topk", "test", "gate_rate", "", "free"): 0.4,
    }


def test_subsumption_follows_axioms_over_zero_concepts():
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("a", "b", "c"), n_zero=1, n_relations=1)
    sae = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        sae.W_pred.copy_(torch.tensor([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0]]))
        sae.radius.copy_(torch.tensor([1.0, 3.0, 1.0, 2.0]))
    table = subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).set_index("metric")
    assert table.loc["subsumption_auc", "value"] == 1.0
    assert table.loc["subsumption_auc", ["method", "seed", "k", "n"]].tolist() == ["protsae", 5, 4, 3]
    with torch.no_grad():
        sae.radius.copy_(torch.tensor([3.0, 1.0, 1.0, 2.0]))
    table = subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).set_index("metric")
    assert table.loc["subsumption_auc", "value"] == pytest.approx(np.mean([1, 1, 1, 1, 0]), abs=0.21)
    assert table.loc["subsumption_auc", "value"] < 1


def test_a_dictionary_of_other_concepts_is_refused():
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("b", "a", "c"))
    with pytest.raises(InputError, match="in another order: train it again"):
        subsumption_rows(ProtSae(config), RUN, AXIOMS, CONCEPTS)
    config = ProtSaeConfig(d_model=2, d_sae=8, k=2, concept_ids=("a", "b"))
    with pytest.raises(InputError, match="on 2 concepts, the table has 3, such as c"):
        subsumption_rows(ProtSae(config), RUN, AXIOMS, CONCEPTS)


def test_a_dictionary_without_concepts_has_no_geometry():
    sae = TopKSae(TopKConfig(d_model=2, d_sae=4, k=1), torch.Generator().manual_seed(0))
    assert subsumption_rows(sae, RUN, AXIOMS, CONCEPTS).empty
