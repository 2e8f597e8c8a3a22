"""Figures hold the values of the tables that they draw."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from protsae.fidelity.densities import density_histogram
from protsae.reporting.figures import (
    concept_counts,
    latent_density,
    method_comparison,
    protein_overview,
    training_curves,
)
from protsae.reporting.scatters import concept_comparison, latent_f1


def traces(figure, **wanted):
    """Traces of a figure whose attributes are as wanted."""
    return [
        trace for trace in figure.data if all(getattr(trace, key) == value for key, value in wanted.items())
    ]


def test_protein_counts_and_length_shares(tables):
    figure = protein_overview(tables.proteins)
    counts = tables.proteins["split"].value_counts()
    assert {trace.x[0]: trace.y[0] for trace in traces(figure, type="bar")} == counts.to_dict()
    lines = {trace.name: np.asarray(trace.y) for trace in traces(figure, type="scatter")}
    assert set(lines) == {"train", "validation", "test"}
    for share in lines.values():
        assert share.sum() == pytest.approx(1, abs=2e-3)  # 24 bins rounded to four digits


def test_concept_counts_per_split_and_aspect(tables):
    figure = concept_counts(tables.concepts)
    drawn = {
        (trace.name, concept_id): count
        for trace in figure.data
        for concept_id, count in zip(trace.x, trace.y, strict=True)
    }
    expected = {
        (split, row["concept_id"]): row[f"n_{split}"]
        for row in tables.concepts.to_dict("records")
        for split in ("train", "validation", "test")
    }
    assert drawn == expected
    first = figure.data[0]
    assert list(first.y) == sorted(first.y, reverse=True)


def test_training_curves_are_the_log(example, dictionaries):
    logs = example.make_logs()
    figure = training_curves(logs, dictionaries)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles[:3] == ["loss: reconstruction", "loss: annotation", "loss: axiom"]
    log = logs["topk"]
    expected = log[(log["term"] == "fve") & (log["split"] == "validation")]
    (drawn,) = [t for t in traces(figure, name="TopK SAE, validation") if t.line.dash == "dot"]
    assert list(drawn.x) == expected["step"].tolist()
    assert list(drawn.y) == pytest.approx(expected["value"].tolist(), abs=1e-6)


def test_terms_outside_the_figure_are_left_to_the_log(example, dictionaries):
    logs = {name: log.assign(term="learning_rate") for name, log in example.make_logs().items()}
    assert training_curves(logs, dictionaries).layout.annotations[0].text == "No training log"


def test_one_legend_entry_per_dictionary_and_split(example, dictionaries):
    figure = training_curves(example.make_logs(), dictionaries)
    shown = [trace.name for trace in figure.data if trace.showlegend]
    assert sorted(shown) == [
        "ProtSAE, train",
        "ProtSAE, validation",
        "TopK SAE, train",
        "TopK SAE, validation",
    ]


def test_methods_are_sorted_with_intervals_and_floors(tables, example, dictionaries):
    figure = method_comparison(tables.metrics, dictionaries)
    order = list(figure.layout.yaxis.categoryarray)
    scored = {
        method: auc
        for method, (_, auc) in example.SUPERVISION.items()
        if method not in ("prevalence", "shuffled_labels")
    }
    assert order[-1] == "Linear probe on activations"
    assert order[0] == "TopK best latent"
    assert len(order) == len(scored)
    (own,) = [
        t
        for t in figure.data
        if t.mode == "markers" and t.y[0] == "ProtSAE defined latent" and t.xaxis == "x"
    ]
    assert own.x[0] == pytest.approx(0.712)
    (interval,) = [
        t
        for t in figure.data
        if t.mode == "lines+markers" and t.y[0] == "ProtSAE defined latent" and t.xaxis == "x"
    ]
    assert list(interval.x) == pytest.approx([0.692, 0.732])
    assert own.legendgroup == "training"
    floors = {
        trace.legendgroup: trace.x[0]
        for trace in figure.data
        if trace.mode == "lines" and trace.xaxis == "x2"
    }
    assert floors == {"prevalence": pytest.approx(0.15), "shuffled_labels": pytest.approx(0.147)}


def test_density_counts_every_latent_once(dictionaries):
    table = pd.DataFrame({"kind": "free", "density_test": [0.0, 0.001, 0.0011, 0.1, 1.0]})
    figure = latent_density(density_histogram(table, "topk"), dictionaries)
    (line,) = figure.data
    assert "(5, of which 1 are never active)" in line.name
    assert sum(line.y) == pytest.approx(0.8)
    assert line.y[0] == pytest.approx(0.4)  # 10^-3 and 10^-2.96 share a bin
    assert line.y[-1] == pytest.approx(0.2)  # fires everywhere: log10 = 0


def test_concept_points_are_the_auc_of_both_methods(tables, dictionaries):
    figure = concept_comparison(tables.concept_metrics, dictionaries)
    test = tables.concept_metrics[tables.concept_metrics["split"] == "test"]
    auc = test.pivot(index="concept_id", columns="method", values="auc")
    drawn = {
        custom[0].split("(")[-1].rstrip(")"): (x, y)
        for trace in traces(figure, mode="markers")
        for x, y, custom in zip(trace.x, trace.y, trace.customdata, strict=True)
    }
    assert set(drawn) == set(auc.index)
    for concept_id, (x, y) in drawn.items():
        assert (x, y) == pytest.approx(
            tuple(auc.loc[concept_id, ["topk_latent", "protsae_latent"]]), abs=1e-4
        )
    above = int((auc["protsae_latent"] > auc["topk_latent"]).sum())
    assert figure.layout.annotations[0].text == f"{above} of {len(auc)} concepts above the line"


def test_without_a_rival_the_linear_probe_is_across(tables, dictionaries):
    figure = concept_comparison(tables.concept_metrics, dataclasses.replace(dictionaries, rival=None))
    test = tables.concept_metrics[tables.concept_metrics["split"] == "test"]
    probe = test.loc[test["method"] == "linear_probe", "auc"].round(4)
    drawn = [x for trace in traces(figure, mode="markers") for x in trace.x]
    assert sorted(drawn) == sorted(probe)
    assert figure.layout.xaxis.title.text == "AUC, Linear probe on activations"


def test_latent_f1_keeps_the_best_free_latents_and_says_of_how_many(tables, dictionaries):
    figure = latent_f1(tables.latents, dictionaries, max_free=5)
    (free,) = [trace for trace in figure.data if trace.name.startswith("TopK SAE")]
    scored = tables.latents[(tables.latents["method"] == "topk") & tables.latents["f1_test"].notna()]
    best = scored.nlargest(5, "f1_validation")
    assert free.name == f"TopK SAE (best 5 of {len(scored)})"
    assert [custom[0] for custom in free.customdata] == best["latent"].tolist()
    assert list(free.y) == best["f1_test"].round(4).tolist()
    floor = figure.data[-1]
    defined = tables.latents[tables.latents["kind"] == "defined"]
    assert list(floor.y) == defined["f1_test_always_on"].round(4).tolist()


def test_markup_in_names_is_escaped_for_plotly(tables, dictionaries):
    for figure in (concept_counts(tables.concepts), concept_comparison(tables.concept_metrics, dictionaries)):
        text = figure.to_json()
        assert "&lt;b&gt;bold" in text.replace("\\u003c", "<").replace("\\u003e", ">")
        assert "<b>bold" not in text.replace("\\u003c", "<").replace("\\u003e", ">")


def test_figures_hold_plain_lists(tables, example, dictionaries):
    figures = [
        latent_density(density_histogram(tables.statistics["topk"], "topk"), dictionaries),
        latent_f1(tables.latents, dictionaries),
        training_curves(example.make_logs(), dictionaries),
    ]
    for figure in figures:
        assert "bdata" not in figure.to_json()
        assert json.loads(figure.to_json())["layout"]["height"] > 100


@pytest.mark.parametrize(
    ("draw", "table"),
    [
        (protein_overview, "proteins"),
        (concept_counts, "concepts"),
        (method_comparison, "metrics"),
        (concept_comparison, "concept_metrics"),
        (latent_f1, "latents"),
    ],
)
def test_empty_tables_say_so(tables, dictionaries, draw, table):
    needed = [dictionaries] if table in ("metrics", "concept_metrics", "latents") else []
    figure = draw(getattr(tables, table).iloc[:0], *needed)
    assert len(figure.data) == 0
    assert figure.layout.annotations[0].text.startswith("No")


def test_empty_logs_and_statistics_say_so(tables, example, dictionaries):
    logs = {name: log.iloc[:0] for name, log in example.make_logs().items()}
    assert training_curves(logs, dictionaries).layout.annotations[0].text == "No training log"
    dead = tables.statistics["topk"].assign(density_test=0.0)
    assert (
        latent_density(density_histogram(dead, "topk"), dictionaries).layout.annotations[0].text
        == "No latent is active on test residues"
    )


def test_missing_values_are_left_out(tables, dictionaries):
    metrics = tables.metrics.copy()
    metrics.loc[metrics["method"] == "linear_probe", "value"] = np.nan
    metrics[["low", "high"]] = np.nan
    figure = method_comparison(metrics, dictionaries)
    assert "Linear probe on activations" not in figure.layout.yaxis.categoryarray
    json.loads(figure.to_json())
