"""DeepGO's data sets: pickled tables of pandas, read without unpickling them (`core.pickles`).

Layouts: the block managers of pandas 0.14 to 3, with object columns, Python strings or Arrow strings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from protsae.core.errors import InputError
from protsae.core.pickles import Inert, inert_bytes, load_inert

ACCESSIONS, NAMES, SEQUENCE = "accessions", "proteins", "sequences"
_OLD_LAYOUT = "0.14.1"
_UNEXPECTED = (AttributeError, LookupError, TypeError, ValueError, StopIteration)


@dataclass(frozen=True, slots=True)
class DeepGoRow:
    """One protein."""

    number: int
    """1-based row."""
    accession: str
    """The first of its accessions."""
    name: str
    """The entry name."""
    values: dict[str, Any]
    """The columns asked for."""


def deepgo_rows(path: Path, columns: Sequence[str], block: str, allow_pickle: bool) -> Iterator[DeepGoRow]:
    """Yield the rows of a DeepGO pickle.

    Args:
        path: the pickle, plain or compressed.
        columns: those needed in addition to `accessions` and `proteins`; of several joined by
            `|` the first one that the table has counts, under its own name.
        block: parameters that hold `allow_pickle`, for messages.
        allow_pickle: whether the user wants pickles to be read.

    Raises:
        InputError: not allowed; refused or damaged; no table; a column is missing or of another type.
    """
    if not allow_pickle:
        raise InputError(
            f"{path}: this is a pickle, which can hold code. It is read only if asked for, and then without "
            f"running any: {block}.allow_pickle=true"
        )
    table = table_columns(path, load_inert(path))
    chosen = []
    for alternatives in (ACCESSIONS, *columns):
        found = [name for name in alternatives.split("|") if name in table]
        if not found:
            raise InputError(
                f"{path}: the table has no column {alternatives.replace('|', ' or ')}; it has "
                f"{', '.join(map(str, table))}"
            )
        chosen.append(found[0])
    names = table.get(NAMES, [""] * len(table[ACCESSIONS]))
    for number, (accessions, name) in enumerate(zip(table[ACCESSIONS], names, strict=True), start=1):
        accession = accessions.split(";", maxsplit=1)[0].strip() if isinstance(accessions, str) else ""
        if not accession:
            raise InputError(f"{path}: row {number} has no accession: {accessions!r}")
        values = {column: table[column][number - 1] for column in chosen[1:]}
        yield DeepGoRow(number, accession, name.strip() if isinstance(name, str) else "", values)


def table_columns(path: Path, frame: Any) -> dict[str, list[Any]]:
    """Return the columns of an inert DataFrame that hold Python objects or strings, by name.

    Raises:
        InputError: it is no DataFrame, or of a layout that is not known.
    """
    if not isinstance(frame, Inert) or frame.name != "pandas.DataFrame":
        raise InputError(f"{path}: expected a pickled DataFrame, found {frame!r:.80}")
    try:
        blocks, axes = _blocks_and_axes(frame)
        names = _listed(axes[0], "index")
        columns: dict[str, list[Any]] = {}
        for values, placement in blocks:
            positions = _positions(placement, len(names))
            for position, column in zip(positions, _columns(values, len(positions)), strict=True):
                if column is not None:
                    columns[str(names[position])] = column
        if len({len(column) for column in columns.values()}) > 1:
            raise ValueError("columns of several lengths")
    except _UNEXPECTED as error:
        raise InputError(
            f"{path}: a DataFrame of a layout that is not known ({error}). Save it again with a current "
            "pandas, or as text"
        ) from None
    return columns


def _blocks_and_axes(frame: Inert) -> tuple[list[tuple[Any, Any]], Any]:
    """Return (values, placement) of every block, and the axes: the names of the columns come first."""
    manager = frame.state["_mgr"] if "_mgr" in frame.state else frame.state["_data"]
    if manager.args:
        blocks, axes = manager.args[:2]
        return [(block.args[0], block.args[1]) for block in blocks], axes
    layout = manager.state[3][_OLD_LAYOUT]
    return [(block["values"], block["mgr_locs"]) for block in layout["blocks"]], layout["axes"]


def _positions(placement: Any, n_columns: int) -> list[int]:
    if isinstance(placement, Inert) and placement.name == "pandas.BlockPlacement":
        placement = placement.args[0]
    if isinstance(placement, slice):
        return list(range(*placement.indices(n_columns)))
    return [int(position) for position in _numbers(placement)]


def _columns(values: Any, n_columns: int) -> list[list[Any] | None]:
    """Return the columns of a block; None for those of numbers, which are not needed."""
    if values.name.startswith("pandas."):
        return [_listed(values, "column")]
    flat = _objects(values)
    if flat is None:
        return [None] * n_columns
    if not n_columns or len(flat) % n_columns:
        raise ValueError("a block that its columns do not divide")
    length = len(flat) // n_columns
    return [flat[column * length : (column + 1) * length] for column in range(n_columns)]


def _listed(values: Any, what: str) -> list[Any]:
    """Return the objects of an index or a one-dimensional array."""
    if values.name in ("pandas._new_Index", "pandas.Index"):
        given = values.args[1] if values.name == "pandas._new_Index" else values.state
        return _listed(given["data"], what)
    if values.name in ("pandas.StringArray", "pandas.__pyx_unpickle_NDArrayBacked"):
        parts = values.state.values() if isinstance(values.state, dict) else values.state
        array = next(part for part in parts if isinstance(part, Inert) and part.name == "numpy._reconstruct")
        return _listed(array, what)
    if values.name.startswith("pandas.ArrowStringArray"):
        return _arrow_strings(values.state.get("_pa_array", values.state.get("_data")))
    flat = _objects(values)
    if flat is None:
        raise ValueError(f"a {what} of {values!r}")
    return flat


def _objects(array: Any) -> list[Any] | None:
    """Return the objects of a NumPy array in C order, which is how they are pickled; None for numbers."""
    if array.name != "numpy._reconstruct":
        return None
    content = array.state[4]
    return content if isinstance(content, list) else None


def _numbers(array: Any) -> np.ndarray:
    """Return the integers of a one-dimensional NumPy array."""
    if array.name == "numpy._frombuffer":
        content, dtype = array.args[:2]
    else:
        content, dtype = array.state[4], array.state[2]
    kind = str(dtype.args[0])
    if kind not in ("i8", "i4"):
        raise ValueError(f"positions of type {kind}")
    return np.frombuffer(inert_bytes(content), dtype=f"{dtype.state[1]}{kind}")


def _arrow_strings(array: Any) -> list[Any]:
    """Return the strings of an Arrow array: offsets and bytes, with a bitmap of what is there."""
    if array.name == "pyarrow.chunked_array":
        return [text for chunk in array.args[0] for text in _arrow_strings(chunk)]
    kind, length, _, offset, buffers = array.args[0][:5] if len(array.args) == 1 else array.args[:5]
    alias = str(kind.args[0]) if kind.args else kind.name.partition(".")[2]
    width = {"string": "<i4", "large_string": "<i8"}[alias]
    valid, offsets, content = (None if b is None else inert_bytes(b) for b in buffers)
    bounds = np.frombuffer(offsets or b"\0" * 8, dtype=width)[offset : offset + length + 1].tolist()
    texts: list[Any] = [(content or b"")[a:b].decode() for a, b in pairwise(bounds)]
    if len(texts) != length:
        raise ValueError("Arrow strings that are cut off")
    if valid is not None:
        bits = np.unpackbits(np.frombuffer(valid, np.uint8), bitorder="little")[offset : offset + length]
        texts = [text if bit else None for text, bit in zip(texts, bits, strict=True)]
    return texts
