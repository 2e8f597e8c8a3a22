"""Tables and figures of fidelity, alignment and disentanglement: scores next to their floors."""

import pandas as pd
import pytest

from protsae.metrics.table import concat_metrics, metric_rows
from protsae.reporting.alignment import alignment_curves
from protsae.reporting.disentanglement import (
    absorption_pairs,
    judge_label,
    judge_order,
    monosemanticity_curves,
)
from protsae.reporting.evidence import (
    Values,
    alignment_result,
    alignment_tables,
    disentanglement_result,
    fidelity_result,
    fidelity_table,
    monosemanticity_table,
    nesting_table,
)


@pytest.fixture(scope="module")
def values(tables) -> Values:
    return Values(tables.metrics)


def cells(row):
    return [
        cell if isinstance(cell, str) else (cell["value"], cell["low"], cell["high"]) for cell in row["cells"]
    ]


def only(value):
    return (pytest.approx(value), None, None)


def test_first_seed_and_the_split_count():
    found = Values(
        concat_metrics(
            [
                metric_rows({"fve": 0.1}, method="a", split="test", seed=2),
                metric_rows({"fve": 0.2}, method="a", split="test", seed=1),
                metric_rows({"fve": 0.3}, method="a", split="validation", seed=0),
            ]
        )
    )
    assert found.cell("a", "fve")["value"] == 0.2
    assert found.cell("b", "fve") == {"value": None, "low": None, "high": None}


def test_fidelity_has_the_losses_of_the_model_and_of_the_floor(values, dictionaries):
    rows = fidelity_table(values, dictionaries)["rows"]
    assert [(row["label"], row["detail"]) for row in rows] == [
        ("ProtSAE", "all residues"),
        ("TopK SAE", "all residues"),
    ]
    assert cells(rows[0]) == [
        (0.94, pytest.approx(0.93), pytest.approx(0.95)),
        *map(only, (0.99, 2.85, 2.89, 3.47)),
    ]
    assert fidelity_result(values, dictionaries) == (
        "Recovered loss, against the mean activation: ProtSAE 0.940 (0.930 to 0.950),"
        " TopK SAE 0.930 (0.920 to 0.940)."
    )


def test_alignment_counts_concepts_with_the_floors_last(tables, values, dictionaries):
    (table,) = alignment_tables(tables.alignment_summary, values, dictionaries)
    assert table["title"] == "Concepts of proteins"
    assert table["columns"][-2:] == ["AUC of 1 latent", "AUC of 20 latents"]
    assert [(row["label"], row["floor"]) for row in table["rows"]] == [
        ("ProtSAE", False),
        ("TopK SAE", False),
        ("Neurons", False),
        ("Amino acid alone", True),
        ("Latent that is always on", True),
    ]
    nothing = (None, None, None)
    assert cells(table["rows"][0]) == ["5 of 12", "3", (0.35, 0.28, 0.35), only(0.71), only(0.9)]
    assert cells(table["rows"][2]) == ["1 of 12", "0", (0.31, None, None), nothing, nothing]
    assert cells(table["rows"][4])[2] == (0.22, None, None)
    assert alignment_result(tables.alignment_summary, dictionaries) == (
        "Concepts of proteins that single latents find, of 12: ProtSAE 5, TopK SAE 4."
        " Without a dictionary: neurons 1."
    )


def test_monosemanticity_is_compared_with_chance(values, dictionaries):
    table = monosemanticity_table(values, dictionaries)
    assert table["columns"] == ["Latents of", "Function, BPO"]
    assert [row["label"] for row in table["rows"]] == [
        "ProtSAE, defined",
        "ProtSAE, free",
        "TopK SAE",
        "ProtSAE, defined minus free",
        "Chance",
    ]
    (first,), (change,), (chance,) = (table["rows"][i]["cells"] for i in (0, 3, 4))
    assert (first["value"], first["note"]) == (0.025, "8% of latents above chance")
    assert (change["value"], change["is_difference"]) == (0.021, True)
    assert chance["value"] == 0
    assert disentanglement_result(values, dictionaries) == (
        "Scores of ProtSAE's defined latents, against its free latents: higher by function, BPO."
    )


def test_differences_that_hold_zero_are_called_not_significant(dictionaries):
    name, of = "monosemanticity_defined_minus_free", {"method": "protsae", "split": "test", "preset": "lin"}
    bounds = {"BPO": (-0.1, 0.1), "MFO": (-0.2, -0.1), "CCO": (-0.3, 0.0)}
    rows = [
        metric_rows({name: 0.0}, aspect=aspect, intervals={name: interval}, **of)
        for aspect, interval in bounds.items()
    ]
    rows += [metric_rows({"monosemanticity": 0.1}, aspect=aspect, stratum="free", **of) for aspect in bounds]
    assert disentanglement_result(Values(concat_metrics(rows)), dictionaries) == (
        "Scores of ProtSAE's defined latents, against its free latents: lower by function, MFO; the"
        " difference is not significant on this test set by function, BPO and by function, CCO."
    )


def test_absorption_has_its_floor_next_to_it(values, dictionaries):
    rows = nesting_table(values, dictionaries)["rows"]
    assert [row["label"] for row in rows] == ["ProtSAE, defined", "ProtSAE, free", "TopK SAE"]
    assert cells(rows[0]) == [
        only(0.05), only(0.2), (-0.15, -0.2, 0.01), only(0.07), only(0.37), only(0.38)
    ]  # fmt: skip


def test_alignment_curves_sort_the_best_latent_of_every_concept(example, dictionaries):
    figure = alignment_curves(example.make_alignment(), dictionaries)
    drawn = {trace.name: (trace.x, trace.y) for trace in figure.data}
    assert list(drawn) == [
        "ProtSAE", "TopK SAE", "Neurons", "Amino acid alone (floor)", "Always on (floor)"
    ]  # fmt: skip
    assert drawn["TopK SAE"] == ((0.25, 0.5, 0.75, 1.0), (0.8, 0.6, 0.4, 0.2))
    assert drawn["Always on (floor)"][1] == (0.3, 0.25, 0.2, 0.15)
    nothing = alignment_curves(example.make_alignment()[:0], dictionaries)
    assert nothing.layout.annotations[0].text == "No concept was aligned"


def test_monosemanticity_curves_leave_out_what_could_not_be_judged(example, dictionaries):
    figure = monosemanticity_curves(example.make_monosemanticity(), dictionaries)
    titles = [annotation.text for annotation in figure.layout.annotations]
    assert titles == ["Function, BPO", "Function, MFO", "Neighbouring residues"]
    assert [trace.name for trace in figure.data[:4]] == [
        "ProtSAE, defined", "ProtSAE, free", "TopK SAE", "Neurons"
    ]  # fmt: skip
    assert (figure.data[0].y[0], figure.data[0].y[-1]) == (0.1, 0.0)  # the third latent scores .2


def test_judges_are_ordered_with_other_models_last():
    judges = [("embeddings:esm2", ""), ("windows", ""), ("lin", "CCO"), ("lin", "BPO")]
    assert [judge_label(*judge) for judge in sorted(judges, key=judge_order)] == [
        "Function, BPO",
        "Function, CCO",
        "Neighbouring residues",
        "Embeddings of esm2",
    ]


def test_absorption_pairs_are_points_by_chance_and_measured(dictionaries):
    names = "method kind level child_name parent_name n_carriers absorption expected is_judged"
    rows = [
        ("topk", "free", "protein", "<b>", "broad", 20, 0.3, 0.1, True),
        ("topk", "free", "protein", "other", "broad", 20, 0.9, 0.9, False),
    ]
    figure = absorption_pairs(pd.DataFrame(rows, columns=names.split()), dictionaries)
    (points,) = (trace for trace in figure.data if trace.mode == "markers")
    assert (points.x, points.y) == ((0.1,), (0.3,))
    assert points.customdata[0][0] == "&lt;b&gt;"
