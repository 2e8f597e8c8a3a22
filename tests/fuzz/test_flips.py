"""A flipped bit in what a plan keeps is never vouched for; `make fuzz` flips many more."""

from random import Random

import pytest
from tests.fuzz.flips import WORKS, Flipper

pytestmark = pytest.mark.end_to_end


@pytest.mark.parametrize("name", WORKS)
def test_what_is_damaged_is_made_again_to_the_same_bytes(name, tmp_path):
    flipper = Flipper(WORKS[name](tmp_path), tmp_path / "work")
    for seed in range(6):
        flipper.try_one(Random(seed))
