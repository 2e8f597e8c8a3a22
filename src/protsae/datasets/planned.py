"""What a plan makes when it is saved."""

from pathlib import Path
from typing import Any, Generic, TypeVar

from kedro.io import AbstractDataset

from protsae.core.plan import Plan
from protsae.datasets.errors import input_errors_pass

Handle = TypeVar("Handle")


class PlannedDataset(AbstractDataset[Plan, Handle], Generic[Handle]):
    """Saves a `Plan` by running it; loads a light handle.

    Saving again after a kill resumes where the unfinished run stopped. What is made already is kept.
    """

    def __init__(self, *, filepath: str, how: Any = None, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path.

        Args:
            filepath: local file or folder; Kedro resolves a relative one against the project.
            how: see `Plan.run`.
            metadata: read by Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self._how = how
        self.metadata = metadata

    def load(self) -> Handle:
        """Return the handle.

        Raises:
            DatasetInputError: what was made is missing, foreign, damaged or unfinished.
        """
        with input_errors_pass():
            return self._open(self._filepath)

    def save(self, data: Plan) -> None:
        """Run the plan.

        Raises:
            DatasetInputError: see `Plan.run`.
        """
        with input_errors_pass():
            data.run(self._filepath, self._how)

    def _open(self, path: Path) -> Handle:
        """Return the handle on what lies at a path."""
        raise NotImplementedError

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()
