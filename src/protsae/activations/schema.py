"""Parquet schemas of shards and statistics, and the descriptions in their footers."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from protsae.activations.manifest import FORMAT, FORMAT_VERSION
from protsae.core.errors import MALFORMED
from protsae.core.files import UNSEALED

StorageDtype = Literal["float16", "float32", "bfloat16"]
STATISTICS_NAME = "statistics.parquet"
_KEY = FORMAT.encode()
_ROWS_PER_GROUP = 1 << 14


def shard_name(index: int) -> str:
    """Return the file name of shard `index`."""
    return f"shard-{index:05d}.parquet"


def storage_dtype(dtype: StorageDtype) -> np.dtype[Any]:
    """Return the NumPy type of stored values: float32 stands in for bfloat16, which Parquet lacks."""
    return np.dtype("float32" if dtype == "bfloat16" else dtype)


def row_groups(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Group proteins of `rows` rows each: yield first row and number of rows, whole proteins together."""
    first = n_rows = 0
    for n in rows:
        if n_rows and n_rows + n > _ROWS_PER_GROUP:
            yield first, n_rows
            first, n_rows = first + n_rows, 0
        n_rows += n
    yield first, n_rows


def vector_type(d_model: int, dtype: str) -> pa.DataType:
    """Return the column type of vectors: a list of fixed length."""
    return pa.list_(pa.from_numpy_dtype(np.dtype(dtype)), d_model)


def shard_schema(
    hook_points: tuple[str, ...], d_model: int, dtype: StorageDtype, about: dict[str, Any]
) -> pa.Schema:
    """Return the schema of a shard: one row per residue, one vector column per hook point.

    Args:
        hook_points: names of the vector columns.
        d_model: length of the vectors.
        dtype: stored type of their components.
        about: what the footer says in addition to format and version; must hold `fingerprint`.
    """
    vectors = vector_type(d_model, str(storage_dtype(dtype)))
    fields = [
        pa.field("protein_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("residue_index", pa.int32(), nullable=False),
        pa.field("aa", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        *(pa.field(name, vectors, nullable=False) for name in hook_points),
    ]
    return pa.schema(fields, metadata=_footer(about))


def statistics_schema(hook_points: tuple[str, ...], d_model: int, about: dict[str, Any]) -> pa.Schema:
    """Return the schema of the statistics: one row per protein in stored order.

    `shard` and `first_row` say where its `n_rows` rows begin; `length` counts its residues, stored or not;
    `<hook point>.sum` and `<hook point>.sum_sq` are the sums over its rows of the stored values and of their
    squares, float64 [d_model].
    """
    fields = [
        pa.field("protein_id", pa.string(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("n_rows", pa.int32(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
    ]
    for name in hook_points:
        fields += [
            pa.field(sum_column(name), vector_type(d_model, "float64"), nullable=False),
            pa.field(sum_sq_column(name), vector_type(d_model, "float64"), nullable=False),
        ]
    return pa.schema(fields, metadata=_footer(about))


def sum_column(hook_point: str) -> str:
    """Return the name of the column of per-protein sums."""
    return f"{hook_point}.sum"


def sum_sq_column(hook_point: str) -> str:
    """Return the name of the column of per-protein sums of squares."""
    return f"{hook_point}.sum_sq"


def vectors_to_arrow(values: np.ndarray) -> pa.FixedSizeListArray:
    """Turn [n, d] into a column of n vectors, without a copy."""
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def vectors_to_numpy(column: pa.ChunkedArray) -> np.ndarray:
    """Turn a column of n vectors into [n, d]: a read-only view of a column of one chunk, else a copy."""
    width = column.type.list_size
    chunks: list[np.ndarray] = [
        chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, width) for chunk in column.chunks
    ]
    if len(chunks) == 1:
        return chunks[0]
    empty = np.empty((0, width), dtype=column.type.value_type.to_pandas_dtype())
    return np.concatenate(chunks or [empty])


def footer_of(path: Path) -> tuple[dict[str, Any], int]:
    """Return what a Parquet file's footer says about itself, and its number of rows.

    Returns:
        An empty description where the file is Parquet of another origin, format or version.

    Raises:
        OSError: the file is missing, unreadable, or not a whole Parquet file.
    """
    try:
        metadata = pq.read_metadata(path)
        about: dict[str, Any] = json.loads((metadata.metadata or {}).get(_KEY, b"{}"))
        if about.get("format_version") != FORMAT_VERSION:
            about = {}
    except (pa.ArrowException, *MALFORMED) as error:
        raise OSError(f"not a whole Parquet file: {error}") from error
    return about, metadata.num_rows


def _footer(about: dict[str, Any]) -> dict[bytes, bytes]:
    description = {"format": FORMAT, "format_version": FORMAT_VERSION, "seal": UNSEALED, **about}
    return {_KEY: json.dumps(description, sort_keys=True).encode()}
