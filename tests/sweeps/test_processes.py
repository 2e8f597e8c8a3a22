"""Members by several processes: the same files; errors and signals arrive."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.activations.test_parquet import write
from tests.sweeps.conftest import JUDGING
from tests.training.conftest import ToyProteins

from protsae.activations.parquet import ParquetStore
from protsae.core.errors import InputError
from protsae.sweeps.config import SweepConfig
from protsae.sweeps.members import expand
from protsae.sweeps.plan import SweepData, SweepPlan
from protsae.sweeps.processes import ProcessExecutor
from protsae.training.config import TrainerConfig
from protsae.training.dictionaries import Defaults
from protsae.training.plan import Knowledge

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[2]
MEMBERS = [{"architecture": "topk", "k": [2, 3]}]


def plan_of(folder: Path, data: SweepData, epochs: int = 2, **trainer) -> SweepPlan:
    """Return a sweep whose store lies on disk, so that other processes can open it."""
    if not (folder / "0.parquet").exists():
        toy = ToyProteins()
        write(folder / "0.parquet", dict(zip(toy.ids, toy.x, strict=True)))
    store = ParquetStore(folder)
    config = SweepConfig.model_validate({"seeds": [0], "hook_points": [store.column], "members": MEMBERS})
    settings = TrainerConfig(epochs=epochs, proteins_per_batch=10, device="cpu", **trainer)
    members = expand(config, Defaults(24, 48, 3, 0, settings, {}, 2))
    return SweepPlan(members, data._replace(store=store), JUDGING, references=False)


def checkpoints(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.glob("*/sae.safetensors"))]


def test_two_processes_make_the_same_files(data, tmp_path):
    plan = plan_of(tmp_path, data)
    plan.run(tmp_path / "one")
    plan.run(tmp_path / "two", ProcessExecutor(2))
    assert checkpoints(tmp_path / "one") == checkpoints(tmp_path / "two") != []


@pytest.mark.slow
def test_an_error_of_a_member_arrives(data, tmp_path):
    plan = plan_of(tmp_path, data, learning_rate=1e30)
    with pytest.raises(InputError, match=r"training stopped at step \d+: .* proteins: P0"):
        plan.run(tmp_path / "out", ProcessExecutor(2))
    with pytest.raises(InputError, match="processes is 0"):
        ProcessExecutor(0)


CHILD = """
import pickle, sys
from pathlib import Path
from protsae.sweeps.processes import ProcessExecutor
if __name__ == "__main__":
    plan = pickle.loads(Path(sys.argv[1]).read_bytes())
    plan.run(Path(sys.argv[2]), ProcessExecutor(2))
"""


@pytest.mark.slow
def test_sigterm_saves_the_state_of_every_member(data, tmp_path):
    import pickle

    plan = plan_of(tmp_path, data, epochs=20_000)
    assert isinstance(plan.data.knowledge, Knowledge)
    (tmp_path / "plan").write_bytes(pickle.dumps(plan))
    (tmp_path / "child.py").write_text(CHILD)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    command = [sys.executable, str(tmp_path / "child.py"), str(tmp_path / "plan"), str(tmp_path / "out")]
    process = subprocess.Popen(command, env=environment)
    for _ in range(600):
        if len(list(tmp_path.glob("out/*/.live-*.jsonl"))) == 2:
            break
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == -signal.SIGTERM
    assert len(list(tmp_path.glob("out/*/.training-*.pt"))) == 2
