"""A folder of trained and judged autoencoders, made member by member when it is saved."""

from pathlib import Path
from typing import Any

from protsae.activations.executors import Executor, RayConfig, RayExecutor
from protsae.datasets.planned import PlannedDataset
from protsae.sweeps.plan import INDEX_NAME, Sweep
from protsae.sweeps.processes import ProcessExecutor


class SweepDataset(PlannedDataset[Sweep]):
    """Saves a `sweeps.plan.SweepPlan` by running its members; loads a light handle.

    Saving again keeps members whose settings, data and code are the same, and resumes the one that was
    interrupted.

    Example:
        ```yaml
        sweep_members:
          type: protsae.datasets.SweepDataset
          filepath: data/06_models/sweeps
        ```
    """

    written_last = INDEX_NAME

    def __init__(
        self,
        *,
        filepath: str,
        processes: int = 1,
        ray: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Keep the path of the folder.

        Args:
            filepath: local folder; Kedro resolves a relative one against the project.
            processes: members made at the same time, each by a process of its own.
            ray: settings of `activations.executors.RayConfig`: members are made by the workers of a Ray
                cluster that see the folder. None: by this machine.
            metadata: read by Kedro-Viz.
        """
        executor: Executor | None = None
        if ray is not None:
            executor = RayExecutor(RayConfig(**ray))
        elif processes != 1:
            executor = ProcessExecutor(processes)
        super().__init__(filepath=filepath, how=executor, metadata=metadata)

    def _open(self, path: Path) -> Sweep:
        return Sweep(path)
