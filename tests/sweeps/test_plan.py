"""A sweep: every member once, what is done is kept, what changed is made again, one table at the end."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from tests.damaged_files import flipped
from tests.sweeps.conftest import JUDGING, sweep_of
from tests.training.test_resume import KilledError, kill_after

from protsae.core.errors import InputError
from protsae.metrics.table import METRIC_COLUMNS
from protsae.probing.config import ScoringConfig
from protsae.sae.checkpoint import SaeCheckpoint, snapshots_of
from protsae.sweeps.plan import RunMember, Sweep
from protsae.training.plan import TrainingPlan

pytestmark = pytest.mark.end_to_end

HOOK = "layers.0.resid_post"
TOPK = {"architecture": "topk", "k": [2, 3]}
PROTSAE = {"architecture": "protsae"}
IDS = [f"references-{HOOK}", f"topk-{HOOK}-d48-k2-seed0", f"topk-{HOOK}-d48-k3-seed0"]
IDS += [f"protsae-{HOOK}-d48-k3-seed0"]


class Counter:
    """Counts which members are trained and judged."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.seen: list[str] = []
        train, judge = TrainingPlan.run, RunMember._judge

        def trained(plan, path):
            existed = path.exists()
            train(plan, path)
            self.seen += (
                [] if existed and path.stat().st_mtime_ns == before(path) else [f"train {path.parent.name}"]
            )
            times[path] = path.stat().st_mtime_ns

        def before(path):
            return times.get(path, 0)

        def judged(runner, job, folder):
            self.seen.append(f"judge {job.member_id}")
            return judge(runner, job, folder)

        times: dict[Path, int] = {}
        patch.setattr(TrainingPlan, "run", trained)
        patch.setattr(RunMember, "_judge", judged)

    def take(self) -> list[str]:
        seen, self.seen = self.seen, []
        return seen


@pytest.fixture
def counter(monkeypatch):
    return Counter(monkeypatch)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    sweep_of(data, TOPK, PROTSAE, epochs=12).run(folder)
    return folder


def test_every_member_has_its_folder_and_the_table_has_them_all(made, data):
    assert sorted(path.name for path in made.iterdir()) == sorted([*IDS, "sweep.json"])
    names = {path.name for path in (made / IDS[-1]).iterdir()}
    assert names == {
        ".live.jsonl",
        ".seconds.json",
        "estimates.parquet",
        "metrics.json",
        "sae.safetensors",
        "training_log.csv",
    }
    table = Sweep(made).metrics()
    assert list(table.columns) == ["member", *METRIC_COLUMNS]
    assert table["member"].drop_duplicates().tolist() == IDS
    rows = table[(table["split"] == "test") & (table["aspect"] == "all") & (table["metric"] == "auc")]
    found = rows.set_index(["member", "method"])["supervision"].to_dict()
    few = {method: how for method, how in found.items() if re.search(r"_k(1|5|20)$", method[1])}
    assert len(few) == 3 * 5 and set(few.values()) == {"probe"}
    assert {method: how for method, how in found.items() if method not in few} == {
        (IDS[0], "gated_linear_probe"): "probe",
        (IDS[0], "neurons_latent"): "selection",
        (IDS[0], "random_directions_latent"): "selection",
        (IDS[0], "linear_probe"): "probe",
        (IDS[0], "prevalence"): "none",
        (IDS[0], "shuffled_labels"): "probe",
        (IDS[0], "composition_probe"): "probe",
        (IDS[1], "topk_latent"): "selection",
        (IDS[1], "topk_probe"): "probe",
        (IDS[2], "topk_latent"): "selection",
        (IDS[2], "topk_probe"): "probe",
        (IDS[3], "protsae_latent"): "training",
        (IDS[3], "protsae_gate"): "training",
        (IDS[3], "protsae_probe"): "probe",
        (IDS[3], "protsae_predictor"): "training",
    }
    assert rows["low"].notna().all()
    l0 = table[(table["metric"] == "l0") & (table["split"] == "test")].set_index("member")["value"]
    assert l0[IDS[1]] <= 2 < l0[IDS[2]] <= 3


def test_figures_are_those_of_the_checkpoint(made, data):
    """The predictor's AUC against scikit-learn on logits taken from the file, FVE against ten lines."""
    import numpy as np
    import torch

    sae = SaeCheckpoint(made / IDS[-1] / "sae.safetensors").load()
    test = data.known.proteins.loc[data.known.proteins["split"] == "test", "protein_id"].tolist()
    x = {protein_id: torch.from_numpy(block) for protein_id, block in data.store.iter_proteins(HOOK, test)}
    with torch.no_grad():
        logits = np.array([sae.predictor_logits(x[protein_id]).mean(dim=0).numpy() for protein_id in test])
        rows = torch.cat([x[protein_id] for protein_id in test]).double()
        error = (torch.cat([sae(x[protein_id]) for protein_id in test]).double() - rows).square().sum()
    labels = data.known.tables.protein_labels
    aucs = []
    for concept in (0, 1):
        positive = set(labels.loc[labels["concept_idx"] == concept, "protein_id"])
        aucs.append(roc_auc_score([protein_id in positive for protein_id in test], logits[:, concept]))
    table = Sweep(made).metrics().query("split == 'test' and member == @IDS[-1]")

    def value(method, metric):
        return table.query("method == @method and metric == @metric and aspect in ('all', '')")[
            "value"
        ].item()

    assert value("protsae_predictor", "auc") == pytest.approx(np.mean(aucs), abs=1e-9)
    fve = 1 - float(error / (rows - rows.mean(dim=0)).square().sum())
    assert value("protsae", "fve") == pytest.approx(fve, abs=1e-6)


def test_what_has_concepts_and_no_predictor_is_judged_by_its_latents(data, tmp_path):
    sweep_of(data, {"architecture": "splice"}, references=False).run(tmp_path)
    table = Sweep(tmp_path).metrics()
    assert set(table["method"]) == {
        *("splice", "splice_latent", "splice_probe", "splice_k1", "splice_k5", "splice_k20")
    }
    assert set(table.loc[table["method"] == "splice_latent", "supervision"]) == {"training"}


def test_a_finished_sweep_makes_nothing_again(data, tmp_path, counter):
    plan = sweep_of(data, TOPK, references=False)
    plan.run(tmp_path)
    first = counter.take()
    assert first == [f"{verb} {member}" for member in IDS[1:3] for verb in ("train", "judge")]
    before = contents(tmp_path)
    plan.run(tmp_path)
    assert counter.take() == []
    assert contents(tmp_path) == before


def lose(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("name", ["sae.safetensors", "estimates.parquet", "training_log.csv", "metrics.json"])
@pytest.mark.parametrize("damage", [lose, flipped(0.2), flipped(0.8)])
def test_a_damaged_member_is_made_again_to_the_same_bytes(data, tmp_path, counter, name, damage):
    plan = sweep_of(data, TOPK, references=False)
    plan.run(tmp_path)
    before = contents(tmp_path)
    counter.take()
    damage(tmp_path / IDS[1] / name)
    plan.run(tmp_path)
    trained = [f"train {IDS[1]}"] * (name == "sae.safetensors")
    assert counter.take() == [*trained, f"judge {IDS[1]}"]
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", [f"{IDS[1]}/metrics.json", "sweep.json"])
def test_a_damaged_table_is_not_read(data, tmp_path, name):
    sweep_of(data, TOPK, references=False).run(tmp_path)
    flipped(0.5)(tmp_path / name)
    with pytest.raises(InputError, match=r"run (the sweep|it) again"):
        Sweep(tmp_path).metrics()


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the bytes of all files but the dot files."""
    return {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")}


def test_only_members_whose_settings_changed_are_made_again(data, tmp_path, counter):
    sweep_of(data, TOPK, references=False).run(tmp_path)
    counter.take()
    changed = [{"architecture": "topk", "k": 2}, {"architecture": "topk", "k": 3, "trainer": {"epochs": 2}}]
    sweep_of(data, *changed, references=False).run(tmp_path)
    assert counter.take() == [f"train {IDS[2]}", f"judge {IDS[2]}"]


def test_other_judging_trains_nothing(data, tmp_path, counter):
    plan = sweep_of(data, {"architecture": "topk"}, references=False)
    plan.run(tmp_path)
    counter.take()
    by_max = JUDGING.model_copy(update={"scoring": ScoringConfig(pooling="max")})
    replace(plan, judging=by_max).run(tmp_path)
    assert counter.take() == [f"judge {IDS[2]}"]


def test_a_killed_sweep_goes_on_with_the_member_that_was_interrupted(data, tmp_path, counter):
    plan = sweep_of(data, TOPK, references=False)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 8)
        plan.run(tmp_path)
    assert list((tmp_path / IDS[1]).glob(".training-*.pt"))
    with pytest.raises(InputError, match="the sweep never finished"):
        Sweep(tmp_path)
    plan.run(tmp_path)
    straight = tmp_path / "straight"
    plan.run(straight)
    for member in IDS[1:3]:
        files = [folder / member / "sae.safetensors" for folder in (tmp_path, straight)]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_follower_gets_the_measured_l0(data, tmp_path):
    followers = [{"architecture": kind, "match_l0": "protsae"} for kind in ("batch_topk", "relu")]
    sweep_of(data, *followers, PROTSAE, references=False).run(tmp_path)
    table = Sweep(tmp_path).metrics().query("metric == 'l0' and split == 'validation'")
    l0 = table.loc[table["method"] == "protsae", "value"].item()
    folder = tmp_path / f"batch_topk-{HOOK}-d48-like-protsae-seed0"
    assert json.loads((folder / "metrics.json").read_text())["k"] == round(l0)
    folder = tmp_path / f"relu-{HOOK}-d48-like-protsae-seed0"
    assert SaeCheckpoint(folder / "sae.safetensors").config["target_l0"] == l0
    assert table["method"].tolist() == ["batch_topk", "relu", "protsae"]  # the order of the list


def test_members_of_other_lists_are_named_and_left_out_of_the_table(data, tmp_path, caplog):
    sweep_of(data, TOPK, references=False).run(tmp_path)
    caplog.set_level("INFO")
    sweep_of(data, {"architecture": "topk", "k": 3}, references=False).run(tmp_path)
    assert f"members of other lists stay: {IDS[1]}" in caplog.text
    assert set(Sweep(tmp_path).metrics()["member"]) == {IDS[2]}
    assert (tmp_path / IDS[1] / "sae.safetensors").is_file()


def test_members_keep_snapshots_if_asked_to(data, tmp_path):
    sweep_of(data, {"architecture": "topk", "trainer": {"snapshots": 2}}, references=False).run(tmp_path)
    kept = snapshots_of(SaeCheckpoint(tmp_path / IDS[2] / "sae.safetensors"))
    n_steps = SaeCheckpoint(tmp_path / IDS[2] / "sae.safetensors").metadata["training"]["n_steps"]
    assert [snapshot.metadata["step"] for snapshot in kept] == [1, n_steps]


def test_metrics_tell_what_the_member_was(made):
    about = json.loads((made / IDS[-1] / "metrics.json").read_text())
    assert (about["architecture"], about["k"], about["seed"], about["d_sae"]) == ("protsae", 3, 0, 48)
    assert about["trainer"]["epochs"] == 12 and about["training"]["n_epochs"] == 12
    log = pd.read_csv(made / IDS[-1] / "training_log.csv")
    assert log["epoch"].max() == 11
