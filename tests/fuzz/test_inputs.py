"""Every reader against spoilt files, some dozens for each format; `make fuzz` tries many more."""

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fuzz.inputs import Spoiler
from tests.fuzz.readers import READERS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_spoilt_files_are_read_right_or_refused_by_name(name, tmp_path):
    spoiler = Spoiler(name, tmp_path)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def check(random: Random) -> None:
        assert spoiler.try_one(random) in {"read", "refused"}

    check()
