"""Bits flipped anywhere below the data root of a finished run: the next run has all bytes back."""

from pathlib import Path
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


def test_a_file_of_every_folder_and_records_may_be_damaged(project):
    expected = results(project.data)
    random = Random(0)
    folders: dict[Path, list[Path]] = {}
    for path in sorted(expected):
        folders.setdefault(path.parent, []).append(path)
    chosen = [random.choice(files) for files in folders.values()]
    records = sorted(path.relative_to(project.data) for path in project.data.glob(".cache/*.json"))
    chosen += random.sample(records, 5)
    random.shuffle(chosen)
    for first in range(0, len(chosen), 5):
        damaged = chosen[first : first + 5]
        for name in damaged:
            flip_on_disk(project.data / name, random)
        project.kedro("run")
        found = results(project.data)
        assert found.keys() == expected.keys(), damaged
        assert [name for name in expected if found[name] != expected[name]] == [], damaged


BY_NAME = {
    "prediction": "prediction.sequence=MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQ",
    "steering": "steering.latents=[3],steering.decoding.rounds=2,steering.perplexity_passes=2",
}


@pytest.mark.parametrize("name", BY_NAME)
def test_results_of_pipelines_that_are_named_may_be_damaged(project, name):
    command = ("run", "--pipelines", name, "--params", BY_NAME[name])
    before = results(project.data)
    project.kedro(*command)
    expected = results(project.data)
    made = sorted(expected.keys() - before.keys())
    random = Random(name)
    for path in random.sample(made, 4):
        flip_on_disk(project.data / path, random)
        project.kedro(*command)
        assert results(project.data) == expected, path
