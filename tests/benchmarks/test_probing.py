"""benchmarks/probing.py on a small sweep: kept by member, joined over seeds, differences paired."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from tests.benchmarks.scripts import load_script
from tests.sweeps.conftest import sweep_of

from helpers.seeds import MEAN_OF_SEEDS, SD_OF_SEEDS
from protsae.metrics.table import METRIC_COLUMNS
from protsae.probing.config import EvaluationConfig, NeighbourConfig, RandomPlmConfig
from protsae.probing.estimates import Key
from protsae.probing.judge import estimates_of
from protsae.sweeps.config import JudgingConfig

pytestmark = pytest.mark.end_to_end

HOOK = "layers.0.resid_post"
JUDGING = JudgingConfig(evaluation=EvaluationConfig(n_resamples=3, min_stratum=5))


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return load_script("probing")


@pytest.fixture(scope="module")
def judged(benchmark, data, tmp_path_factory):
    """Two seeds of two architectures, as their sweep judged them, and what needs no dictionary."""
    root = tmp_path_factory.mktemp("benchmark")
    plan = sweep_of(data, {"architecture": "topk"}, {"architecture": "protsae"}, epochs=8, seeds=[0, 1])
    plan = replace(plan, judging=JUDGING)
    plan.run(root / "sweep")

    class References(benchmark.JudgeReferences):
        def _baseline_tables(self, hook_point):
            made.append(hook_point)
            return None, None  # toy proteins have neither sequences nor a language model

    made: list[str] = []
    how = data.judging_fingerprint(JUDGING)
    references = References(data, JUDGING, root, Path("none"), NeighbourConfig(), RandomPlmConfig())
    found = references(HOOK)
    tables = {"references": found[found["method"] != "shuffled_labels"]}
    shuffled = list(references.shuffled(HOOK, 3))
    tables |= {f"shuffled-seed{seed}": table for seed, table in enumerate(shuffled)}
    for first, again in zip(shuffled, references.shuffled(HOOK, 3), strict=True):
        pd.testing.assert_frame_equal(first, again)
    pd.testing.assert_frame_equal(references(HOOK), found)
    assert made == [HOOK]  # the second time it was kept
    for member in plan.members:
        folder = root / "sweep" / member.member_id
        assert benchmark.members_table(folder, "judged in another way") is None
        tables[member.member_id] = benchmark.members_table(folder, how)
    assert benchmark.members_table(root / "sweep/not-made", how) is None
    return tables


def test_estimates_are_those_of_the_metrics_table(judged, data):
    """What a member's folder keeps resample by resample is what its rows were made from."""
    found = data.references(JUDGING, HOOK)
    estimate = found.evaluations["linear_probe", "test"]["auc", "mean"]
    rows = judged["references"].query("method == 'linear_probe'")
    kept = estimates_of(rows)[Key("auc", "mean")]
    assert (kept.value, kept.n) == (estimate.value, estimate.n)
    np.testing.assert_array_equal(kept.samples, estimate.samples)
    assert rows["seed"].isna().all()


def test_the_table_joins_seeds_and_pairs_differences(benchmark, judged):
    groups = list(benchmark.groups(judged))
    table = benchmark.table_of(groups, 0.95)
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
    floor = auc[auc["method"] == "shuffled_labels"]
    draws = floor.loc[floor["stratum"] == "", "value"]
    assert draws.nunique() == 3
    assert floor.loc[floor["stratum"] == MEAN_OF_SEEDS, "value"].item() == pytest.approx(draws.mean())
    own = auc[auc["method"] == "protsae_predictor"].set_index("stratum")
    seeds = own.loc[[""]]
    assert seeds["seed"].tolist() == [0, 1]
    assert own.loc[MEAN_OF_SEEDS, "value"] == pytest.approx(seeds["value"].mean())
    assert own.loc[SD_OF_SEEDS, "value"] == pytest.approx(seeds["value"].std())
    assert "no hit, mean of seeds" in own.index
    by_method = {group.method: group for group in groups}
    key = Key.of("auc", "mean")
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
    shown = benchmark.summary(table)
    assert shown.loc[("prevalence", 0), "auc"] == 0.5
    assert isinstance(shown, pd.DataFrame)
