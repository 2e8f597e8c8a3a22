"""Check that Fmax, weighted Fmax and Smin of preset `cafa` are those of the tool cafaeval, with thresholds.

    python benchmarks/cafaeval_scores.py [--output docs/results/cafaeval_scores.json]

Twenty random ontologies (`is_a` and `part_of`, several parents, two namespaces, obsolete terms) with random
annotations, random predictions of any term, and random information, each judged with its roots and without
them (cafaeval's `-no_orphans`). Both sides get files: OBO, ground truth, predictions, information. Roots
carry no information, as by its definition: cafaeval's weighted figures count them whatever `-no_orphans`
says.

cafaeval is GPL, and nothing here imports it: it is installed into a virtual environment of its own, which is
removed afterwards, and run there as a separate program. The last line printed is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from helpers.cafaeval import VERSION, install_cafaeval
from helpers.provenance import provenance, write_json
from protsae.metrics.cafa import Best, ProteinCurves, propagate_scores
from protsae.ontology.closure import AncestorClosure, ancestor_closure
from protsae.ontology.obo import read_obo

N_ONTOLOGIES = 20
TOLERANCE = 1e-9
NAMESPACES = {"biological_process": "BPO", "molecular_function": "MFO"}
PROGRAM = """
import json, sys
from cafaeval.evaluation import cafa_eval
folder, without_roots = sys.argv[1], sys.argv[2] == "without"
files = [f"{folder}/{name}" for name in ("terms.obo", "predictions", "truth.tsv")]
points, best = cafa_eval(*files, ia=f"{folder}/information.tsv", no_orphans=without_roots)
found = {}
for metric, table in best.items():
    for (_, namespace, tau), row in table.iterrows():
        found.setdefault(namespace, {})[metric] = [float(row[metric]), float(tau)]
for namespace, table in points.reset_index().groupby("ns"):
    row = table.loc[table["s_w"].idxmin()]
    found[namespace]["s_w"] = [float(row["s_w"]), float(row["tau"])]
print(json.dumps(found))
"""

Found = dict[str, dict[str, list[float]]]
"""Namespace to metric to value and threshold."""


def make_case(folder: Path, seed: int) -> None:
    """Write one random case."""
    generator = np.random.default_rng(seed)
    terms, stanzas = [], ["format-version: 1.2\n"]
    for number, namespace in enumerate(NAMESPACES):
        size = int(generator.integers(4, 40))
        ids = [f"GO:{number}{i:06d}" for i in range(size)]
        terms += ids
        for i, term in enumerate(ids):
            lines = ["[Term]", f"id: {term}", f"name: {term}", f"namespace: {namespace}"]
            for parent in (
                generator.choice(i, min(i, int(generator.integers(1, 4))), replace=False) if i else ()
            ):
                kind = "is_a:" if generator.random() < 0.7 else "relationship: part_of"
                lines.append(f"{kind} {ids[parent]}")
            stanzas.append("\n".join(lines) + "\n")
        stanzas.append(
            f"[Term]\nid: GO:{number}999999\nname: gone\nnamespace: {namespace}\nis_obsolete: true\n"
        )
    proteins = [f"P{i}" for i in range(int(generator.integers(5, 60)))]
    truth = [(p, t) for p in proteins for t in generator.choice(terms, int(generator.integers(0, 4)))]
    predicted = [
        (p, t, round(float(generator.random()), int(generator.integers(1, 4))))
        for p in [*proteins, "unknown"]
        for t in generator.choice(terms, int(generator.integers(0, 6)), replace=False)
    ]
    (folder / "predictions").mkdir()
    (folder / "terms.obo").write_text("\n".join(stanzas))
    (folder / "truth.tsv").write_text("".join(f"{p}\t{t}\n" for p, t in dict.fromkeys(truth)))
    written = "".join(f"{p}\t{t}\t{score}\n" for p, t, score in predicted if score > 0)
    (folder / "predictions" / "random.tsv").write_text(written)
    worth = generator.choice([0.0, 1.0, 2.0], len(terms)) * generator.random(len(terms))
    worth[[term.endswith("000000") for term in terms]] = 0.0
    rows = zip(terms, worth, strict=True)
    (folder / "information.tsv").write_text("".join(f"{t}\t{float(value)!r}\n" for t, value in rows))


def here(folder: Path, *, with_roots: bool) -> Found:
    """Return what this project makes of the case."""
    ontology = read_obo(folder / "terms.obo")
    closure = ancestor_closure(ontology, "cafa")
    worth = dict(_rows(folder / "information.tsv"))
    information = np.array([float(worth[term]) for term in closure.term_ids])
    truth = _rows(folder / "truth.tsv")
    proteins = sorted({p for p, _ in truth})
    aspect = ontology.terms.set_index("term_id")["aspect"].loc[closure.term_ids].to_numpy()
    labels = _matrix([(p, t, 1.0) for p, t in truth], proteins, closure)
    given = [(p, t, float(score)) for p, t, score in _rows(folder / "predictions" / "random.tsv")]
    scores = _matrix(given, proteins, closure)
    below = [np.flatnonzero(column).tolist() for column in closure.ancestors.toarray().T]
    labels, scores = propagate_scores(labels, below), propagate_scores(scores, below)
    orphan = np.diff(closure.parents.indptr) == 0
    found: Found = {}
    for namespace, name in NAMESPACES.items():
        kept = (aspect == name) & (with_roots | ~orphan)
        counts = labels[:, aspect == name].any(axis=1)
        arguments = scores[:, kept], labels[:, kept] > 0
        plain = ProteinCurves(*arguments, counts=counts)
        weighted = ProteinCurves(*arguments, counts=counts, information=information[kept])
        best = {
            "f": plain.fmax(),
            "f_w": weighted.weighted_fmax(),
            "s": plain.smin(),
            "s_w": weighted.smin(),
        }
        if scores[:, aspect == name][counts].any():  # the tool says nothing where nothing was predicted
            found[namespace] = {metric: _pair(point) for metric, point in best.items()}
    return found


def there(python: Path, folder: Path, *, with_roots: bool) -> Found:
    """Return what cafaeval makes of it, in its own process."""
    words = [python, "-c", PROGRAM, folder, "with" if with_roots else "without"]
    printed = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    found: Found = json.loads(printed.splitlines()[-1])
    return found


def compare(python: Path, folder: Path) -> dict[str, Any]:
    """Return how many figures were compared over all cases, and the largest differences."""
    n, largest, threshold, unequal = 0, 0.0, 0.0, []
    for seed in range(N_ONTOLOGIES):
        case = folder / str(seed)
        case.mkdir()
        make_case(case, seed)
        for with_roots in (True, False):
            ours, theirs = here(case, with_roots=with_roots), there(python, case, with_roots=with_roots)
            for namespace in NAMESPACES:
                for metric in ("f", "f_w", "s", "s_w"):
                    pair = [side.get(namespace, {}).get(metric) for side in (ours, theirs)]
                    if pair[0] is None or pair[1] is None:
                        if pair != [None, None]:
                            unequal.append([seed, with_roots, namespace, metric, *pair])
                        continue
                    n += 1
                    value, tau = (abs(a - b) for a, b in zip(*pair, strict=True))
                    largest, threshold = max(largest, value), max(threshold, tau)
                    if max(value, tau) > TOLERANCE:
                        unequal.append([seed, with_roots, namespace, metric, *pair])
    return {
        "n_ontologies": N_ONTOLOGIES,
        "n_compared": n,
        "max_abs_diff": largest,
        "max_abs_diff_of_thresholds": threshold,
        "n_unequal": len(unequal),
        "unequal": unequal,
    }


def main() -> int:
    """Compare, print and, where asked, write; return 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=None)
    arguments = parser.parse_args()
    about = provenance()
    with tempfile.TemporaryDirectory(prefix="protsae-cafaeval-") as name:
        folder = Path(name)
        python = install_cafaeval(folder)
        result = {**about, "cafaeval": VERSION, **compare(python, folder)}
    if arguments.output:
        write_json(arguments.output, result)
    print(json.dumps(result))
    return int(result["n_unequal"] > 0)


def _rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def _matrix(
    triples: list[tuple[str, str, float]], proteins: list[str], closure: AncestorClosure
) -> np.ndarray:
    """Return [n_proteins, n_terms]; the highest of a pair's scores, rows of other proteins left out."""
    out = np.zeros((len(proteins), len(closure.term_ids)))
    row = {protein: i for i, protein in enumerate(proteins)}
    column = {term: j for j, term in enumerate(closure.term_ids)}
    for protein, term, score in triples:
        if protein in row and term in column:
            out[row[protein], column[term]] = max(out[row[protein], column[term]], score)
    return out


def _pair(point: Best) -> list[float]:
    return [point.value, point.threshold]


if __name__ == "__main__":
    sys.exit(main())
