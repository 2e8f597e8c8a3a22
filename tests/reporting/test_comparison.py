"""Comparisons of a sweep's members: every value by hand from a table of a dozen rows."""

import pandas as pd
import pytest

from protsae.metrics.table import METRIC_COLUMNS
from protsae.reporting.comparison import (
    ablation_figure,
    ablation_table,
    comparison_table,
    curve_figure,
    layer_figure,
)
from protsae.reporting.palette import BLUE, GREEN, VERMILION

HOOK = "layers.1.resid_post"


def _row(member, method, metric, value, *, aspect="", seed=0, **others):
    known = {"hook_point": HOOK, "split": "test", "k": 4, "supervision": "", **others}
    return {
        "member": member,
        "method": method,
        "metric": metric,
        "value": value,
        "aspect": aspect,
        "seed": seed,
    } | known


def _member(name, seed, *, auc, fve, l0, hook_point=HOOK, predictor=None):
    member = f"{name}-{hook_point}-d8-k4-seed{seed}"
    at = {"seed": seed, "hook_point": hook_point}
    rows = [
        _row(member, name, "fve", fve, **at),
        _row(member, name, "l0", l0, **at),
        _row(member, name, "fve", 0.0, **at | {"split": "validation"}),
    ]
    for aspect, value in {"BPO": auc - 0.1, "MFO": auc + 0.1, "mean": auc}.items():
        shown = at | {"aspect": aspect, "supervision": "training"}
        rows += [
            _row(member, f"{name}_latent", "auc", value, **shown),
            _row(member, f"{name}_latent", "auc", 0.0, **shown, stratum="below_20"),
            _row(member, f"{name}_latent", "fmax", value / 2, **shown, preset="cafa"),
            _row(member, f"{name}_latent", "fmax", 0.0, **shown, preset="deepgo"),
        ]
    if predictor is not None:
        rows.append(_row(member, f"{name}_predictor", "auc", predictor, **at, aspect="mean"))
    return rows


def _table(*members):
    rows = [row for member in members for row in member]
    return pd.DataFrame(rows).reindex(columns=["member", *METRIC_COLUMNS])


@pytest.fixture
def metrics():
    return _table(
        _member("protsae", 0, auc=0.80, fve=0.95, l0=20, predictor=0.9),
        _member("protsae", 1, auc=0.70, fve=0.97, l0=22, predictor=0.8),
        _member("topk", 0, auc=0.60, fve=0.99, l0=4),
        _member("no_detach", 0, auc=0.65, fve=0.96, l0=20, predictor=0.6),
        _member("no_detach", 1, auc=0.68, fve=0.96, l0=20),
    )


def test_rows_are_means_over_seeds_of_test_proteins_by_cafa(metrics):
    table = comparison_table(metrics)
    assert table["method"].tolist() == [
        "protsae_predictor", "protsae_latent", "no_detach_latent", "no_detach_predictor", "topk_latent",
    ]  # fmt: skip
    row = table.set_index("method").loc["protsae_latent"]
    assert (row["variant"], row["n_seeds"], row["supervision"]) == (f"protsae-{HOOK}-d8-k4", 2, "training")
    assert row["auc_mean"] == pytest.approx(0.75)
    assert row["auc_sd"] == pytest.approx(0.1 / 2**0.5)
    assert (row["auc_BPO"], row["auc_MFO"]) == pytest.approx((0.65, 0.85))
    assert row["fmax_mean"] == pytest.approx(0.375)
    assert (row["fve"], row["l0"]) == pytest.approx((0.96, 21))
    assert pd.isna(row["auc_CCO"]) and pd.isna(table.set_index("method").loc["topk_latent", "auc_sd"])


def test_ablations_are_differences_seed_by_seed(metrics):
    table = ablation_table(metrics, ["no_detach", "not_run"], "protsae").set_index(["part", "metric"])
    assert set(table["ablation"]) == {"no_detach"}
    auc = table.loc[("latent", "auc")]
    assert (auc["difference"], auc["low"], auc["high"]) == pytest.approx((-0.085, -0.15, -0.02))
    assert auc["n_seeds"] == 2
    assert table.loc[("predictor", "auc"), "difference"] == pytest.approx(-0.3)
    assert table.loc[("predictor", "auc"), "n_seeds"] == 1
    assert table.loc[("", "fve"), "difference"] == pytest.approx(0.0)
    figure = ablation_figure(metrics, ["no_detach"], "protsae")
    assert {trace.name for trace in figure.data} == {"latent", "predictor", "dictionary"}


def test_curves_hold_one_point_per_variant_without_ablations(metrics, dictionaries):
    figure = curve_figure(metrics, dictionaries, leave_out=["no_detach"])
    drawn = {(trace.name, trace.xaxis): (trace.x, trace.y) for trace in figure.data}
    assert drawn == {
        ("protsae", "x"): ((21.0,), (0.96,)),
        ("protsae", "x2"): ((21.0,), (0.75,)),
        ("topk", "x"): ((4.0,), (0.99,)),
        ("topk", "x2"): ((4.0,), (0.6,)),
    }
    assert {trace.name: trace.line.color for trace in figure.data} == {"protsae": BLUE, "topk": VERMILION}
    other = curve_figure(metrics, dictionaries, leave_out=["topk"])
    assert {trace.name: trace.line.color for trace in other.data} == {"protsae": BLUE, "no_detach": GREEN}
    (trace,) = (trace for trace in figure.data if (trace.name, trace.xaxis) == ("protsae", "x"))
    assert (trace.error_y.array, trace.error_y.arrayminus) == ((0.01,), (0.01,))


def test_layers_are_drawn_in_order_if_there_are_several(metrics, dictionaries):
    assert not layer_figure(metrics, dictionaries).data
    table = _table(
        *(
            _member("topk", 0, auc=a, fve=0.9, l0=4, hook_point=f"layers.{i}.resid_post")
            for i, a in ((10, 0.7), (2, 0.6))
        ),
        _member("protsae", 0, auc=0.8, fve=0.9, l0=4),
    )
    figure = layer_figure(table, dictionaries)
    assert {trace.name for trace in figure.data} == {"topk"}
    (auc,) = (trace for trace in figure.data if trace.xaxis == "x2")
    assert (auc.x, auc.y) == (("layers.2.resid_post", "layers.10.resid_post"), (0.6, 0.7))


def test_a_sweep_without_members_draws_nothing(dictionaries):
    table = _table([_row("references", "prevalence", "auc", 0.5, aspect="mean")])
    assert not curve_figure(table, dictionaries).data
    assert not ablation_figure(table, ["no_detach"], "protsae").data
    assert comparison_table(table)["method"].tolist() == ["prevalence"]
