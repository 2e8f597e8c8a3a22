"""The explorer's folder in the catalog."""

from pathlib import Path

from protsae.datasets.planned import PlannedDataset
from protsae.explorer.folder import INDEX


class ExplorerDataset(PlannedDataset[Path]):
    """A folder of one page and its data files, made by saving an `explorer.folder.SitePlan`.

    Loads to the path of the page, which a browser opens from disk.

    Example:
        ```yaml
        explorer:
          type: protsae.datasets.ExplorerDataset
          filepath: data/08_reporting/explorer
        ```
    """

    written_last = INDEX

    def _open(self, path: Path) -> Path:
        return path / INDEX
