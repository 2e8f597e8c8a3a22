"""The report of an extraction."""

import json

import numpy as np
import pytest
from tests.activations.conftest import HOOK_POINT, config, proteins

from protsae.activations import ActivationStore
from protsae.activations.plan import plan_extraction
from protsae.activations.report import extraction_report
from protsae.activations.writer import write_activations


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    root = tmp_path_factory.mktemp("two") / "activations"
    asked = config(hook_points=["final_norm", HOOK_POINT, "layers.0.mlp_out"])
    plan = plan_extraction(list(proteins()), list(proteins().values()), model, asked)
    write_activations(plan, root)
    return ActivationStore(root)


def test_hook_points_are_stored_once_with_the_trained_one_first(store):
    assert store.hook_points == (HOOK_POINT, "final_norm", "layers.0.mlp_out")
    for name in store.hook_points:
        assert {len(rows) for _, rows in store.iter_proteins(name, ["P03"])} == {30}


def test_moments_are_those_of_the_rows_of_each_hook_point(store):
    report = extraction_report(store, 1e9)
    assert json.loads(json.dumps(report)) == report
    assert (report["rows"], report["shards"], report["proteins"]["extracted"]) == (149, 4, 11)
    assert report["bytes"] == sum(path.stat().st_size for path in store.root.glob("shard-*"))
    for name, found in report["hook_points"].items():
        rows = np.concatenate([x for _, x in store.iter_proteins(name)]).astype(np.float64)
        mean = np.linalg.norm(rows.mean(axis=0))
        assert found["mean_norm"] == pytest.approx(mean, rel=1e-9)
        assert found["total_variance"] == pytest.approx(rows.var(axis=0).sum(), rel=1e-9)
        assert found["outlier_ratio"] == pytest.approx(mean / np.sqrt(rows.var(axis=0).sum()), rel=1e-9)


def test_high_ratio_warns_for_its_hook_point_only(store, caplog):
    ratios = {name: of["outlier_ratio"] for name, of in extraction_report(store, 1e9)["hook_points"].items()}
    assert not caplog.text
    lowest, *_, highest = sorted(ratios, key=ratios.get)
    extraction_report(store, ratios[highest] * 0.999)
    assert f"{highest}: the mean is {ratios[highest]:.3g} times as long" in caplog.text
    assert lowest not in caplog.text
