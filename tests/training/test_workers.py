"""Two workers make the steps of one: the same losses on the same batches, the same weights at the end."""

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tests.activations.test_parquet import write
from tests.training.conftest import ToyProteins
from tests.training.test_parquet import plan_on_parquet

from protsae.activations.parquet import ParquetStore
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.training.config import TrainerConfig
from protsae.training.distributed import part_of
from protsae.training.plan import SizeAndSeed, log_of
from protsae.training.workers import WorkersConfig, _backend, run_on_workers

pytestmark = pytest.mark.end_to_end

TWO = WorkersConfig(n_workers=2)


def plan_of(folder, architecture, **changes):
    """200 steps: 20 batches of unequal proteins, the last of one, in 10 epochs; some latents die."""
    settings = {"epochs": 10, "residues_per_protein": 16, "proteins_per_batch": 3, "learning_rate": 1e-3}
    trainer = TrainerConfig(**{**settings, "device": "cpu", "dead_after_n_tokens": 60, **changes})
    return plan_on_parquet(ParquetStore(folder), architecture, SizeAndSeed(48, 3, 0), trainer, min_proteins=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    toy = ToyProteins(70)
    rng = np.random.default_rng(1)
    proteins = {name: x[: rng.integers(3, 40)] for name, x in zip(toy.ids, toy.x, strict=True)}
    labels = {
        name: [f"L{c}" for c in np.flatnonzero(row)] for name, row in zip(toy.ids, toy.labels, strict=True)
    }
    split = {name: "train" if i < 58 else "validation" for i, name in enumerate(toy.ids)}
    write(folder / "0.parquet", proteins, labels=labels, split=split)
    return folder


def losses(path, term="loss/total"):
    log = log_of(SaeCheckpoint(path))
    return log.loc[(log["term"] == term) & (log["split"] == "train"), "value"].to_numpy()


@pytest.mark.parametrize("architecture", ["topk", "protsae", pytest.param("gba", marks=pytest.mark.slow)])
def test_two_workers_give_the_losses_of_one_over_200_steps(folder, tmp_path, architecture):
    one, two = tmp_path / "one/sae.safetensors", tmp_path / "two/sae.safetensors"
    plan_of(folder, architecture).run(one)
    run_on_workers(plan_of(folder, architecture), two, TWO)
    made = [SaeCheckpoint(path) for path in (one, two)]
    assert made[0].metadata["training"]["n_steps"] == made[1].metadata["training"]["n_steps"] == 200
    assert architecture == "gba" or losses(one, "loss/aux").max() > 0
    logs = [log_of(handle) for handle in made]
    pd.testing.assert_frame_equal(logs[0].drop(columns="value"), logs[1].drop(columns="value"))
    terms = logs[0]["term"].str.startswith("loss/") | (logs[0]["term"] == "fve")
    values = [log.loc[terms, "value"].to_numpy() for log in logs]
    np.testing.assert_allclose(*values, rtol=1e-5, atol=1e-9)
    for name, tensor in made[0].load().state_dict().items():
        torch.testing.assert_close(made[1].load().state_dict()[name], tensor, rtol=1e-3, atol=1e-4)
    assert sorted(path.name for path in two.parent.iterdir()) == [".live.jsonl", "sae.safetensors"]


@pytest.mark.slow
def test_what_one_worker_began_two_finish(folder, tmp_path):
    from tests.training.test_resume import KilledError, kill_after

    path = tmp_path / "sae.safetensors"
    plan = plan_of(folder, "topk", save_every=10)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        kill_after(patch, 165)
        plan.run(path)
    run_on_workers(plan, path, TWO)
    plan.run(tmp_path / "straight/sae.safetensors")
    np.testing.assert_allclose(losses(path), losses(tmp_path / "straight/sae.safetensors"), rtol=1e-5)


CHILD = """
import pickle, sys
from pathlib import Path
from protsae.training.workers import WorkersConfig, run_on_workers
if __name__ == "__main__":
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    run_on_workers(plan, Path(sys.argv[2]), WorkersConfig(n_workers=2))
"""


@pytest.mark.slow
def test_what_two_workers_began_one_finishes(folder, tmp_path):
    """SIGTERM to the process that started the workers reaches them, and they save."""
    path, straight = tmp_path / "two/sae.safetensors", tmp_path / "one/sae.safetensors"
    plan = plan_of(folder, "topk", epochs=60)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    (tmp_path / "child.py").write_text(CHILD)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
    command = [sys.executable, str(tmp_path / "child.py"), str(tmp_path / "plan"), str(path)]
    process = subprocess.Popen(command, env=environment)
    for _ in range(600):
        if any(log.read_text() for log in path.parent.glob(".live-*.jsonl")):
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM
    (state,) = path.parent.glob(".training-*.pt")
    assert 0 < torch.load(state, weights_only=True)["state"]["step"] < 1200
    plan.run(path)
    plan.run(straight)
    np.testing.assert_allclose(losses(path), losses(straight), rtol=1e-4)


def test_gpus_are_one_for_each_worker_over_nccl(folder, monkeypatch):
    plan = plan_of(folder, "topk", device="auto")
    assert _backend(plan, TWO) == "gloo"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert _backend(plan, TWO) == "nccl"
    with pytest.raises(InputError, match="3 workers need as many GPUs, this machine has 2"):
        _backend(plan, WorkersConfig(n_workers=3))


def test_an_architecture_for_one_worker_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match="'batch_topk' trains on one worker"):
        run_on_workers(plan_of(folder, "batch_topk"), tmp_path / "sae.safetensors", TWO)
    for key, value in (("lambda_hierarchy", 0.5), ("bce_reduction", "sum")):
        plan = replace(plan_of(folder, "protsae"), settings={"guidance": {key: value}})
        with pytest.raises(InputError, match=rf"training\.guidance\.{key} is {value}"):
            run_on_workers(plan, tmp_path / "sae.safetensors", TWO)


@pytest.mark.slow
def test_an_error_in_a_worker_arrives(folder, tmp_path):
    with pytest.raises(InputError, match=r"training stopped at step \d+: .* proteins: P0"):
        run_on_workers(plan_of(folder, "topk", learning_rate=1e30), tmp_path / "sae.safetensors", TWO)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray's own deprecations
@pytest.mark.parametrize("architecture", ["topk", "protsae"])
def test_workers_of_ray_train_give_the_losses_of_one(folder, tmp_path, architecture):
    pytest.importorskip("ray")
    one, two = tmp_path / "one/sae.safetensors", tmp_path / "two/sae.safetensors"
    plan_of(folder, architecture).run(one)
    run_on_workers(
        plan_of(folder, architecture), two, WorkersConfig.model_validate({"n_workers": 2, "launcher": "ray"})
    )
    np.testing.assert_allclose(losses(two), losses(one), rtol=1e-5)


def test_parts_make_the_whole(folder):
    from protsae.activations.sampler import ResidueSampler

    store = ParquetStore(folder)
    sampler = ResidueSampler(
        store, store.column, store.protein_ids[:7], residues_per_protein=9, proteins_per_batch=7, seed=0
    )
    (whole,) = sampler.epoch(0)
    parts = [part_of(whole, rank, 3) for rank in range(3)]
    assert [len(part.proteins) for part in parts] == [2, 2, 3]
    for name in ("x", "proteins", "residue_index"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
    owners = torch.cat([part.proteins[part.segment] for part in parts])
    assert torch.equal(owners, whole.proteins[whole.segment])
