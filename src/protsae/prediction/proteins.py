"""The proteins that are predicted: from a file, or one as text."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from protsae.core.errors import InputError
from protsae.sequences.fasta import FastaRecord, clean_record
from protsae.sequences.records import RecordsConfig, read_sequences

ONE = "sequence"
"""Id of a protein that was given as text."""


class Proteins(NamedTuple):
    """Proteins in the order of the input."""

    ids: tuple[str, ...]
    """Unique."""
    descriptions: tuple[str, ...]
    """The rest of each header."""
    sequences: tuple[str, ...]
    """Residues, under the policy of `sequences.residues`."""
    changed: dict[str, int]
    """What the policy changed, and records given twice, counted."""

    @property
    def by_id(self) -> dict[str, str]:
        """Protein id to sequence."""
        return dict(zip(self.ids, self.sequences, strict=True))


def read_proteins(path: Path | None, sequence: str | None) -> Proteins:
    """Read the proteins of a file (see `sequences.records`), or one given as text; neither: none.

    Raises:
        InputError: both are given; as `file:line: reason` on what `read_sequences` refuses; one id with two
            sequences.
    """
    if path is not None and sequence is not None:
        raise InputError("prediction.fasta and prediction.sequence are both given: give one of them")
    counts: Counter[str] = Counter()
    config = RecordsConfig()
    if path is not None:
        return distinct(read_sequences(path, config, counts), path, counts)
    if sequence is None:
        return Proteins((), (), (), {})
    text = "".join(sequence.split())
    record = FastaRecord(ONE, "", text)
    return distinct(
        [clean_record(lambda _: "prediction.sequence", record, config, counts)], Path(ONE), counts
    )


def distinct(records: Iterable[FastaRecord], path: Path, counts: Counter[str]) -> Proteins:
    """Return records of a file as proteins; a record that is there twice is kept once, and counted.

    Raises:
        InputError: as `file:line: reason`, on one id with two sequences.
    """
    found: dict[str, FastaRecord] = {}
    for record in records:
        first = found.setdefault(record.protein_id, record)
        if first is record:
            continue
        if first.sequence != record.sequence:
            raise InputError(
                f"{path}:{record.line}: id '{record.protein_id}' is already in line {first.line}, with "
                "another sequence. Remove or rename one of them"
            )
        counts["n_records_given_twice"] += 1
    kept = found.values()
    return Proteins(
        tuple(found), tuple(r.description for r in kept), tuple(r.sequence for r in kept), dict(counts)
    )


def require_given(name: str, wanted: str | None, path: Path | None) -> None:
    """Refuse a parameter that names a file and did not reach the catalog.

    Raises:
        InputError: it was set in a file of configuration: the catalog reads it from the command line.
    """
    if wanted is not None and path is None:
        raise InputError(
            f"{name} is set in a file of conf/: give it as `--params {name}={wanted}`, or set the filepath "
            f"of the entry {name.replace('.', '_').replace('fasta', 'proteins')} in conf/local/catalog.yml"
        )
