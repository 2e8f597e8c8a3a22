"""Clonotypes and V subgroups as clusters, and the audit by clonotype."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.sequences.rearrangements import SEQUENCE, heavy, table

from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator
from protsae.sequences.audit import AuditConfig, audit_split
from protsae.sequences.clonotypes import COLUMNS, clonotype_clusters, nearest_clonotypes, read_clonotypes
from protsae.sequences.clustering import ClusterConfig, cluster_table, components
from protsae.sequences.table import SequenceTableConfig, sequence_table

NONE = pd.DataFrame(columns=list(COLUMNS), dtype="str")


def chains(**cdr3s: str) -> pd.DataFrame:
    """Return proteins of one V and one J gene with these CDR3s."""
    rows = [(name, "IGHV3", "IGHV3-23", "IGHJ4", cdr3) for name, cdr3 in cdr3s.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")


def random_chains(n: int = 300) -> pd.DataFrame:
    rng = numpy_generator(0, "clonotypes")
    rows = []
    for i in range(n):
        cdr3 = "".join(rng.choice(list("AG"), 4 + i % 4))
        gene = str(rng.choice(["IGHV3-23", "IGHV1-2"]))
        rows.append((f"p{i:03}", gene[:5], gene, str(rng.choice(["IGHJ4", "IGHJ6"])), cdr3))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype="str")


def alike(a: tuple[str, ...], b: tuple[str, ...], least: float) -> bool:
    """Return whether two rows are of one clonotype, letter by letter."""
    same = a[2:4] == b[2:4] and len(a[4]) == len(b[4])
    return same and sum(x == y for x, y in zip(a[4], b[4], strict=True)) >= least * len(a[4])


def test_genes_and_cdr3_of_a_table(tmp_path: Path):
    rows = [
        heavy("b", v_call="IGHV3-30*18,IGHV3-23*01", j_call="IGHJ5*01,IGHJ4*02"),
        heavy("a", v_call="IGHV1-2*01"),  # a copy of b: the row before it counts
        heavy("c", sequence_aa="MKV", cdr3_aa="", v_call="IGHV3"),
        heavy("d", sequence_aa="MKL", v_call="", j_call="", junction_aa="", cdr3_aa=""),
        heavy("e", sequence_aa="MKR", productive="F"),
    ]
    path = table(tmp_path / "x", rows)
    sequences, _ = sequence_table(path, SequenceTableConfig())
    assert sequences["protein_id"].tolist() == ["a", "c", "d"]
    assert read_clonotypes(path, sequences).to_numpy().tolist() == [
        ["a", "IGHV3", "IGHV3-23", "IGHJ4", "ARDY"],
        ["c", "IGHV3", "", "IGHJ4", "ARDY"],
        ["d", "", "", "", ""],
    ]
    assert read_clonotypes(None, sequences).empty
    others = pd.DataFrame({"protein_id": ["q"], "aliases": [""]})
    with pytest.raises(InputError, match=r"x: none of its chains is among the sequences \(such as q\)"):
        read_clonotypes(path, others)


def test_single_linkage_joins_a_chain_that_complete_linkage_cuts():
    # 2 of 10 residues differ between neighbours, 4 between the ends; f is of another length
    found = chains(
        c="GGGGAAAAAA", a="GGAAAAAAAA", b="AAAAAAAAAA", d="AAAAAAAAAA", e="CCCCCCCCCC", f="GGAAAAAAA"
    )
    single = clonotype_clusters(found, 0.8, "single")
    assert single == {"a": "a", "b": "a", "c": "a", "d": "a", "e": "e", "f": "f"}
    complete = clonotype_clusters(found, 0.8, "complete")
    assert complete["b"] == complete["d"] != complete["c"]
    assert clonotype_clusters(found, 0.81, "single") == {
        "a": "a",
        "b": "b",
        "c": "c",
        "d": "b",
        "e": "e",
        "f": "f",
    }


@pytest.mark.parametrize("least", [0.5, 0.75, 0.8, 1.0])
def test_single_linkage_is_connected_components(least: float):
    found = random_chains()
    pairs = combinations(found.itertuples(index=False, name=None), 2)
    slow = components(found["protein_id"], ((a[0], b[0]) for a, b in pairs if alike(a, b, least)))
    assert clonotype_clusters(found, least, "single") == slow
    assert clonotype_clusters(found.sample(frac=1, random_state=0), least, "single") == slow


@pytest.mark.parametrize("least", [0.5, 0.8])
def test_complete_linkage_has_alike_pairs_within_and_none_that_could_join(least: float):
    found = random_chains()
    clusters = clonotype_clusters(found, least, "complete")
    members: dict[str, list[tuple[str, ...]]] = {}
    for row in found.itertuples(index=False, name=None):
        members.setdefault(clusters[row[0]], []).append(row)
    assert all(alike(a, b, least) for rows in members.values() for a, b in combinations(rows, 2))
    assert not any(
        all(alike(a, b, least) for a in one for b in other)
        for one, other in combinations(members.values(), 2)
    )


def test_nearest_is_that_of_a_slow_search():
    found = random_chains()
    names = found["protein_id"].tolist()
    queries, targets = dict.fromkeys(names[::2], "A" * 20), dict.fromkeys(names[1::2], "A" * 40)
    rows = {row[0]: row for row in found.itertuples(index=False, name=None)}
    hits = {hit.query_id: hit for hit in nearest_clonotypes(queries, targets, found)}
    for name in queries:
        shared = [
            np.mean([x == y for x, y in zip(rows[name][4], rows[other][4], strict=True)])
            for other in targets
            if alike(rows[name], rows[other], 0)
        ]
        assert (name in hits) == bool(shared)
        if shared:
            assert hits[name].identity == pytest.approx(max(shared), abs=1e-12)
            assert alike(rows[name], rows[hits[name].target_id], max(shared) - 1e-9)
            n = len(rows[name][4])
            assert (hits[name].query_coverage, hits[name].target_coverage) == (n / 20, n / 40)


def sequences_of(*names: str) -> pd.DataFrame:
    columns = {"protein_id": names, "sequence": SEQUENCE, "aliases": "", "description": "", "length": 21}
    return pd.DataFrame(columns).astype({"length": "int32"})


def test_clusters_follow_the_method_and_unknown_proteins_are_alone():
    found = chains(a="AAAAAAAAAA", b="AAAAAAAAAC", c="GGGGGGGGGG").assign(
        v_subgroup=["IGHV3", "IGHV3", ""], v_gene=["IGHV3-23", "IGHV3-23", ""]
    )
    sequences = sequences_of("a", "b", "c", "d")
    clusters, report = cluster_table(sequences, None, ClusterConfig(method="clonotype"), found)
    assert clusters["cluster_id"].tolist() == ["a", "a", "c", "d"]
    assert report == {
        "method": "clonotype",
        "arguments": "min_cdr3_identity=0.8 linkage=single",
        "n_unknown": 2,
        "n_clusters": 3,
        "n_alone": 2,
        "n_in_largest": 2,
    }
    clusters, report = cluster_table(sequences, None, ClusterConfig(method="v_subgroup"), found)
    assert clusters["cluster_id"].tolist() == ["IGHV3", "IGHV3", "c", "d"]
    assert (report["method"], report["n_unknown"]) == ("v_subgroup", 2)
    with pytest.raises(InputError, match="method is 'v_subgroup', but no rearrangements are given"):
        cluster_table(sequences, None, ClusterConfig(method="v_subgroup"), NONE)


def audit(found: pd.DataFrame, splits: dict[str, str], **config: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    sequences = sequences_of(*splits)
    assignment = pd.DataFrame({"protein_id": [*splits], "cluster_id": [*splits], "split": splits.values()})
    return audit_split(sequences, assignment, AuditConfig(method="clonotype", **config), found)


SPLITS = {
    "a": "train",
    "b": "train",
    "c": "validation",
    "d": "test",
    "e": "test",
    "f": "test",
    "g": "validation",
}
CDR3S = chains(
    a="AAAAAAAAAA",
    b="AAAAAAAAGG",
    c="AAAAAACCGG",
    d="AAAAAAAGGG",
    e="GGGGGGGGGG",
    f="GGGGGGGGG",
    g="CCCCCCCCCC",
)


def test_the_audit_excludes_held_out_proteins_of_a_training_clonotype():
    proteins, rows = audit(CDR3S, SPLITS)
    by_id = proteins.set_index("protein_id")
    assert by_id["split"].to_dict() == {
        "a": "train", "b": "train", "c": "excluded", "d": "excluded",
        "e": "test", "f": "test", "g": "validation",
    }  # fmt: skip
    assert by_id["nearest_train_id"].to_dict() == {
        "a": "",
        "b": "",
        "c": "b",
        "d": "b",
        "e": "b",
        "f": "",
        "g": "a",
    }
    assert by_id["nearest_train_identity"].dropna().to_dict() == {"c": 0.8, "d": 0.9, "e": 0.2, "g": 0}
    assert by_id.loc["c", "nearest_train_coverage"] == 10 / 21
    assert by_id["is_audited"].sum() == 5
    searched = rows.set_index(["split", "against"])
    assert searched["n_with_relative"].tolist() == [1, 1, 0]
    assert searched.loc[("test", "train"), "n_no_hit"] == 1
    assert set(rows["method"]) == {"clonotype"}
    assert set(rows["min_identity"]) == {0.8}


def test_the_audit_says_which_criterion_and_what_is_missing():
    with pytest.raises(
        InputError, match=r"the same genes and CDR3 length, and 80% .*such as c and b \(80%\)"
    ):
        audit(CDR3S, SPLITS, on_leak="fail")
    with pytest.raises(InputError, match=r"audit.method is 'clonotype', but no rearrangements are given"):
        audit(NONE, SPLITS)
    proteins, _ = audit(CDR3S, SPLITS, min_cdr3_identity=0.85)
    assert proteins.set_index("protein_id")["split"]["c"] == "validation"


def test_a_sample_has_the_clusters_of_all_chains(tmp_path: Path):
    # b joins a and c, and is not sampled: a and c stay together, under the smallest id of the file.
    rows = [
        heavy(name, sequence_aa=sequence, cdr3_aa=cdr3)
        for name, sequence, cdr3 in (("a", "MKV", "AAAAA"), ("b", "MKL", "AAAAC"), ("c", "MKR", "AAACC"))
    ]
    path = table(tmp_path / "x", rows)
    sequences, _ = sequence_table(path, SequenceTableConfig())
    sample = sequences[sequences["protein_id"] != "b"]
    found, report = cluster_table(
        sample, None, ClusterConfig(method="clonotype"), read_clonotypes(path, sample)
    )
    assert found.to_numpy().tolist() == [["a", "a"], ["c", "a"]]
    assert report["n_unknown"] == 0
