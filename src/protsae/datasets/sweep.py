"""A folder of trained and judged autoencoders, made member by member when it is saved."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from protsae.activations.executors import Executor, LocalExecutor, RayConfig, RayExecutor
from protsae.datasets.errors import input_errors_pass
from protsae.sweeps.plan import INDEX_NAME, Sweep, SweepPlan
from protsae.sweeps.processes import ProcessExecutor


class SweepDataset(AbstractDataset[SweepPlan, Sweep]):
    """Saves a `SweepPlan` by running its members; loads a light handle.

    The list of members is written last. Saving again keeps members whose settings, data and code are the
    same, and goes on with the one that was interrupted.

    Example:
        ```yaml
        sweep_members:
          type: protsae.datasets.SweepDataset
          filepath: data/06_models/sweeps
        ```
    """

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
        self._filepath = Path(filepath)
        self._executor: Executor = LocalExecutor()
        if ray is not None:
            self._executor = RayExecutor(RayConfig(**ray))
        elif processes != 1:
            self._executor = ProcessExecutor(processes)
        self.metadata = metadata

    def load(self) -> Sweep:
        """Return the handle.

        Raises:
            DatasetInputError: the sweep never finished.
        """
        with input_errors_pass():
            return Sweep(self._filepath)

    def save(self, data: SweepPlan) -> None:
        """Make the members that are not made yet.

        Raises:
            DatasetInputError: a member's training is refused or diverges.
        """
        with input_errors_pass():
            data.run(self._filepath, self._executor)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return (self._filepath / INDEX_NAME).is_file()
