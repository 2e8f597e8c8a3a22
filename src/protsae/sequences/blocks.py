"""Proteins in blocks of bounded size, in one order."""

from collections.abc import Iterator, Mapping


def id_blocks(sequences: Mapping[str, str], n_residues: int) -> Iterator[list[str]]:
    """Yield sorted protein ids in blocks; a block is closed when it holds at least `n_residues` residues."""
    names: list[str] = []
    size = 0
    for name in sorted(sequences):
        names.append(name)
        size += len(sequences[name])
        if size >= n_residues:
            yield names
            names, size = [], 0
    if names:
        yield names
