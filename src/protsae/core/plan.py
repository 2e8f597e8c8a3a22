"""Work that a node decides and a dataset has done."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any


class Plan(ABC):
    """What a node returns where the work leaves files of its own, takes hours and resumes where it stopped.

    The dataset runs it on saving: the dataset alone has the path at which an unfinished run lies.
    """

    @abstractmethod
    def run(self, path: Path, how: Any = None) -> None:
        """Make what is not made yet at `path`.

        Args:
            path: a file or a folder.
            how: who does the work (workers, processes, a cluster), in the plan's own terms; None: this
                process. It does not change the result.

        Raises:
            InputError: what the plan cannot be run on, or why the work failed.
        """
