"""Codes of residues in the catalog."""

from pathlib import Path

from protsae.datasets.local import LocalDataset
from protsae.encoding.codes import INDEX_NAME, CodeStore


class ResidueCodesDataset(LocalDataset[CodeStore]):
    """A folder of sparse codes (`encoding.codes`), read from disk as they are asked for, without torch.

    Example:
        ```yaml
        topk.residue_codes:
          type: protsae.datasets.ResidueCodesDataset
          filepath: data/07_model_output/topk/residue_codes
        ```
    """

    written_last = INDEX_NAME

    def save(self, data: CodeStore) -> None:
        """Put the folder in place, whole; a temporary one is moved."""
        data.save(self._filepath)

    def _open(self, path: Path) -> CodeStore:
        return CodeStore(path)
