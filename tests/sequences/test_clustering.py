"""Clusters: read, united over copies of a sequence, or computed; the same whatever the order."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.writing import write_fasta
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.sequences import mmseqs
from protsae.sequences.clustering import ClusterConfig, cluster_table, components, read_clusters
from protsae.sequences.fasta import FastaRecord
from protsae.sequences.split import SplitConfig, split_table
from protsae.sequences.table import SequenceTableConfig, sequence_table

GIVEN = ClusterConfig()
BUILTIN = ClusterConfig(method="builtin")
NOTHING_KNOWN = pd.DataFrame({"protein_id": [], "concept_id": []}, dtype="str")


def _clusters(folder: Path, text: str) -> Path:
    path = folder / "clusters.tsv"
    path.write_text(text)
    return path


def _sequences(by_id: dict[str, str], aliases: dict[str, str] | None = None) -> pd.DataFrame:
    names = (aliases or {}).get
    return pd.DataFrame(
        {
            "protein_id": list(by_id),
            "sequence": list(by_id.values()),
            "aliases": [names(name, "") for name in by_id],
        },
        dtype="str",
    )


def _random(rng: np.random.Generator, length: int) -> str:
    return "".join(rng.choice(list(AMINO_ACIDS), length))


def mutate(rng: np.random.Generator, parent: str, identity: float) -> str:
    changed = rng.permutation(len(parent))[: round(len(parent) * (1 - identity))]
    child = list(parent)
    for position in changed:
        child[position] = rng.choice([residue for residue in AMINO_ACIDS if residue != parent[position]])
    return "".join(child)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("P1\tC1\n", "or EntryID or member; found 'P1, C1'"),
        (
            "accession\tcluster_id\nP1\tC1\nP2\n",
            "clusters.tsv:3: 1 tab-separated fields where the header has 2: 'P2'",
        ),
        ("accession\tcluster_id\nP1\tC1\tx\n", "clusters.tsv:2: 3 tab-separated fields"),
        ("accession\tcluster_id\n\tC1\n", "clusters.tsv:2: no accession in this row"),
        (
            "accession\tcluster_id\nP1\tC1\nP1\tC2\n",
            "clusters.tsv:3: 'P1' is in cluster 'C2', and in a line above in 'C1'",
        ),
        ("", "the file is empty"),
        ("<html>", "web page"),
    ],
)
def test_faulty_cluster_files_are_refused_with_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError) as error:
        read_clusters(_clusters(tmp_path, text))
    assert message in str(error.value)


def test_clusters_are_read_with_blank_lines_and_repeated_rows(tmp_path: Path) -> None:
    path = _clusters(tmp_path, "accession\tcluster_id\r\nP1\tC1\r\n\r\nP2\tC1\r\nP1\tC1\r\n")
    assert read_clusters(path) == {"P1": "C1", "P2": "C1"}


@pytest.mark.parametrize(
    "text",
    [
        "P1\tP1\nP1\tP2\nP3\tP3\n",
        "cluster_id\taccession\nP1\tP1\nP1\tP2\nP3\tP3\n",
        "length\tmember\trepresentative\n1\tP1\tP1\n2\tP2\tP1\n3\tP3\tP3\n",
        '"","Entry","cluster"\n"1","P1","P1"\n"2","P2","P1"\n"3","P3","P3"\n'.replace(",", "\t"),
    ],
)
def test_cluster_files_of_programs_give_the_same_clusters(tmp_path: Path, text: str) -> None:
    assert read_clusters(_clusters(tmp_path, text)) == {"P1": "P1", "P2": "P1", "P3": "P3"}


def test_given_clusters_match_id_or_alias_and_copies_unite_them(tmp_path: Path) -> None:
    sequences = _sequences(dict.fromkeys("zabcde", "MKV"), {"a": "x;y", "e": "w"})
    rows = "z\tC1\ny\tC1\nc\tC7\nd\tC3\nx\tC3\ne\tC9\nw\tC7\ngone\tC5\n"
    table, report = cluster_table(sequences, _clusters(tmp_path, "accession\tcluster_id\n" + rows), GIVEN)
    # a is known as x (C3) and as y (C1), e as e (C9) and as w (C7); b is in no cluster.
    expected = {"a": "C1", "b": "b", "c": "C7", "d": "C1", "e": "C7", "z": "C1"}
    assert dict(zip(table["protein_id"], table["cluster_id"], strict=True)) == expected
    assert table["protein_id"].tolist() == sorted(expected)
    assert report == {
        "method": "given",
        "file": "clusters.tsv",
        "n_without_cluster": 1,
        "n_cluster_rows_unused": 1,
        "n_clusters_united": 2,
        "n_clusters": 3,
        "n_alone": 1,
        "n_in_largest": 3,
    }


def test_clusters_of_other_proteins_are_an_error(tmp_path: Path) -> None:
    path = _clusters(tmp_path, "accession\tcluster_id\nQ1\tC1\n")
    with pytest.raises(InputError, match=r"clusters\.tsv: none of its 1 accessions \(such as 'Q1'\)"):
        cluster_table(_sequences({"P1": "MKV"}), path, GIVEN)


def test_what_the_method_needs_must_be_there(tmp_path: Path, monkeypatch) -> None:
    sequences = _sequences({"P1": "MKV", "P2": "MKVA"})
    with pytest.raises(InputError, match=r"method is 'given', but no cluster file is given"):
        cluster_table(sequences, None, ClusterConfig(method="given"))
    monkeypatch.setattr(mmseqs, "find_program", lambda: None)
    long = _sequences(dict.fromkeys(("P1", "P2"), "MKVLAAGIVALLAAC"))
    with pytest.raises(InputError, match=r"mmseqs is not there\. Install .*protsae\[homology\].* 'builtin'"):
        cluster_table(long, None, ClusterConfig(method="mmseqs"))
    with pytest.raises(
        InputError, match=r"^2 proteins are more .* is 1; .*Install MMseqs2 .* raise the limit"
    ):
        cluster_table(sequences, None, ClusterConfig(max_builtin=1))
    path = _clusters(tmp_path, "accession\tcluster_id\nP1\tC1\n")
    assert cluster_table(sequences, path, ClusterConfig())[1]["method"] == "given"
    assert cluster_table(sequences, path, BUILTIN)[1]["method"] == "builtin"
    assert cluster_table(sequences, None, ClusterConfig())[1]["method"] == "builtin"


def test_components_are_named_after_the_smallest() -> None:
    pairs = [("e", "d"), ("b", "e"), ("c", "f")]
    assert components("fedcba", pairs) == {"a": "a", "b": "b", "c": "c", "d": "b", "e": "b", "f": "c"}
    assert components([], []) == {}


@settings(max_examples=30, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=20))
def test_components_equal_networkx(pairs: list[tuple[int, int]]) -> None:
    import networkx

    names = [f"{n:02}" for n in range(16)]
    graph = networkx.Graph([(names[a], names[b]) for a, b in pairs])
    graph.add_nodes_from(names)
    expected = {name: min(group) for group in networkx.connected_components(graph) for name in group}
    assert components(names, graph.edges) == expected


@pytest.mark.parametrize("identity", [0.9, 0.4])
def test_planted_families_are_clustered_and_unrelated_proteins_not(identity: float) -> None:
    rng = numpy_generator(0, "cluster", str(identity))
    by_id = {}
    for family in range(12):
        parent = _random(rng, 150)
        by_id |= {f"f{family:02}_{n}": mutate(rng, parent, identity) if n else parent for n in range(3)}
    by_id |= {f"s{n:02}": _random(rng, int(rng.integers(1, 200))) for n in range(20)}
    table, report = cluster_table(_sequences(by_id), None, BUILTIN)
    expected = {name: f"{name[:3]}_0" if name[0] == "f" else name for name in by_id}
    assert dict(zip(table["protein_id"], table["cluster_id"], strict=True)) == expected
    assert (report["method"], report["n_clusters"], report["n_alone"]) == ("builtin", 32, 20)
    assert report["arguments"].startswith("builtin word_score=11 ")
    backwards, _ = cluster_table(_sequences(dict(reversed(by_id.items()))), None, BUILTIN)
    pd.testing.assert_frame_equal(table, backwards)


PARENTS = [_random(numpy_generator(0, "split property"), 60) for _ in range(1)] + [
    _random(numpy_generator(n, "split property"), 60) for n in range(1, 30)
]


@settings(max_examples=15, deadline=None)
@given(
    copies=st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=12),
    random=st.randoms(use_true_random=False),
)
def test_neither_clusters_nor_copies_of_a_sequence_are_ever_parted(tmp_path_factory, copies, random) -> None:
    """From FASTA and a cluster file in any order to a split: `copies` are (sequence, cluster of the copy)."""
    folder = tmp_path_factory.mktemp("split")
    entries = [(f"p{n:02}", sequence, f"C{n}") for n, sequence in enumerate(PARENTS)]
    entries += [(f"copy{k}", PARENTS[n], f"C{cluster}") for k, (n, cluster) in enumerate(copies)]
    tables = []
    for attempt in range(2):
        records, rows = entries.copy(), entries.copy()
        random.shuffle(records)
        random.shuffle(rows)
        write_fasta(folder / f"{attempt}.fasta", (FastaRecord(name, "", text) for name, text, _ in records))
        text = "".join(f"{name}\t{cluster}\n" for name, _, cluster in rows)
        (folder / f"{attempt}.tsv").write_text("accession\tcluster_id\n" + text)
        sequences, _ = sequence_table(folder / f"{attempt}.fasta", SequenceTableConfig())
        clusters, _ = cluster_table(sequences, folder / f"{attempt}.tsv", GIVEN)
        tables.append(split_table(clusters, NOTHING_KNOWN, SplitConfig())[0])
    pd.testing.assert_frame_equal(*tables)
    split_of = dict(zip(tables[0]["protein_id"], tables[0]["split"], strict=True))
    for row in sequences.itertuples():
        for alias in filter(None, row.aliases.split(";")):
            split_of[alias] = split_of[row.protein_id]
    by_sequence: dict[str, set[str]] = {}
    by_cluster: dict[str, set[str]] = {}
    for name, sequence, cluster in entries:
        by_sequence.setdefault(sequence, set()).add(split_of[name])
        by_cluster.setdefault(cluster, set()).add(split_of[name])
    assert {len(splits) for splits in (*by_sequence.values(), *by_cluster.values())} == {1}


def test_a_new_protein_without_relatives_moves_no_others() -> None:
    rng = numpy_generator(0, "newcomer")
    by_id = {f"p{n:02}": _random(rng, 80) for n in range(30)}
    by_id |= {f"r{n:02}": mutate(rng, by_id[f"p{n:02}"], 0.7) for n in range(10)}
    before = split_table(cluster_table(_sequences(by_id), None, BUILTIN)[0], NOTHING_KNOWN, SplitConfig())[0]
    more = {"a_first": _random(rng, 80), **by_id, "z_last": mutate(rng, by_id["p00"], 0.8)}
    after = split_table(cluster_table(_sequences(more), None, BUILTIN)[0], NOTHING_KNOWN, SplitConfig())[0]
    kept = after[after["protein_id"].isin(by_id)].reset_index(drop=True)
    pd.testing.assert_frame_equal(before, kept)
    assert after["cluster_id"].tolist()[-1] == "p00"
