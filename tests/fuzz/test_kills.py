"""A run that was killed at a random moment ends with the same bytes; `make fuzz` kills many more."""

from random import Random

import pytest
from tests.fuzz.kills import RUNS, Killer

pytestmark = [pytest.mark.end_to_end, pytest.mark.slow]


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_is_finished_by_the_same_command_with_the_same_bytes(name, tmp_path, make_miniature):
    Killer(make_miniature(tmp_path / "project"), *RUNS[name]).try_one(Random(name))
