"""The list of the locked test: which proteins it has, how they were drawn, and where their relatives are."""

import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from helpers.provenance import ROOT
from protsae.annotations.config import AnnotationsConfig
from protsae.annotations.rows import read_annotations
from protsae.core.errors import InputError
from protsae.core.files import sha256_text, write_text_atomic
from protsae.core.seeding import lowest_hashes
from protsae.core.tables import named_rows
from protsae.core.threads import n_threads
from protsae.sequences.clustering import read_clusters
from protsae.sequences.fasta import FastaConfig, read_fasta
from protsae.sequences.mmseqs import HOW_TO_GET, find_program
from protsae.sequences.table import ALIAS_SEPARATOR, SequenceTableConfig, sequence_table

LIST = ROOT / "data/01_raw/locked.tsv"
DEMO = "data/01_raw/demo/proteins.fasta"
SALT = "protsae-locked"
N_PROTEINS = 2_500
N_SAMPLED = 20_000
"""The largest sample that anything was trained or tested on."""
N_SEARCHED = 2_000
"""Candidates that are searched at a time."""
Sequences = Mapping[str, str]
FindHits = Callable[[Sequences, Sequences], set[str]]
"""Queries and targets, id to sequence, to the ids of the queries with a significant hit."""


@dataclass(frozen=True)
class Candidates:
    """Proteins that may enter the list, and those that they must be unrelated to."""

    sequences: Sequences
    cluster_of: Mapping[str, str]
    annotated: Collection[str]
    used: Sequences
    """Id to sequence."""


def draw(candidates: Candidates, find_hits: FindHits, n_proteins: int = N_PROTEINS) -> dict[str, str]:
    """Draw the list: clusters in the order of a salted hash, and of these the proteins without any hit.

    Clusters with a protein that was used are passed over. The others' annotated proteins are searched among
    all that were used, and those with a significant hit are left out, however short or distant it is.

    Returns:
        Protein id to cluster id, in the order of the ids.

    Raises:
        InputError: there are fewer such proteins.
    """
    taken = {candidates.cluster_of.get(name, name) for name in candidates.used}
    open_ids = [
        name
        for name in candidates.sequences
        if name in candidates.annotated and candidates.cluster_of.get(name, name) not in taken
    ]
    order = sorted(
        open_ids, key=lambda name: (sha256_text(SALT, candidates.cluster_of.get(name, name)), name)
    )
    kept: list[str] = []
    for first in range(0, len(order), N_SEARCHED):
        names = order[first : first + N_SEARCHED]
        found = find_hits({name: candidates.sequences[name] for name in names}, candidates.used)
        kept += [name for name in names if name not in found]
        if len(kept) >= n_proteins:
            return {name: candidates.cluster_of.get(name, name) for name in sorted(kept[:n_proteins])}
    raise InputError(f"only {len(kept)} of {len(order)} candidates have no hit, {n_proteins} are wanted")


def candidates_of(data: Path) -> Candidates:
    """Read the full Swiss-Prot data, and what was ever used of it.

    Used are every slice of the demo in the history of the repository and its present one, the sample of
    20,000 proteins, and the proteins with binding residues.

    Args:
        data: folder with `swissprot_go/` and `binding/`.

    Raises:
        InputError: what the readers refuse.
    """
    fasta = data / "swissprot_go/proteins.fasta.gz"
    table, _ = sequence_table(fasta, SequenceTableConfig())
    names = [
        (name, *(aliases.split(ALIAS_SEPARATOR) if aliases else ()))
        for name, aliases in zip(table["protein_id"], table["aliases"], strict=True)
    ]
    first_of = {alias: ids[0] for ids in names for alias in ids}
    sequences = dict(zip(table["protein_id"], table["sequence"], strict=True))
    clusters = read_clusters(data / "swissprot_go/clusters.tsv.gz")
    sample = lowest_hashes(sequences, N_SAMPLED, "protein-sample")
    used = {name: sequences[name] for name in sample}
    for source in (*_demo_slices(), (data / "binding/all.fasta").read_text()):
        used |= {first_of.get(name, name): sequence for name, sequence in _records(source)}
    rows = read_annotations(data / "swissprot_go/annotations.tsv.gz", AnnotationsConfig())
    annotated = {first_of[name] for name in rows["accession"].unique() if name in first_of}
    return Candidates(sequences, clusters, annotated, used)


def find_hits(queries: Sequences, targets: Sequences) -> set[str]:
    """Return the queries that MMseqs2 at its most sensitive finds any significant hit of: E-value at most
    1e-3, whatever the identity and however little it covers.

    Raises:
        InputError: the program is not there.
    """
    program = find_program()
    if program is None:
        raise InputError(f"the program mmseqs is not there. {HOW_TO_GET}")
    names = sorted(queries)
    with tempfile.TemporaryDirectory(prefix="protsae-locked-") as folder:
        root = Path(folder)
        _write_fasta(root / "queries.fasta", [queries[name] for name in names])
        _write_fasta(root / "targets.fasta", list(targets.values()))
        files = [str(root / name) for name in ("queries.fasta", "targets.fasta", "found.tsv", "tmp")]
        options = ["-s", "7.5", "-e", "1e-3", "--format-output", "query", "--threads", str(n_threads())]
        command = [str(program), "easy-search", *files, *options, "-v", "1"]
        subprocess.run(command, check=True, capture_output=True)
        return {names[int(line)] for line in (root / "found.tsv").read_text().split()}


def write_list(path: Path, cluster_of: Mapping[str, str]) -> None:
    """Write a list."""
    rows = "".join(f"{name}\t{cluster}\n" for name, cluster in cluster_of.items())
    write_text_atomic(path, f"accession\tcluster_id\n{rows}")


def read_list(path: Path) -> dict[str, str]:
    """Return protein id to cluster id.

    Raises:
        InputError: as `file:line: reason`, on what `named_rows` refuses.
    """
    columns = {name: (name,) for name in ("accession", "cluster_id")}
    rows = named_rows(path, "locked proteins", columns)
    return {row["accession"]: row["cluster_id"] for _, row in rows}


def _demo_slices() -> Iterator[str]:
    """Yield the demo's FASTA file as it is, and as every commit that changed it left it."""
    yield (ROOT / DEMO).read_text()
    for commit in _git("log", "--format=%H", "--", DEMO).split():
        yield _git("show", f"{commit}:{DEMO}")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def _records(text: str) -> Iterator[tuple[str, str]]:
    with tempfile.NamedTemporaryFile("w", suffix=".fasta") as file:
        file.write(text)
        file.flush()
        for record in read_fasta(Path(file.name), FastaConfig()):
            yield record.protein_id, record.sequence


def _write_fasta(path: Path, sequences: Sequence[str]) -> None:
    path.write_text("".join(f">{number}\n{sequence}\n" for number, sequence in enumerate(sequences)))
