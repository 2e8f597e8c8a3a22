"""Bits flipped anywhere below the data root of a finished run: the next run has all bytes back."""

from random import Random

import pytest
from tests.fuzz.flips import results
from tests.fuzz.mutations import flip_on_disk

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


@pytest.fixture(scope="module")
def project(tmp_path_factory, make_miniature):
    made = make_miniature(tmp_path_factory.mktemp("flips") / "project")
    made.kedro("run")
    return made


@pytest.mark.parametrize("option", [None, "--verify", "--no-cache"])
def test_a_damaged_checkpoint_and_shard_are_made_again(project, option):
    expected = results(project.data)
    for name in ("06_models/topk/sae.safetensors", "04_feature/activations/shard-00000.parquet"):
        flip_on_disk(project.data / name, Random(name))
        assert results(project.data) != expected
    project.kedro("run", *([option] if option else []))
    assert results(project.data) == expected


def test_all_results_and_records_may_be_damaged(project):
    expected = results(project.data)
    files = sorted(expected) + [path.relative_to(project.data) for path in project.data.glob(".cache/*.json")]
    random = Random(0)
    for name in random.sample(files, 10):
        flip_on_disk(project.data / name, random)
        project.kedro("run")
        assert results(project.data) == expected, name
