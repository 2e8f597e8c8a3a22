"""Work that a node plans and a dataset runs."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any


class Plan(ABC):
    """Returned by a node whose work takes hours, leaves files of its own and resumes after an interruption.

    The dataset runs it on saving: the dataset alone has the path at which an unfinished run lies.
    """

    @abstractmethod
    def run(self, path: Path, how: Any = None) -> None:
        """Make what is missing at `path`.

        Args:
            path: a file or a folder.
            how: who does the work (workers, processes, a cluster), in the plan's own terms; None: this
                process. It does not change the result.

        Raises:
            InputError: the plan cannot be run here, or the work failed; the message says why.
        """
