"""Several workers train one autoencoder: processes of this machine, or workers of Ray Train (extra `ray`)."""

import logging
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from protsae.core.cluster import ray_cluster
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.training.run import is_made, run, train
from protsae.training.stopping import StopRequests
from protsae.training.task import TrainingTask

_LOGGER = logging.getLogger(__name__)


class WorkersConfig(Config):
    """The workers of a training. Steps equal those of one worker, to rounding."""

    n_workers: int = Field(2, ge=2)
    """Workers; on GPUs, one for each."""
    launcher: Literal["processes", "ray"] = "processes"
    """`processes` of this machine, or `ray`: workers of a Ray cluster that share the data folder."""
    address: str | None = None
    """Of a running Ray cluster; None: one of this machine."""
    cpus_per_worker: int = Field(1, ge=1)
    """Cores that Ray reserves for a worker."""
    timeout_minutes: int = Field(30, gt=0)
    """How long workers wait for each other."""


def run_on_workers(task: TrainingTask, path: Path, config: WorkersConfig) -> None:
    """Do what `training.run.run` does, on several workers.

    Raises:
        InputError: what `training.run.run` refuses, an architecture that one worker has to train, fewer GPUs
            than workers, or Ray is not installed.
    """
    from protsae.sae.guidance_config import GuidanceConfig
    from protsae.training.distributed import check_shared

    given = task.settings.get("guidance")
    check_shared(task.architecture, None if given is None else GuidanceConfig.model_validate(given))
    if is_made(task, path):
        run(task, path)
        return
    launch = _with_ray if config.launcher == "ray" else _with_processes
    launch(task, path.absolute(), config)
    run(task, path)  # tidies up, and finds the checkpoint made


def work(task: TrainingTask, path: Path) -> None:
    """Train as one worker of the default process group; rank 0 keeps the files and writes the checkpoint."""
    import torch
    import torch.distributed as dist

    from protsae.training.distributed import DistributedTrainer

    if torch.cuda.is_available() and task.trainer.device != "cpu":
        torch.cuda.set_device(dist.get_rank() % torch.cuda.device_count())
    train(task, path, DistributedTrainer, leads=dist.get_rank() == 0)
    dist.barrier()


def _backend(task: TrainingTask, config: WorkersConfig) -> str:
    from protsae.core.devices import pick_device

    if pick_device(task.trainer.device, "training.trainer.device").type == "cpu":
        return "gloo"
    import torch

    if config.launcher == "processes" and torch.cuda.device_count() < config.n_workers:
        raise InputError(
            f"{config.n_workers} workers need as many GPUs, this machine has {torch.cuda.device_count()}: "
            "lower n_workers, or set training.trainer.device to cpu"
        )
    return "nccl"


def _with_processes(task: TrainingTask, path: Path, config: WorkersConfig) -> None:
    import torch.multiprocessing as mp
    from torch.multiprocessing.spawn import ProcessException, start_processes

    backend = _backend(task, config)
    with tempfile.TemporaryDirectory() as folder:
        errors = mp.get_context("spawn").SimpleQueue()
        settings = (config.n_workers, backend, f"file://{folder}/store", config.timeout_minutes)
        with StopRequests() as requests:
            processes = start_processes(  # type: ignore[no-untyped-call]
                _process, (task, path, settings, errors), config.n_workers, join=False, start_method="spawn"
            )
            try:
                while not processes.join(timeout=1):
                    if requests.received is not None:  # they finish the step and save
                        for process in processes.processes:
                            process.terminate()
            except ProcessException:
                if not errors.empty():
                    raise InputError(errors.get()) from None
                if requests.received is None:
                    raise


def _process(
    rank: int, task: TrainingTask, path: Path, settings: tuple[int, str, str, int], errors: Any
) -> None:
    import torch.distributed as dist

    n_workers, backend, store, minutes = settings
    logging.basicConfig(level=logging.INFO if rank == 0 else logging.ERROR)
    dist.init_process_group(
        backend, store, rank=rank, world_size=n_workers, timeout=timedelta(minutes=minutes)
    )
    try:
        work(task, path)
    except InputError as error:
        errors.put(str(error))
        raise
    finally:
        dist.destroy_process_group()


def _with_ray(task: TrainingTask, path: Path, config: WorkersConfig) -> None:
    n_cpus = config.n_workers * config.cpus_per_worker + 1
    with ray_cluster(config.address, n_cpus) as ray, tempfile.TemporaryDirectory() as folder:
        from ray.train import RunConfig, ScalingConfig
        from ray.train.torch import TorchConfig, TorchTrainer

        backend = _backend(task, config)
        loop: Callable[[dict[str, Any]], None] = _ray_worker
        trainer = TorchTrainer(
            loop,
            train_loop_config={"task": [ray.put(task)], "path": str(path)},
            torch_config=TorchConfig(backend=backend, timeout_s=60 * config.timeout_minutes),
            scaling_config=ScalingConfig(
                num_workers=config.n_workers,
                use_gpu=backend == "nccl",
                resources_per_worker={"CPU": config.cpus_per_worker},
            ),
            run_config=RunConfig(storage_path=folder, name="protsae"),
        )
        try:
            trainer.fit()
        except Exception as error:
            raise _cause_of(error) from error


def _ray_worker(config: dict[str, Any]) -> None:
    import ray

    work(ray.get(config["task"][0]), Path(config["path"]))


def _cause_of(error: BaseException) -> BaseException:
    """Return the user's own error from inside Ray's."""
    failures = getattr(error, "worker_failures", None) or {}
    for candidate in (*failures.values(), error.__cause__, getattr(error, "cause", None)):
        inner = getattr(candidate, "cause", candidate)
        if isinstance(inner, InputError):
            return InputError(str(inner))
    return error
