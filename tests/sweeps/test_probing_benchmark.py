"""benchmarks/probing.py on a small sweep: kept by member, joined over seeds, differences paired."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from tests.sweeps.conftest import sweep_of

from protsae.metrics.table import METRIC_COLUMNS
from protsae.probing.config import EvaluationConfig, NeighbourConfig, RandomPlmConfig
from protsae.probing.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS
from protsae.sweeps.config import JudgingConfig

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HOOK = "layers.0.resid_post"
JUDGING = JudgingConfig(evaluation=EvaluationConfig(n_resamples=3, min_stratum=5))


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("probing_benchmark", BENCHMARKS / "probing.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["probing_benchmark"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@pytest.fixture(scope="module")
def judged(bench, data, tmp_path_factory):
    """Two seeds of two architectures, trained, then judged; and a second look at them."""
    root = tmp_path_factory.mktemp("bench")
    plan = sweep_of(data, {"architecture": "topk"}, {"architecture": "protsae"}, epochs=8, seeds=[0, 1])
    plan.run(root / "sweep")
    (root / "work").mkdir()

    class Judge(bench.JudgeOne):
        def _baseline_tables(self, hook_point):
            return None, None  # neither sequences nor a language model in this world

    configs = NeighbourConfig(), RandomPlmConfig()
    judge = Judge(data, JUDGING, root / "sweep", root / "work", "x", Path("none"), *configs)
    jobs = [bench.Job(f"references-{HOOK}", HOOK, "")]
    jobs += [bench.Job(member.member_id, HOOK, member.name) for member in plan.members]
    seconds = [dict(map(judge, jobs)) for _ in range(2)]
    tables = {job.name: bench.read(root / "work" / f"{job.name}.parquet") for job in jobs}
    return seconds, tables


def test_what_was_judged_is_kept(judged):
    (first, second), tables = judged
    assert all(taken > 0 for taken in first.values())
    assert not any(second.values())
    assert len(tables) == 5


def test_the_table_joins_seeds_and_pairs_differences(bench, judged):
    _, tables = judged
    groups = list(bench.groups(tables))
    table = bench.table_of(groups, 0.95)
    assert tuple(table.columns) == METRIC_COLUMNS
    methods = {
        "linear_probe",
        "prevalence",
        "shuffled_labels",
        "composition_probe",
        "topk_latent",
        "topk_probe",
    }
    methods |= {"protsae_latent", "protsae_predictor", "protsae_probe"}
    assert methods <= set(table["method"])
    auc = table[(table["metric"] == "auc") & (table["aspect"] == "mean")]
    own = auc[auc["method"] == "protsae_predictor"].set_index("stratum")
    seeds = own.loc[[""]]
    assert seeds["seed"].tolist() == [0, 1]
    assert own.loc[MEAN_OF_SEEDS, "value"] == pytest.approx(seeds["value"].mean())
    assert own.loc[SD_OF_SEEDS, "value"] == pytest.approx(seeds["value"].std())
    assert "identity none found, mean of seeds" in own.index
    by_method = {group.method: group for group in groups}
    key = bench.Key.of("auc", "mean")
    left, right = (by_method[name].over_seeds(key) for name in ("protsae_latent", "topk_latent"))
    row = auc[auc["method"] == "protsae_latent - topk_latent"].iloc[0]
    assert row["value"] == pytest.approx(left.values.mean() - right.values.mean())
    bounds = np.quantile(left.samples - right.samples, [0.025, 0.975])
    assert row[["low", "high"]].tolist() == pytest.approx(bounds.tolist())
    assert (row["k"], row["hook_point"]) == (3, HOOK)
    names = table["method"][table["method"].str.contains(" - ")]
    assert "linear_probe - composition_probe" in set(names)
    assert "linear_probe - linear_probe" not in set(names)
    assert not any("prevalence" in name or "shuffled" in name for name in names)
    shown = bench.summary(table)
    assert shown.loc[("prevalence", 0), "auc"] == 0.5
    assert isinstance(shown, pd.DataFrame)
