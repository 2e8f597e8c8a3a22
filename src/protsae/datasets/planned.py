"""What a plan makes when it is saved."""

from typing import Any, TypeVar

from protsae.core.plan import Plan
from protsae.datasets.errors import input_errors_pass
from protsae.datasets.local import LocalDataset

Handle = TypeVar("Handle")


class PlannedDataset(LocalDataset[Handle]):
    """Saves a `Plan` by running it; loads a light handle.

    Saving again after an interruption resumes the unfinished run. What is complete is kept.
    """

    def __init__(self, *, filepath: str, how: Any = None, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path.

        Args:
            filepath: local file or folder; Kedro resolves a relative one against the project.
            how: see `Plan.run`.
            metadata: read by Kedro-Viz.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._how = how

    def save(self, data: Plan) -> None:
        """Run the plan.

        Raises:
            DatasetInputError: see `Plan.run`.
        """
        with input_errors_pass():
            data.run(self._filepath, self._how)
