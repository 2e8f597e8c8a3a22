"""Small annotation files, written by the tests."""

from pathlib import Path

GAF_FIELDS = {
    0: "UniProtKB",
    1: "P1",
    2: "SYM",
    3: "enables",
    4: "GO:1000003",
    5: "PMID:1",
    6: "IDA",
    8: "F",
    11: "protein",
    12: "taxon:9606",
    13: "20240101",
    14: "UniProt",
}


def gaf_line(**changes: str) -> str:
    """Return one GAF line; a change is named by its column: `c4="NOT|enables"` (1-based)."""
    fields = [GAF_FIELDS.get(position, "") for position in range(17)]
    for name, value in changes.items():
        fields[int(name[1:]) - 1] = value
    return "\t".join(fields)


def write(folder: Path, *lines: str, name: str = "annotations", end: str = "\n") -> Path:
    path = folder / name
    path.write_bytes("".join(line + end for line in lines).encode())
    return path
