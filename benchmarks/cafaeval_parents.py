"""Check that the parents of preset `cafa` are those that the tool cafaeval builds from the same file.

    python benchmarks/cafaeval_parents.py [--ontology FILE ...] [--output docs/results/cafaeval_parents.json]

cafaeval is GPL, and nothing here imports it: it is installed into a virtual environment of its own, which is
removed afterwards, and run there as a separate program that prints the edges of its graphs. Compared are the
current terms per namespace, and every (child, parent) pair. The last line printed is one JSON object.

The tool leaves out `is_a` with a trailing `{modifier}` and terms whose namespace is the default one. The
release compared here has neither; the files of this project's tests do, and differ here by just those.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from helpers.cafaeval import VERSION, install_cafaeval
from helpers.provenance import ROOT, write_json
from helpers.writing import NAMESPACE_OF_ASPECT
from protsae.core.text import numbered_lines
from protsae.ontology.closure import ancestor_closure
from protsae.ontology.obo import read_obo

ONTOLOGIES = [ROOT.parent / "shared/data/go/go.obo.gz", ROOT / "data/01_raw/demo/go_slice.obo"]
PROGRAM = """
import sys
from cafaeval.parser import obo_parser
for namespace, graph in obo_parser(sys.argv[1]).items():
    for term in graph.terms_dict:
        print(namespace, term)
    ids = [term["id"] for term in graph.terms_list]
    for child, parent in zip(*graph.dag.nonzero()):
        print(namespace, ids[child], ids[parent])
"""

Graph = tuple[set[tuple[str, str]], set[tuple[str, str]]]
"""Terms as (namespace, id), and edges as (child, parent)."""


def parents_here(path: Path) -> Graph:
    """Return the current terms and the parents of preset `cafa`."""
    ontology = read_obo(path)
    closure = ancestor_closure(ontology, "cafa")
    current = ontology.terms[~ontology.terms["is_obsolete"]]
    namespaces = current["aspect"].map(lambda aspect: NAMESPACE_OF_ASPECT.get(aspect, aspect))
    child, parent = closure.parents.nonzero()
    edges = zip(closure.term_ids[child], closure.term_ids[parent], strict=True)
    return set(zip(namespaces, current["term_id"], strict=True)), set(edges)


def parents_of_cafaeval(python: Path, path: Path, folder: Path) -> Graph:
    """Return the same as cafaeval has it, from its own process."""
    plain = folder / "plain.obo"  # it reads no compressed files
    plain.write_text("".join(f"{line}\n" for _, line in numbered_lines(path)))
    printed = subprocess.run(
        [python, "-c", PROGRAM, plain], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split() for line in printed.splitlines()]
    terms = {(row[0], row[1]) for row in rows if len(row) == 2}
    return terms, {(row[1], row[2]) for row in rows if len(row) == 3}


def compare(python: Path, path: Path, folder: Path) -> dict[str, Any]:
    """Return counts of what both have, and of what only one has."""
    (terms, edges), (their_terms, their_edges) = parents_here(path), parents_of_cafaeval(python, path, folder)
    return {
        "data_version": read_obo(path).data_version,
        "n_terms": len(terms),
        "n_parents": len(edges),
        "n_terms_here_only": len(terms - their_terms),
        "n_terms_cafaeval_only": len(their_terms - terms),
        "n_parents_here_only": len(edges - their_edges),
        "n_parents_cafaeval_only": len(their_edges - edges),
    }


def main() -> int:
    """Compare, print and, where asked, write; return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ontology", type=Path, nargs="+", default=[p for p in ONTOLOGIES if p.is_file()])
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = install_cafaeval(folder)
        found = {path.name: compare(python, path, folder) for path in arguments.ontology}
    result = {
        "command": "python benchmarks/cafaeval_parents.py",
        "cafaeval": VERSION,
        "python": sys.version.split()[0],
        "ontologies": found,
    }
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))
    return int(any(n for counts in found.values() for key, n in counts.items() if key.endswith("_only")))


if __name__ == "__main__":
    sys.exit(main())
