"""Activations that someone else stored as Parquet."""

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from protsae.activations.parquet import ParquetStore
from protsae.datasets.errors import DatasetInputError, input_errors_pass


class ParquetActivationsDataset(AbstractDataset[Any, ParquetStore]):
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
        self._filepath = None if filepath is None else Path(filepath)
        self._column = column
        self.metadata = metadata

    @property
    def is_absent(self) -> bool:
        """Whether the catalog says that this input is not given."""
        return self._filepath is None

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

    def save(self, data: Any) -> NoReturn:
        """Refuse: these files belong to the user."""
        raise DatasetError(f"{self._filepath} is given by the user and is never written by a pipeline")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": None if self._filepath is None else str(self._filepath), "column": self._column}

    def _exists(self) -> bool:
        return self._filepath is None or self._filepath.exists()
