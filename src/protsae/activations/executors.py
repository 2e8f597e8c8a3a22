"""Who makes shards: this process, or workers of a Ray cluster. The shards are the same."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from pydantic import Field

from protsae.core.cluster import ray_cluster
from protsae.core.config import Config
from protsae.core.errors import InputError

Job = TypeVar("Job")
Done = TypeVar("Done")


class Executor(Protocol):
    """Runs independent jobs."""

    def run(self, make: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Yield the results of the jobs in their order, as soon as they are there.

        Args:
            make: makes one job; made again it gives the same. Picklable: what it builds up for its jobs (a
                model) it builds when first called.
            jobs: picklable too.
        """


class LocalExecutor:
    """One job after another, in this process."""

    def run(self, make: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Yield the results of the jobs in their order."""
        yield from map(make, jobs)


class RayConfig(Config):
    """How shards are spread over a Ray cluster. None of it changes what is in them."""

    address: str | None = None
    """Address of a running cluster, such as `auto` or `ray://head:10001`; None: a cluster of this machine,
    for as long as the extraction takes."""
    n_workers: int = Field(default=2, ge=1)
    """Processes that hold a model each."""
    cpus_per_worker: float = Field(default=1.0, ge=0)
    """Cores that the cluster sets aside for each worker; its number of torch threads."""
    gpus_per_worker: float = Field(default=0.0, ge=0)
    """GPUs, or shares of one, for each worker."""
    max_retries: int = Field(default=3, ge=0)
    """Times that a job is given out anew after its worker was lost."""


class RayExecutor:
    """Spreads jobs over workers of a Ray cluster (extra `ray`), which must see the same folders.

    Each worker is one process that keeps what it has built up. A lost worker is started anew and its job
    given out again; an error of the job itself is raised here.
    """

    def __init__(self, config: RayConfig) -> None:
        """Keep the settings; the cluster is sought when jobs are run."""
        self._config = config

    def run(self, make: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        """Yield the results of the jobs in their order.

        Raises:
            InputError: Ray is not installed, the cluster does not answer, or a worker was lost too often.
        """
        n_cpus = max(1, round(self._config.n_workers * self._config.cpus_per_worker))
        with ray_cluster(self._config.address, n_cpus) as ray:
            yield from self._spread(ray, make, jobs)

    def _spread(self, ray: Any, make: Callable[[Job], Done], jobs: Sequence[Job]) -> Iterator[Done]:
        config = self._config
        actor = ray.remote(
            num_cpus=config.cpus_per_worker,
            num_gpus=config.gpus_per_worker,
            max_restarts=-1,
            max_task_retries=config.max_retries,
        )(_Actor)
        shared = ray.put(make)
        n_threads = max(1, int(config.cpus_per_worker))
        actors = [actor.remote(shared, n_threads) for _ in range(min(config.n_workers, len(jobs)))]
        waiting = _Queue(ray, actors, jobs)
        for _ in jobs:
            yield waiting.next()


class _Queue:
    """Jobs given to the actors that are free, two to each so that none waits, and results in order."""

    def __init__(self, ray: Any, actors: Sequence[Any], jobs: Sequence[Any]) -> None:
        self._ray = ray
        self._jobs = iter(enumerate(jobs))
        self._actor_of: dict[Any, tuple[Any, int]] = {}
        self._done: dict[int, Any] = {}
        self._wanted = 0
        for actor in [*actors, *actors]:
            self._give(actor)

    def next(self) -> Any:
        """Return the result of the next job in order."""
        while self._wanted not in self._done:
            (ready, *_), _ = self._ray.wait(list(self._actor_of), num_returns=1)
            actor, position = self._actor_of.pop(ready)
            self._done[position] = ready
            self._give(actor)
        reference = self._done.pop(self._wanted)
        self._wanted += 1
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None  # the job's own error, as if it had been made here
        except self._ray.exceptions.RayActorError as error:
            raise InputError(
                f"a worker was lost too often to finish job {self._wanted} ({error}). Give it more memory, "
                "or more retries; shards that are whole are kept"
            ) from error

    def _give(self, actor: Any) -> None:
        position, job = next(self._jobs, (None, None))
        if position is not None:
            self._actor_of[actor.make.remote(job)] = actor, position


class _Actor:
    """One worker process of the cluster."""

    def __init__(self, make: Callable[[Any], Any], n_threads: int) -> None:
        import torch

        torch.set_num_threads(n_threads)
        self._make = make

    def make(self, job: Any) -> Any:
        """Make one job."""
        return self._make(job)
