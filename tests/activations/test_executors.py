"""Executors: results in order, errors as they are, lost workers replaced."""

import importlib.util
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.activations.test_writer import plan_for, snapshot

from protsae.activations.executors import LocalExecutor, RayConfig, RayExecutor
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError

pytestmark = pytest.mark.end_to_end

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None,
    reason="Ray is not installed (extra `ray`), nothing of it is tested",
)


@dataclass
class Noted:
    """Notes each job in a file under its process, dies once at one job, and fails at another."""

    folder: Path
    dies_at: int = -1
    fails_at: int = -1

    def __call__(self, job: int) -> int:
        (self.folder / f"{job}-{os.getpid()}").touch()
        dead = self.folder / "dead"
        if job == self.dies_at and not dead.exists():
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if job == self.fails_at:
            raise InputError(f"job {job} cannot be made")
        return job * job

    def processes(self) -> set[str]:
        return {path.name.split("-")[1] for path in self.folder.iterdir() if "-" in path.name}


def test_the_local_executor_makes_one_job_after_another_here(tmp_path):
    make = Noted(tmp_path)
    results = LocalExecutor().run(make, [3, 1, 2])
    assert next(results) == 9
    assert len(list(tmp_path.iterdir())) == 1  # the others are not begun
    assert list(results) == [1, 4]
    assert make.processes() == {str(os.getpid())}


def test_without_ray_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(InputError, match="install the extra `ray`"):
        list(RayExecutor(RayConfig()).run(abs, [1]))


@needs_ray
def test_two_workers_one_of_which_is_killed_give_all_results_in_order(tmp_path):
    make = Noted(tmp_path, dies_at=5)
    executor = RayExecutor(RayConfig(n_workers=2))
    assert list(executor.run(make, range(12))) == [job * job for job in range(12)]
    assert (tmp_path / "dead").exists()
    assert len(make.processes()) == 3  # the lost one was replaced
    assert str(os.getpid()) not in make.processes()
    import ray

    assert not ray.is_initialized()  # the cluster that was started for it is gone


@needs_ray
def test_shards_made_by_ray_are_equal_and_errors_are_passed_on(model, extraction, tmp_path):
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        executor = RayExecutor(RayConfig(n_workers=2, max_retries=0))
        write_activations(plan_for(model), tmp_path / "shards", executor)
        assert snapshot(tmp_path / "shards") == snapshot(extraction.root)
        (tmp_path / "notes").mkdir()
        results = executor.run(Noted(tmp_path / "notes", fails_at=3), range(6))
        assert [next(results) for _ in range(3)] == [0, 1, 4]
        with pytest.raises(InputError, match="job 3 cannot be made"):
            next(results)
        lost = executor.run(Noted(tmp_path / "notes", dies_at=1), range(3))
        with pytest.raises(InputError, match="a worker was lost too often to finish job"):
            list(lost)
    finally:
        ray.shutdown()
