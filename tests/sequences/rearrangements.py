"""Small rearrangement tables, written by the tests."""

from collections.abc import Sequence
from pathlib import Path

REGIONS = ("fwr1_aa", "cdr1_aa", "fwr2_aa", "cdr2_aa", "fwr3_aa", "cdr3_aa", "fwr4_aa")
PARTS = ("QVQ", "GFT", "WVR", "IS", "YYC", "ARDY", "WGQ")
"""Regions of a heavy chain in miniature."""
SEQUENCE = "".join(PARTS)


def heavy(name: str, **more: str) -> dict[str, str]:
    """Return a row of a heavy chain with all its regions."""
    return {
        "sequence_id": name,
        "sequence_aa": SEQUENCE,
        "v_call": "IGHV3-23*01",
        "d_call": "IGHD3-10*01",
        "j_call": "IGHJ4*02",
        "junction_aa": "CARDYW",
        **dict(zip(REGIONS, PARTS, strict=True)),
        **more,
    }


def table(path: Path, rows: Sequence[dict[str, str]], separator: str = "\t", before: str = "") -> Path:
    """Write rows under the columns that any of them has; return the path."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([row.get(name, "") for name in columns] for row in rows)]
    path.write_text(before + "".join(separator.join(line) + "\n" for line in lines))
    return path
