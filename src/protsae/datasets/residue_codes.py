"""Codes of residues in the catalog."""

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from protsae.datasets.errors import input_errors_pass
from protsae.encoding.codes import INDEX_NAME, CodeStore


class ResidueCodesDataset(AbstractDataset[CodeStore, CodeStore]):
    """A folder of sparse codes (`encoding.codes`), read from disk as they are asked for, without torch.

    Example:
        ```yaml
        topk.residue_codes:
          type: protsae.datasets.ResidueCodesDataset
          filepath: data/07_model_output/topk/residue_codes
        ```
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Keep the path of the folder.

        Args:
            filepath: local folder; Kedro resolves a relative one against the project.
            metadata: read by Kedro-Viz.
        """
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> CodeStore:
        """Open the folder.

        Raises:
            DatasetInputError: it is no such folder, is damaged or too new.
        """
        with input_errors_pass():
            return CodeStore(self._filepath)

    def save(self, data: CodeStore) -> None:
        """Put the folder in place, whole; a temporary one is moved."""
        data.save(self._filepath)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return (self._filepath / INDEX_NAME).is_file()
