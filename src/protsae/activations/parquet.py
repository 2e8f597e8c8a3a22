"""Activations that someone else stored: any folder of Parquet files with a column of vectors.

The least schema (docs/training.md): a column of lists of float16, float32 or float64 (read as float32), all
of one length, fixed or not, or of tensors of one dimension; one row per residue; and `protein_id`, the rows
of a protein one after another within one file. Without `protein_id` every row group is a protein. `labels`
(`list<string>`, or `string` for one label) and `split` (`string`) may be further columns, the same in all
rows of a protein.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.manifest import Manifest
from protsae.activations.reader import ActivationStatistics, ActivationStore
from protsae.core.errors import MALFORMED, InputError
from protsae.core.files import sha256_file, sha256_text

PROTEIN, LABELS, SPLIT = "protein_id", "labels", "split"
_BLOCK = 4096
"""Rows of which sums are taken at a time."""
_SHOWN = 8
_OTHER_NAMES = frozenset(
    ("accession", "entry", "entryid", "id", "protein", "proteins", "proteinid", "sequence_id", "uniprot_id")
)
"""What a column of protein ids is called elsewhere."""
_ADVICE = (
    "write one vector a row, such as list<float> (pandas: df['act'] = list(array); then df.to_parquet(path); "
    "to fix the width, schema=pa.schema([('protein_id', pa.string()), ('act', pa.list_(pa.float32(), 320))]))"
)


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
                null, a column of proteins of another name, or a protein whose rows are not together.
        """
        self.root = Path(root)
        self.files = sorted(self.root.glob("*.parquet")) if self.root.is_dir() else [self.root]
        if not self.files or not self.files[0].exists():
            raise InputError(f"{self.root} is no Parquet file and no folder with any (*.parquet)")
        if others := [path for path in self.files if not path.is_file()]:
            raise InputError(f"{others[0]} is a folder, a named pipe or a broken link, not a file: remove it")
        self.column, self.d_model, dtype = self._schema(column)
        self.hook_points = (self.column,)
        self.labels: dict[str, tuple[str, ...]] = {}
        self._splits: dict[str, tuple[str, ...]] = {}
        pieces = [piece for number in range(len(self.files)) for piece in self._pieces(number)]
        if not pieces:
            raise InputError(f"{self.root} holds no rows: write one for every residue")
        self.splits = {protein_id: value[0] for protein_id, value in self._splits.items()}
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
                    parts.append(_vectors(table[self.column], path, self.column, self.d_model))
                    n_read += len(parts[-1])
        except (OSError, pa.ArrowException, *MALFORMED) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} is damaged ({error})") from error
        return parts[0] if len(parts) == 1 else np.concatenate(parts)[:n_rows]

    def _schema(self, column: str | None) -> tuple[str, int, str]:
        """Return name, width and type of the vectors, the same in all files."""
        found: tuple[str, int, str] | None = None
        for path in self.files:
            schema = _footer(path).schema.to_arrow_schema()
            if PROTEIN not in schema.names and (
                near := _OTHER_NAMES & {name.casefold() for name in schema.names}
            ):
                raise InputError(
                    f"{path} has no column '{PROTEIN}', but {', '.join(sorted(near))}: rename the one that "
                    "says which protein a row is of. (Without any, every row group counts as a protein)"
                )
            vectors = [field.name for field in schema if number_of(field.type) is not None]
            if column is None and len(vectors) != 1:
                raise InputError(
                    f"{path} has {len(vectors)} columns of vectors ({', '.join(vectors) or 'none'}; "
                    f"its columns: {', '.join(schema.names[:_SHOWN])}): name one, or {_ADVICE}"
                )
            name = column or vectors[0]
            if name not in schema.names:
                raise InputError(f"{path} has no column '{name}'; its columns: {', '.join(schema.names)}")
            kind = schema.field(name).type
            number = number_of(kind)
            if number is None:
                raise InputError(f"{path}: column '{name}' is {kind}, not one vector a row: {_ADVICE}")
            width = _width_of(kind) or _first_width(path, name)
            if not width:
                raise InputError(f"{path} holds no rows, or vectors of no numbers in column '{name}'")
            here = name, width, "float16" if pa.types.is_float16(number) else "float32"
            if found is not None and found != here:
                raise InputError(
                    f"{path}: vectors are column '{name}' of {width} numbers ({here[2]}), in "
                    f"{self.files[0].name} '{found[0]}' of {found[1]} ({found[2]}): all files of a folder "
                    "need the same"
                )
            found = here
        assert found is not None
        return found

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
                before, n_before = len(pieces) - 1, pieces[-1][4] if pieces else 0
                if table is not None and PROTEIN in names:
                    self._add_pieces(pieces, table, number, group)
                if table is not None:
                    if PROTEIN in names and (before < 0 or pieces[before][4] == n_before):
                        before += 1  # the last protein of the row group before ended there
                    self._add_labels(pieces[before:], table, path, group)
        return pieces

    def _add_pieces(self, pieces: list[list[Any]], table: pa.Table, number: int, group: int) -> None:
        ids = table[PROTEIN].cast(pa.string())
        values = np.array(ids.to_pylist(), dtype=object)
        if not values.all():
            raise InputError(f"{self.files[number]}: protein_id is null or empty in row group {group}")
        starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
        for first, last in zip(starts, [*starts[1:], len(values)], strict=True):
            if pieces and first == 0 and pieces[-1][0] == values[0]:
                pieces[-1][4] += int(last)  # continues the row group before
            else:
                pieces.append([values[first], number, group, int(first), int(last - first)])

    def _add_labels(self, pieces: list[list[Any]], table: pa.Table, path: Path, group: int) -> None:
        """Keep labels and split of a row group's proteins, the same in all rows of each.

        Args:
            pieces: the proteins in the order of their rows; the first may continue the row group before.
            table: the row group.
            path: the file.
            group: number of the row group.
        """
        begins = [piece[3] if piece[2] == group else 0 for piece in pieces]
        for name, kept in ((LABELS, self.labels), (SPLIT, self._splits)):
            if name not in table.column_names:
                continue
            column = _texts(table[name], path, name)
            changes = set(_changes(column).tolist()) - set(begins)
            for piece, first in zip(pieces, begins, strict=True):
                value = tuple(dict.fromkeys(column[first].as_py() or ()))
                if name == SPLIT and len(value) != 1:
                    raise InputError(
                        f"{path}: column '{SPLIT}' is empty for protein {piece[0]!r}: give it one"
                    )
                if {*kept.setdefault(piece[0], value)} != {*value}:
                    changes.add(first)
            if changes:
                row = min(changes)
                protein = pieces[int(np.searchsorted(begins, row, side="right")) - 1][0]
                raise InputError(
                    f"{path}: column '{name}' varies within protein {protein!r} (at row {row} of row group "
                    f"{group}): training takes labels and split of whole proteins. Give all its rows the same"
                )


def storage_of(kind: pa.DataType) -> pa.DataType:
    """Return the type below an extension type, such as that of tensors."""
    return kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind


def _is_list(kind: pa.DataType) -> bool:
    return any(
        is_kind(kind) for is_kind in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )


def number_of(kind: pa.DataType) -> pa.DataType | None:
    """Return the type of the numbers of a column of vectors; None if the column holds something else."""
    if sum(size > 1 for size in getattr(kind, "shape", ())) > 1:
        return None  # a matrix in every row
    kind = storage_of(kind)
    return kind.value_type if _is_list(kind) and pa.types.is_floating(kind.value_type) else None


def _width_of(kind: pa.DataType) -> int:
    """Return the length of the vectors; 0 if the type does not say it."""
    kind = storage_of(kind)
    return int(kind.list_size) if pa.types.is_fixed_size_list(kind) else 0


def _first_width(path: Path, name: str) -> int:
    """Return the length of a file's first vector; 0 if it has none."""
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(1, columns=[name]):
                return len(batch.column(0)[0].as_py() or ())
    except (OSError, pa.ArrowException, *MALFORMED) as error:
        raise InputError(f"{path} is damaged ({error})") from error
    return 0


def _texts(column: pa.ChunkedArray, path: Path, name: str) -> pa.ListArray:
    """Return a column of texts, or of lists of texts, as lists of texts; a null is an empty list.

    Raises:
        InputError: it holds something else, such as numbers.
    """
    kind = storage_of(column.type)
    inner = kind.value_type if _is_list(kind) else kind
    inner = inner.value_type if pa.types.is_dictionary(inner) else inner
    if str(inner) not in {"string", "large_string", "string_view", "null"}:
        wanted = "string, or list<string> of several labels" if name == LABELS else "string"
        raise InputError(
            f"{path}: column '{name}' is {column.type}, expected {wanted}: write names, no numbers"
        )
    array = column.cast(pa.list_(pa.string()) if _is_list(kind) else pa.string()).combine_chunks()
    if _is_list(kind):
        if array.flatten().null_count:
            raise InputError(f"{path}: column '{name}' has lists that hold a null: leave it out of the list")
        _refuse_empty(array.flatten(), path, name)
        return array
    _refuse_empty(array, path, name)
    offsets = np.concatenate([[0], np.cumsum(np.asarray(array.is_valid()))])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), array.drop_null())


def _refuse_empty(texts: pa.StringArray, path: Path, name: str) -> None:
    if "" in texts.unique().to_pylist():
        raise InputError(f"{path}: column '{name}' holds empty texts: write null where there is none")


def _changes(column: pa.ListArray) -> np.ndarray:
    """Return the rows whose texts are others than those of the row before, in whatever order."""
    lengths = np.asarray(column.value_lengths().fill_null(0), np.int64)
    row = np.repeat(np.arange(len(lengths)), lengths)
    code = np.asarray(column.flatten().dictionary_encode().indices, np.int64)
    code = code[np.lexsort((code, row))]
    before = np.arange(len(code)) - np.repeat(lengths, lengths)  # the same place in the row before
    as_long = np.concatenate([[False], lengths[1:] == lengths[:-1]])
    compared = as_long[row]
    differs = np.bincount(row[compared][code[compared] != code[before[compared]]], minlength=len(lengths)) > 0
    found = differs | ~as_long
    found[:1] = False
    return np.flatnonzero(found)


def _vectors(column: pa.ChunkedArray, path: Path, name: str, width: int) -> np.ndarray:
    """Return the vectors [n, width], float16 as it is and others as float32.

    Raises:
        InputError: a null, or a vector of another length.
    """
    parts = []
    for chunk in column.chunks:
        array = chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk
        if array.null_count or array.flatten().null_count:
            raise InputError(f"{path}: column '{name}' holds nulls: leave these rows out")
        if not pa.types.is_fixed_size_list(array.type):
            lengths = np.asarray(array.value_lengths())
            if (lengths != width).any():
                raise InputError(
                    f"{path}: column '{name}' has vectors of {width} numbers and of "
                    f"{lengths[lengths != width][0]}: all need the same length"
                )
        parts.append(array.flatten().to_numpy(zero_copy_only=False).reshape(-1, width))
    values = parts[0] if len(parts) == 1 else np.concatenate(parts or [np.empty((0, width), np.float32)])
    with np.errstate(over="ignore"):  # who reads them refuses what is infinite
        return values.astype(np.float32) if values.dtype == np.float64 else values


def _footer(path: Path) -> Any:
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException, *MALFORMED) as error:
        raise InputError(f"{path} is not readable as Parquet ({error})") from error
