"""Activations that someone else stored as Parquet."""

from typing import Any

from protsae.activations.parquet import ParquetStore
from protsae.datasets.errors import DatasetInputError, input_errors_pass
from protsae.datasets.source_file import GivenDataset


class ParquetActivationsDataset(GivenDataset[ParquetStore]):
    """Loads a folder of Parquet files, or one file, to an `activations.parquet.ParquetStore`; is never saved.

    Example:
        ```yaml
        activation_shards:
          type: protsae.datasets.ParquetActivationsDataset
          filepath: /data/esm2_650m_layer24
          column: embedding
        ```
    """

    def __init__(
        self, *, filepath: str | None, column: str | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Keep the path.

        Args:
            filepath: local path; Kedro resolves a relative one against the project. None: not given.
            column: the vectors; None: the only column that can be.
            metadata: `kedro-viz` is read by Kedro-Viz.
        """
        super().__init__(filepath=filepath, metadata=metadata)
        self._column = column

    def load(self) -> ParquetStore:
        """Return the store.

        Raises:
            DatasetInputError: no path is given, or the files are not of the schema.
        """
        if self._filepath is None:
            raise DatasetInputError(
                "no folder of Parquet files is given: `--params training.manifest=PATH`, or the `filepath` "
                "of activation_shards in conf/parquet/catalog.yml"
            )
        with input_errors_pass():
            return ParquetStore(self._filepath, self._column)

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "column": self._column}
