"""Activations that someone else stored: any folder of Parquet files with a column of vectors.

The least schema (docs/training.md): a column `fixed_size_list<float16 or float32>[d_model]`, one row per
residue, and `protein_id`, the rows of a protein one after another within one file. Without `protein_id` every
row group is a protein. `labels` (`list<string>`) and `split` (`string`) may be further columns.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from protsae.activations.manifest import Manifest
from protsae.activations.reader import ActivationStatistics, ActivationStore
from protsae.activations.schema import vectors_to_numpy
from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import sha256_file, sha256_text

PROTEIN, LABELS, SPLIT = "protein_id", "labels", "split"
_BLOCK = 4096
"""Rows of which sums are taken at a time."""


@dataclass(frozen=True)
class _Origin:
    name: str
    sha256: str


@dataclass(frozen=True)
class _Header:
    """What training reads of a manifest."""

    dtype: str
    model: _Origin


class ParquetStore(ActivationStore):
    """Activations in Parquet files of any origin, read like our own: one row group in memory at a time.

    Opening reads footers and the columns `protein_id`, `labels` and `split`, no vectors.
    """

    def __init__(self, root: str | Path, column: str | None = None) -> None:
        """Open a folder, or one file, and check the schema of every file.

        Args:
            root: folder of `*.parquet` files, read in the order of their names.
            column: the vectors; None: the only column that can be.

        Raises:
            InputError: no files, no such column, files that differ in it, vectors of another width or type, a
                null, or a protein whose rows are not together.
        """
        self.root = Path(root)
        self.files = sorted(self.root.glob("*.parquet")) if self.root.is_dir() else [self.root]
        if not self.files or not self.files[0].is_file():
            raise InputError(f"{self.root} is no Parquet file and no folder with any (*.parquet)")
        self.column, self.d_model, dtype = self._schema(column)
        self.hook_points = (self.column,)
        self.labels: dict[str, tuple[str, ...]] = {}
        self.splits: dict[str, str] = {}
        pieces = [piece for number in range(len(self.files)) for piece in self._pieces(number)]
        self.protein_ids: list[str] = [str(piece[0]) for piece in pieces]
        self._shard, self._group, self._first_row, self._n_rows = (
            np.array([piece[i] for piece in pieces], dtype=np.int64) for i in (1, 2, 3, 4)
        )
        self._length = self._n_rows
        key = self._shard * (int(self._group.max()) + 1) + self._group
        self._group_start = np.searchsorted(key, key)
        self._position = {protein_id: i for i, protein_id in enumerate(self.protein_ids)}
        if len(self._position) < len(self.protein_ids):
            first = next(name for i, name in enumerate(self.protein_ids) if self._position[name] != i)
            raise InputError(
                f"{self.root}: the rows of protein {first!r} are not together: sort the rows by "
                "protein_id, and write every protein into one file"
            )
        self.manifest = cast(Manifest, _Header(dtype, _Origin(self.root.name, "")))

    def hook_point_of(self, wanted: str) -> str:
        """Return the name of the vectors' column, whatever hook point is `wanted`."""
        return self.column

    @cached_property
    def _hash(self) -> str:
        parts = ((path.name, sha256_file(path)) for path in self.files)
        return sha256_text(self.column, *(part for pair in parts for part in pair))

    def fingerprint(self) -> str:
        """Return a hash of the files' names and bytes, in hex."""
        return self._hash

    def protein_means(self, hook_point: str, protein_ids: Sequence[str]) -> np.ndarray:
        """Return the mean over each protein's rows, float32 [n_proteins, d_model], as they are given.

        Raises:
            InputError: unknown column or protein.
        """
        self._check_hook_point(hook_point)
        place_of = {name: place for place, name in enumerate(protein_ids)}
        means = np.empty((len(place_of), self.d_model), np.float32)
        for name, block in self.iter_proteins(hook_point, protein_ids):
            means[place_of[name]] = block.mean(axis=0, dtype=np.float64)
        return means

    def statistics(self, hook_point: str, protein_ids: Sequence[str]) -> ActivationStatistics:
        """Return mean and variance over all residues of some proteins, in one pass over their vectors.

        Raises:
            InputError: unknown column or protein, no protein, or a value that is no number.
        """
        self._check_hook_point(hook_point)
        if not protein_ids:
            raise InputError(f"statistics of {hook_point} over no proteins are undefined: the list is empty")
        total, total_sq = np.zeros((2, self.d_model))
        n_rows = 0
        for _, _, block in self.iter_stored(hook_point, protein_ids):
            for first in range(0, len(block), _BLOCK):
                values = block[first : first + _BLOCK].astype(np.float64)
                total += values.sum(axis=0)
                total_sq += np.square(values).sum(axis=0)
            n_rows += len(block)
        return ActivationStatistics.of(n_rows, total, total_sq)

    def read_group(
        self, hook_point: str, positions: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Read one of `groups` and yield its proteins as `iter_stored` does; residues are numbered in order.

        Raises:
            InputError: a damaged file, or a value that is no number.
        """
        if not len(positions):
            return
        path, group = self.files[self._shard[positions[0]]], int(self._group[positions[0]])
        ends = self._first_row[positions] + self._n_rows[positions]
        values = self._rows(path, group, int(ends.max()))
        for position in positions.tolist():
            first, n_rows = int(self._first_row[position]), int(self._n_rows[position])
            block = values[first : first + n_rows]
            if not np.isfinite(block).all():
                row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(block)))
                raise InputError(
                    f"{path}: column '{self.column}' of protein {self.protein_ids[position]!r} holds "
                    f"{block[row, column]} at its row {row} (0-based), dimension {column}: leave the "
                    "protein out or write it again"
                )
            yield position, np.arange(n_rows), block

    def _rows(self, path: Path, group: int, n_rows: int) -> np.ndarray:
        """Return the first `n_rows` vectors from a row group on, which may reach into the next ones."""
        parts: list[np.ndarray] = []
        n_read = 0
        try:
            with pq.ParquetFile(path) as file:
                while n_read < n_rows:
                    table = file.read_row_group(group + len(parts), [self.column])
                    parts.append(_vectors(table[self.column], path, self.column))
                    n_read += len(parts[-1])
        except (OSError, pa.ArrowException, *MALFORMED) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged ({error})") from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)[:n_rows]

    def _schema(self, column: str | None) -> tuple[str, int, str]:
        """Return name, width and type of the vectors, the same in all files."""
        found: tuple[str, pa.DataType] | None = None
        for path in self.files:
            schema = _footer(path).schema.to_arrow_schema()
            vectors = [field.name for field in schema if pa.types.is_fixed_size_list(field.type)]
            if column is None and len(vectors) != 1:
                raise InputError(
                    f"{path} has {len(vectors)} columns of vectors ({', '.join(vectors) or 'none'}; "
                    f"its columns: {', '.join(schema.names)}): expected one fixed_size_list of "
                    "float16 or float32, or name it"
                )
            name = column or vectors[0]
            if name not in schema.names:
                raise InputError(f"{path} has no column '{name}'; its columns: {', '.join(schema.names)}")
            kind = schema.field(name).type
            if name not in vectors or not (
                pa.types.is_float16(kind.value_type) or pa.types.is_float32(kind.value_type)
            ):
                raise InputError(
                    f"{path}: column '{name}' is {kind}, expected fixed_size_list of float16 or float32"
                )
            if found is not None and found != (name, kind):
                raise InputError(
                    f"{path}: vectors are column '{name}' of {kind}, in {self.files[0].name} '{found[0]}' of "
                    f"{found[1]}: all files of a folder need the same"
                )
            found = (name, kind)
        assert found is not None
        kind = found[1]
        return found[0], int(kind.list_size), "float16" if pa.types.is_float16(kind.value_type) else "float32"

    def _pieces(self, number: int) -> list[list[Any]]:
        try:
            return self._index(number)
        except InputError:
            raise
        except (OSError, pa.ArrowException, *MALFORMED) as error:
            raise InputError(f"{self.files[number]} is damaged ({error})") from error

    def _index(self, number: int) -> list[list[Any]]:
        """Return protein, file, row group of its first row, place of that row in it, and number of rows."""
        path = self.files[number]
        pieces: list[list[Any]] = []
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            wanted = [name for name in (PROTEIN, LABELS, SPLIT) if name in names]
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                if not n_rows:
                    continue
                if PROTEIN not in names:
                    pieces.append([f"{path.stem}:{group}", number, group, 0, n_rows])
                table = file.read_row_group(group, wanted) if wanted else None
                before = len(pieces) - (PROTEIN not in names)
                if table is not None and PROTEIN in names:
                    self._add_pieces(pieces, table, number, group)
                if table is not None:
                    self._add_labels(pieces[before:], table)
        return pieces

    def _add_pieces(self, pieces: list[list[Any]], table: pa.Table, number: int, group: int) -> None:
        ids = table[PROTEIN].cast(pa.string())
        if ids.null_count:
            raise InputError(f"{self.files[number]}: protein_id is null in row group {group}")
        values = np.array(ids.to_pylist(), dtype=object)
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
            if pieces and first == 0 and pieces[-1][0] == values[0]:
                pieces[-1][4] += int(last)  # continues the row group before
            else:
                pieces.append([values[first], number, group, int(first), int(last - first)])

    def _add_labels(self, pieces: list[list[Any]], table: pa.Table) -> None:
        """Keep labels and split of the proteins that begin in a row group, from their first rows."""
        for piece in pieces:
            if LABELS in table.column_names:
                self.labels[piece[0]] = tuple(table[LABELS][piece[3]].as_py() or ())
            if SPLIT in table.column_names:
                self.splits[piece[0]] = str(table[SPLIT][piece[3]].as_py())


def _vectors(column: pa.ChunkedArray, path: Path, name: str) -> np.ndarray:
    if column.null_count or any(pc.any(chunk.flatten().is_null()).as_py() for chunk in column.chunks):
        raise InputError(f"{path}: column '{name}' holds nulls: leave these rows out")
    return vectors_to_numpy(column)


def _footer(path: Path) -> Any:
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException, *MALFORMED) as error:
        raise InputError(f"{path} is not readable as Parquet ({error})") from error
