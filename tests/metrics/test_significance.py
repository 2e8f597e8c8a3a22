"""The correction for many tests against the definition."""

import numpy as np

from protsae.metrics.significance import benjamini_hochberg


def test_q_value_is_the_smallest_rate_that_rejects():
    p_values = np.random.default_rng(0).random(50) ** 3
    n = len(p_values)
    for p, q in zip(p_values, benjamini_hochberg(p_values), strict=True):
        larger = p_values[p_values >= p]
        assert np.isclose(q, min(other * n / (p_values <= other).sum() for other in larger))


def test_missing_p_values_stay_missing_and_do_not_count():
    found = benjamini_hochberg(np.array([0.01, np.nan, 0.02]))
    assert np.isnan(found[1])
    assert found[[0, 2]].tolist() == benjamini_hochberg(np.array([0.01, 0.02])).tolist() == [0.02, 0.02]
    assert benjamini_hochberg(np.array([])).tolist() == []
