"""The plan of designs: its files, and that it resumes."""

from functools import partial
from random import Random

import pandas as pd
import pytest
from tests.fuzz.mutations import flip_on_disk
from tests.steering.small import small_steering

from protsae.core.errors import InputError
from protsae.core.files import stamp
from protsae.datasets import SteeringDataset
from protsae.steering.plan import DESIGN_COLUMNS, FASTA_NAME, INDEX_NAME, TABLE_NAME, Designs
from protsae.steering.targets import parents_of, targets_of, with_ancestors


@pytest.fixture
def plan(tmp_path):
    """Return a function from settings to a plan over five proteins, two to a shard."""
    return partial(small_steering, tmp_path)


def test_designs_have_the_columns_and_differ_at_masked_positions_alone(plan, tmp_path):
    dataset = SteeringDataset(filepath=str(tmp_path / "out"))
    dataset.save(plan(scale=3.0))
    found = dataset.load()
    table = found.table
    assert tuple(table.columns) == DESIGN_COLUMNS
    assert len(table) == 10
    assert set(table["go_id"]) == {"latent 5", "latent 9"}
    for row in table.itertuples():
        masked = {i + 1 for i, letter in enumerate(row.masked_sequence) if letter == "#"}
        assert masked == set(map(int, row.positions.split(";")))
        pairs = zip(row.original_sequence, row.generated_sequence, strict=True)
        changed = {i + 1 for i, (old, new) in enumerate(pairs) if old != new}
        assert changed <= masked
        assert len(changed) == row.n_mutations
    lines = found.fasta.read_text().splitlines()
    assert lines[:2] == [">P0|latent_5|scale3|sample0", table["generated_sequence"][0]]
    assert lines[1::2] == table["generated_sequence"].tolist()


def test_an_interrupted_run_resumes_and_ends_in_the_same_bytes(plan, tmp_path):
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    plan().run(whole)

    class Breaks:
        def run(self, make, jobs):
            for job in jobs[:2]:
                yield make(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan().run(parts, Breaks())
    assert not SteeringDataset(filepath=str(parts)).exists()
    kept = stamp(parts / "shard-00000.parquet")
    plan().run(parts)
    assert stamp(parts / "shard-00000.parquet") == kept
    assert all((parts / path.name).read_bytes() == path.read_bytes() for path in whole.iterdir())
    plan(scale=9.0).run(parts)
    assert (parts / FASTA_NAME).read_text() != (whole / FASTA_NAME).read_text()


def test_targets_are_latents_of_concepts_and_their_ancestors():
    relations = pd.DataFrame({"child_id": ["c", "b", "c"], "parent_id": ["b", "a", "x"]})
    assert with_ancestors("c", parents_of(relations)) == {"a", "b", "c", "x"}
    largest = {0: 2.0, 1: 0.0, 2: 4.0, 3: 1.0}
    found = targets_of(["c"], [3], ["a", "b", "c"], largest, relations)
    assert [(t.name, dict(t.raised)) for t in found] == [("c", {0: 2.0, 2: 4.0}), ("latent 3", {3: 1.0})]
    with pytest.raises(InputError, match="nothing to steer"):
        targets_of([], [], ["a"], largest, None)
    with pytest.raises(InputError, match="unknown concept 'aa', did you mean 'a'"):
        targets_of(["aa"], [], ["a"], largest, None)
    with pytest.raises(InputError, match="latent 7 does not exist"):
        targets_of([], [7], [], largest, None)
    with pytest.raises(InputError, match="never fired"):
        targets_of(["b"], [], ["a", "b"], largest, None)


def test_damaged_designs_are_refused_by_name(plan, tmp_path):
    for name in (TABLE_NAME, FASTA_NAME, INDEX_NAME):
        plan().run(tmp_path / "out")
        flip_on_disk(tmp_path / "out" / name, Random(name))
        found = Designs(tmp_path / "out")
        with pytest.raises(InputError, match=f"{name} is missing or damaged"):
            assert found.fasta and found.table is not None


def test_a_protein_given_twice_is_steered_once_and_another_of_its_id_is_refused(plan, tmp_path):
    path = tmp_path / "my.fasta"
    jobs = plan().jobs
    text = path.read_text()
    path.write_text(text + "\n".join(text.splitlines()[:2]) + "\n")
    assert plan().jobs == jobs
    path.write_text(text + ">P0\nMKV\n")
    with pytest.raises(InputError, match=r"my\.fasta:11: id 'P0' is already in line 1"):
        plan()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latent": [5, 5]}, "latent 5 is there twice"),
        ({"max_act": [1.0, float("nan")]}, "values are missing"),
        ({"max_act": [1.0, float("inf")]}, "max_act of latent 9 is inf"),
        ({"max_act": ["a", "b"]}, "no Parquet table with the columns latent and max_act"),
    ],
)
def test_statistics_that_are_none_are_refused_by_name(plan, tmp_path, changes, message):
    plan()
    path = tmp_path / "latents.parquet"
    pd.DataFrame({"latent": [5, 9], "max_act": [1.0, 2.0]} | changes).to_parquet(path)
    with pytest.raises(InputError, match=f"{path}.*{message}"):
        plan()
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InputError, match=f"{path} is no Parquet table"):
        plan()


@pytest.mark.parametrize("at", [[0], [10**30], [-1]])
def test_positions_that_no_protein_has_are_refused(plan, at):
    with pytest.raises(ValueError, match=r"positions\.at\.0"):
        plan(positions={"strategy": "given", "at": at})
