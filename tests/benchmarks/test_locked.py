"""benchmarks/locked.py: the draw and the refusals by hand, and a toy sweep judged on proteins locked away."""

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.benchmarks.scripts import load_script
from tests.sweeps.conftest import JUDGING, sweep_of
from tests.training.conftest import ToyProteins

from helpers.locked_judging import JoinedStore, LockedJudge, LockedProteins
from helpers.locked_list import Candidates, draw, find_hits, read_list, write_list
from helpers.seeds import MEAN_OF_SEEDS
from protsae.annotations.config import AnnotationsConfig
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.ontology.obo import read_obo
from protsae.sequences import mmseqs

locked = load_script("locked")
HOOK = "layers.0.resid_post"


def candidates(**changes):
    """Clusters A (one member was used), B, C; D has no annotation, E no cluster."""
    names = ["A1", "A2", "B1", "B2", "C1", "D1", "E"]
    given = {
        "sequences": {name: f"sequence of {name}" for name in names},
        "cluster_of": {name: name[0] for name in names[:-1]},
        "annotated": {"A1", "A2", "B1", "B2", "C1", "E"},
        "used": {"A1": "sequence of A1"},
    }
    return Candidates(**{**given, **changes})


def test_the_draw_leaves_out_used_clusters_hits_and_proteins_without_annotations():
    asked = []

    def find(queries, targets):
        asked.append((set(queries), dict(targets)))
        return {"B2"}

    assert draw(candidates(), find, 3) == {"B1": "B", "C1": "C", "E": "E"}
    assert asked == [({"B1", "B2", "C1", "E"}, {"A1": "sequence of A1"})]
    assert draw(candidates(), lambda *_: set(), 4) == {"B1": "B", "B2": "B", "C1": "C", "E": "E"}
    with pytest.raises(InputError, match="only 3 of 4 candidates have no hit, 4 are wanted"):
        draw(candidates(), find, 4)


def test_a_smaller_draw_takes_whole_clusters_in_an_order_that_names_alone_decide():
    one = draw(candidates(), lambda *_: set(), 1)
    two = draw(candidates(), lambda *_: set(), 2)
    assert one.items() <= two.items()
    backwards = dict(reversed(candidates().sequences.items()))
    assert draw(candidates(sequences=backwards), lambda *_: set(), 2) == two


@pytest.mark.skipif(mmseqs.find_program() is None, reason="MMseqs2 is not installed")
def test_a_hit_counts_however_little_it_covers():
    rng = np.random.default_rng(0)
    a, b, c = ("".join(rng.choice(list(AMINO_ACIDS), 400)) for _ in range(3))
    queries = {"fragment": b[:200] + a[100:150] + b[200:], "stranger": c, "whole": a}
    assert find_hits(queries, {"T": a}) == {"fragment", "whole"}


def test_a_list_is_read_as_it_was_written(tmp_path):
    write_list(tmp_path / "locked.tsv", {"P1": "C1", "P2": "C1"})
    assert (tmp_path / "locked.tsv").read_text() == "accession\tcluster_id\nP1\tC1\nP2\tC1\n"
    assert read_list(tmp_path / "locked.tsv") == {"P1": "C1", "P2": "C1"}


def test_the_committed_list_is_held_back_and_has_nothing_of_the_demo():
    listed = read_list(locked.LIST)
    demo = {line.split("|")[1] for line in DEMO.read_text().splitlines() if line.startswith(">")}
    assert len(demo) > 900
    assert not demo & set(listed)
    assert 1_000 <= len(listed) <= 3_000
    assert locked.LIST.stat().st_size < 100_000
    assert (
        "filepath: data/01_raw/locked.tsv" in (locked.ROOT / "conf/swissprot/catalog_01_raw.yml").read_text()
    )


DEMO = locked.ROOT / "data/01_raw/demo/proteins.fasta"
ROWS = locked.metrics_table([{"method": "m", "split": "test", "metric": "auc", "value": 0.5}])


def look(**changes):
    return locked.Look(**{"date": "2026-11-30", "commit": "abc123", "data": "d1", "again": "", **changes})


def test_the_same_commit_and_data_are_looked_at_twice_only_for_a_reason(tmp_path):
    table = tmp_path / "locked.csv"
    look().refuse_repeats(table)
    look().append(ROWS, table)
    with pytest.raises(InputError, match=r"looked at on 2026-11-30.*one look per release.*--again"):
        look(date="2026-12-01").refuse_repeats(table)
    for other in (look(commit="abc124"), look(data="d2"), look(again="a bug in the table")):
        other.refuse_repeats(table)
        other.append(ROWS, table)
    found = pd.read_csv(table, keep_default_na=False)
    assert found["again"].tolist() == ["", "", "", "a bug in the table"]
    assert found["commit"].tolist() == ["abc123", "abc124", "abc123", "abc123"]
    assert found["value"].tolist() == [0.5] * 4


@pytest.mark.parametrize("commit", ["abc123 with local changes", "unknown"])
def test_code_that_is_not_committed_does_not_look(tmp_path, commit):
    with pytest.raises(InputError, match="commit first"):
        look(commit=commit).refuse_repeats(tmp_path / "locked.csv")


def test_another_list_or_another_checkpoint_is_other_data(tmp_path):
    paths = [tmp_path / name for name in ("list", "one", "two")]
    for path in paths:
        path.write_text(path.name)
    hashes = {locked.data_hash(paths[0], paths[1:]), locked.data_hash(paths[0], reversed(paths[1:]))}
    assert len(hashes) == 1
    hashes.add(locked.data_hash(paths[0], paths[:2]))
    paths[0].write_text("other")
    hashes.add(locked.data_hash(paths[0], paths[1:]))
    assert len(hashes) == 3


OBO = "format-version: 1.2\n\n" + "".join(
    f"[Term]\nid: GO:000000{i}\nname: t{i}\nnamespace: {space}\n{above}\n"
    for i, space, above in [
        (1, "biological_process", ""),
        (2, "biological_process", "is_a: GO:0000001\n"),
        (3, "biological_process", "is_a: GO:0000002\n"),
        (4, "molecular_function", ""),
        (5, "molecular_function", "is_a: GO:0000004\n"),
    ]
)


def test_labels_of_locked_proteins_are_those_of_the_full_files_propagated(tmp_path):
    (tmp_path / "p.fasta").write_text(">L1\nACDEF\n>L2\nACDEG\n>P1\nACDEH\n")
    (tmp_path / "a.tsv").write_text("accession\tgo_id\nL1\tGO:0000003\nL2\tGO:0000005\nP1\tGO:0000002\n")
    (tmp_path / "o.obo").write_text(OBO)
    files = (tmp_path / "p.fasta", tmp_path / "a.tsv", read_obo(tmp_path / "o.obo"))
    found = LockedProteins.read({"L1": "C1", "L2": "C2"}, *files, "cafa", AnnotationsConfig())
    assert found.sequences == {"L1": "ACDEF", "L2": "ACDEG"}
    pairs = found.protein_concepts[["protein_id", "concept_id"]].to_numpy().tolist()
    assert pairs == [["L1", "GO:0000002"], ["L1", "GO:0000003"], ["L2", "GO:0000005"]]
    assert found.labelled_aspects.to_numpy().tolist() == [["L1", "BPO"], ["L2", "MFO"]]
    assert found.without({"L1"}).sequences == {"L2": "ACDEG"}
    with pytest.raises(InputError, match="1 locked proteins are not there, the first is L9"):
        LockedProteins.read({"L9": "C1"}, *files, "cafa", AnnotationsConfig())


@pytest.fixture(scope="module")
def sweep(data, tmp_path_factory):
    """Two architectures, trained on the toy proteins."""
    folder = tmp_path_factory.mktemp("sweep")
    plan = sweep_of(data, {"architecture": "topk"}, {"architecture": "protsae"}, epochs=8)
    plan.run(folder)
    return {m.member_id: folder / m.member_id / locked.CHECKPOINT_NAME for m in plan.members}


@pytest.fixture(scope="module")
def locked_data(data):
    """The toy's test proteins (15), taken out of the run and locked away under other names."""
    toy, parts = ToyProteins(), []
    for first, last in ((0, 45), (45, 60)):
        part = ToyProteins()
        part.ids, part.x = toy.ids[first:last], toy.x[first:last]
        parts.append(part)
    known, own = parts
    own.ids = [name.replace("P", "L") for name in own.ids]
    proteins = data.known.proteins.set_index("protein_id").loc[toy.ids[45:], ["sequence"]]
    proteins = proteins.reset_index(drop=True).assign(protein_id=own.ids, cluster_id=own.ids)
    pairs = [(own.ids[p], f"GO:{c + 1}") for p, c in zip(*toy.labels[45:].nonzero(), strict=True)]
    aspects = pd.DataFrame({"protein_id": own.ids, "aspect": "BPO"})
    listed = LockedProteins(proteins, pd.DataFrame(pairs, columns=["protein_id", "concept_id"]), aspects)
    return listed.in_place_of_test(data, JoinedStore(known.store(), own.store()))


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(LockedJudge, "min_positives", 1)


def aucs(estimates):
    rows = estimates[(estimates["metric"] == "auc") & (estimates["stratum"] == "")]
    return rows.set_index(["method", "aspect"])["value"]


def test_members_are_worth_on_locked_proteins_what_they_are_worth_on_the_same_as_test(
    data, locked_data, sweep, few, tmp_path
):
    """The same proteins as the run's own test split, so the judgement must be the same."""
    tables = locked.Judging(locked_data, JUDGING, tmp_path, Path("none"), 2).tables(sweep)
    for member, path in sweep.items():
        expected = data.dictionary(JUDGING, locked.SaeCheckpoint(path))[0].estimates()
        pd.testing.assert_series_equal(aucs(tables[member]), aucs(expected))
    expected = aucs(data.references(JUDGING, HOOK).estimates()).drop("shuffled_labels", level="method")
    pd.testing.assert_series_equal(aucs(tables[f"references-{HOOK}"]), expected)
    assert locked_data.judge(JUDGING).splits["test"].protein_ids == [f"L{i:03d}" for i in range(45, 60)]
    assert not set(data.judge(JUDGING).splits["test"].protein_ids) & set(
        locked_data.known.proteins["protein_id"]
    )
    rows = locked.rows_of(tables, {"n_proteins": 15}, 0.95)
    means = rows[(rows["stratum"] == MEAN_OF_SEEDS) & (rows["aspect"] == "mean") & (rows["metric"] == "auc")]
    wanted = {"protsae_latent", "protsae_predictor", "topk_latent", "linear_probe", "composition_probe"}
    wanted |= {"prevalence", "shuffled_labels", "protsae_latent - topk_latent"}
    assert wanted <= set(means["method"])
    assert Counter(means["method"])["shuffled_labels"] == 1
    count = rows[rows["metric"] == "n_proteins"]
    assert (count["method"].item(), count["value"].item()) == ("locked", 15)


def test_an_interrupted_look_goes_on_where_it_was(locked_data, sweep, few, tmp_path, monkeypatch):
    judging = locked.Judging(locked_data, JUDGING, tmp_path, Path("none"), 1)
    first = judging.tables(sweep)
    monkeypatch.setattr(type(locked_data), "dictionary", None)  # anything judged again would fail
    for name, table in judging.tables(sweep).items():
        pd.testing.assert_frame_equal(table, first[name])


def test_concepts_with_few_positives_are_left_out(locked_data, monkeypatch):
    n_positive = ToyProteins().labels[45:].sum(axis=0)
    fewer = int(n_positive.argmin())
    assert n_positive[fewer] < n_positive[1 - fewer]
    monkeypatch.setattr(LockedJudge, "min_positives", int(n_positive[1 - fewer]))
    judge = locked_data.judge(JUDGING)
    assert judge.columns.tolist() == [1 - fewer]
    assert judge.splits["train"].labels.shape == (30, 1)
    scores = judge.score_references(locked_data.activations(HOOK))
    assert scores.values["linear_probe"]["test"].shape == (15, 1)
