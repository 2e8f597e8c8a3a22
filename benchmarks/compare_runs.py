"""Compare the tables of two data folders: what differs by more than rounding, what is new, what is gone.

    python benchmarks/compare_runs.py BEFORE AFTER [--tolerance 1e-6] [--renamed OLD=NEW ...]

Tables are CSV and Parquet files below the numbered layers, found by their relative paths. Rows are matched by
all columns that hold no floating-point numbers, whatever their order; numbers are compared by
|a - b| <= tolerance * max(1, |a|). Columns of lists are compared element by element. Exits with 1 where
anything differs.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

SUFFIXES = {".csv": pd.read_csv, ".parquet": pd.read_parquet}
SKIPPED = re.compile(r"^(01_raw|.*/activations/|.*sweeps/)")


def tables(root: Path) -> dict[str, Path]:
    """Return the tables of a data folder by relative path, raw data and activations left out."""
    found = (path for path in sorted(root.rglob("*")) if path.suffix in SUFFIXES)
    named = {path.relative_to(root).as_posix(): path for path in found}
    return {name: path for name, path in named.items() if not SKIPPED.match(name) and "/." not in name}


def read(path: Path) -> pd.DataFrame:
    """Return a table."""
    table: pd.DataFrame = SUFFIXES[path.suffix](path)
    return table


def compare(before: pd.DataFrame, after: pd.DataFrame, tolerance: float) -> Iterator[str]:
    """Yield what differs between two tables, in words."""
    shared = [name for name in before.columns if name in after.columns]
    if gone := sorted(set(before.columns) - set(shared)):
        yield f"columns gone: {', '.join(gone)}"
    if new := sorted(set(after.columns) - set(shared)):
        yield f"columns new: {', '.join(new)}"
    lists = [name for name in shared if _holds_lists(before[name])]
    floats = [
        name for name in shared if name not in lists and _is_float(before[name]) and _is_float(after[name])
    ]
    keys = [name for name in shared if name not in (*lists, *floats)]
    left, right = (_keyed(table[shared], keys, floats) for table in (before, after))
    both = left.merge(right, on="_key", how="outer", suffixes=("", "__after"), indicator=True)
    for side, word in (("left_only", "gone"), ("right_only", "new")):
        rows = both[both["_merge"] == side]
        if len(rows):
            yield f"{len(rows)} rows {word}, such as {rows['_key'].iloc[0]}"
    same = both[both["_merge"] == "both"]
    for name in (*floats, *lists):
        one, other = same[name], same[f"{name}__after"]
        worst, at = _worst(one, other, is_list=name in lists)
        if not worst <= tolerance:
            where = same["_key"].iloc[at]
            yield f"{name}: differs by {worst:.3g}, most at {where}: {one.iloc[at]} and {other.iloc[at]}"


def _holds_lists(column: pd.Series) -> bool:
    known = column.dropna()
    return len(known) > 0 and isinstance(known.iloc[0], np.ndarray | list)


def _is_float(column: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(column) or column.isna().all()


def _keyed(table: pd.DataFrame, keys: list[str], floats: list[str]) -> pd.DataFrame:
    """Add `_key`: a row's texts and whole numbers; rows of one key are numbered in order of the others."""
    columns = [table[name].astype("string").fillna("") for name in keys]
    text = columns[0].str.cat(columns[1:], sep=" | ") if columns else pd.Series("", index=table.index)
    ordered = table.assign(_key=text).sort_values(["_key", *floats], ignore_index=True)
    number = ordered.groupby("_key").cumcount().astype(str)
    return ordered.assign(_key=ordered["_key"] + " #" + number)


def _worst(one: pd.Series, other: pd.Series, *, is_list: bool) -> tuple[float, int]:
    if not len(one):
        return 0.0, 0
    if is_list:
        gaps = np.array([_gap(a, b) for a, b in zip(one, other, strict=True)])
    else:
        gaps = np.asarray(_gaps(one.to_numpy(np.float64), other.to_numpy(np.float64)))
    at = int(np.argmax(gaps))
    return float(gaps[at]), at


def _gap(one: Any, other: Any) -> float:
    a, b = np.atleast_1d(np.asarray(one)), np.atleast_1d(np.asarray(other))
    if a.shape != b.shape:
        return np.inf
    if a.dtype.kind not in "fiub":
        return 0.0 if (a == b).all() else np.inf
    return float(np.max(_gaps(a.astype(float), b.astype(float)), initial=0.0))


def _gaps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    missing = np.isnan(one) & np.isnan(other)
    with np.errstate(invalid="ignore"):
        gaps = np.where(one == other, 0.0, np.abs(one - other) / np.maximum(1.0, np.abs(one)))
    return np.where(missing, 0.0, np.where(np.isnan(gaps), np.inf, gaps))


def main() -> int:
    """Print what differs; return 1 where anything does."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--tolerance", type=float, default=1e-6)
    parser.add_argument("--renamed", nargs="*", default=[], help="OLD=NEW relative paths")
    given = parser.parse_args()
    renamed = dict(pair.split("=", 1) for pair in given.renamed)
    before = {renamed.get(name, name): path for name, path in tables(given.before).items()}
    after = tables(given.after)
    different = 0
    for name in sorted({*before, *after}):
        if name not in after or name not in before:
            print(f"{name}: {'gone' if name in before else 'new'}")
            continue
        found = list(compare(read(before[name]), read(after[name]), given.tolerance))
        different += bool(found)
        for line in found:
            print(f"{name}: {line}")
    n_shared = len({*before} & {*after})
    print(f"{n_shared} tables in both, {n_shared - different} equal within {given.tolerance:g}")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
