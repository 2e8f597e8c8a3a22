"""The bounds of label shuffles, against Student's, Fisher's and the binomial distribution."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact, t

from helpers.shuffles import family_interval, firing_p_values, most_false


def test_the_interval_is_students_with_bonferronis_level():
    values = [0.4, 0.5, 0.6, 0.5]
    half = t.ppf(1 - 0.05 / 10, 3) * np.std(values, ddof=1) / 2
    assert family_interval(values, 5) == pytest.approx((0.5 - half, 0.5 + half))


def test_p_values_are_fishers_among_the_labelled():
    generator = np.random.default_rng(1)
    fires, labels, labelled = (generator.random((40, 5)) < p for p in (0.4, 0.3, 0.8))
    found = firing_p_values(fires, labels, labelled)
    for j in range(5):
        keep = labelled[:, j]
        table = pd.crosstab(fires[keep, j], labels[keep, j]).to_numpy()
        assert found[j] == pytest.approx(fisher_exact(table, alternative="greater").pvalue, abs=1e-12)


def test_the_number_of_false_families_is_the_binomial_bound():
    assert most_false(20, 0.05) == 5
    assert most_false(1, 0.5) == 1
