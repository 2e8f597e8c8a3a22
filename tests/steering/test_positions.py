"""Which residues are written anew."""

import numpy as np
import pytest

from protsae.core.errors import InputError
from protsae.steering import positions


def test_positions_by_hand():
    assert positions.whole("ACDE").tolist() == [True] * 4
    assert positions.given("ACDE", [0, 3], "P").tolist() == [True, False, False, True]
    assert positions.region("ACDE", 1, 3, "P").tolist() == [False, True, True, False]
    assert positions.low_activation(np.array([3.0, 1.0, 2.0, 1.0]), 0.5).tolist() == [
        False,
        True,
        False,
        True,
    ]
    assert positions.low_activation(np.array([3.0, 1.0, 2.0]), 0.01).sum() == 1


def test_random_positions_depend_on_seed_and_protein():
    one = positions.random("A" * 40, 0.3, 0, "P1")
    assert one.sum() == 12
    assert (one == positions.random("A" * 40, 0.3, 0, "P1")).all()
    assert (one != positions.random("A" * 40, 0.3, 0, "P2")).any()
    assert (one != positions.random("A" * 40, 0.3, 1, "P1")).any()


def test_positions_outside_the_protein_are_refused():
    with pytest.raises(InputError, match="'P' has 4 residues: position 5 is outside"):
        positions.given("ACDE", [0, 4], "P")
    with pytest.raises(InputError, match="no positions are given"):
        positions.given("ACDE", [], "P")
    with pytest.raises(InputError, match="region 3 to 9 does not lie in it"):
        positions.region("ACDE", 2, 9, "P")
