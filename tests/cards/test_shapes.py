"""Classes of shape: one planted latent each."""

import numpy as np
import pytest
from tests.code_store import stored_codes

from protsae.cards.activity import Activity
from protsae.cards.shapes import shape_table, two_gaps_by_chance

LENGTH = 200
PLANTED = ("dead", "few", "periodic", "point", "short", "medium", "long", "whole")
PATTERNS = {
    "dead": [],
    "few": [3],
    "periodic": [i for i in range(LENGTH) if i % 7 < 2],
    "point": [5, 60, 61, 100, 140, 180],  # four of five runs are single residues
    "short": [*range(10, 15), *range(90, 109)],
    "medium": list(range(100, 130)),
    "long": list(range(50, 150)),
    "whole": list(range(10, 195)),
}


@pytest.fixture
def planted(tmp_path):
    """Twelve proteins on which every latent has its own pattern; `few` is active in four of them."""
    acts = {}
    for number in range(12):
        values = np.zeros((LENGTH, len(PLANTED)), np.float32)
        for latent, name in enumerate(PLANTED):
            if name != "few" or number < 4:
                values[PATTERNS[name], latent] = 1 + number
        acts[f"P{number:02d}"] = values
    store = stored_codes(tmp_path / "codes", acts, dict.fromkeys(acts, "test"))
    return shape_table(Activity.of(store, dict.fromkeys(acts, "A" * LENGTH)), min_proteins=5)


def test_every_planted_latent_has_its_shape(planted):
    assert planted["shape"].tolist() == list(PLANTED)


def test_numbers_behind_the_shapes_are_those_planted(planted):
    found = planted.set_index("shape")
    assert found["n_proteins"].to_dict() == dict.fromkeys(PLANTED, 12) | {"dead": 0, "few": 4}
    assert found.loc["periodic", ["period", "median_run", "periodicity"]].tolist() == [7, 2, 1]
    assert found.loc["short", "median_run"] == 5  # of 5 and 19 the lower one
    assert found.loc["medium", ["median_run", "coverage"]].tolist() == pytest.approx([30, 0.15])
    assert found.loc["whole", "coverage"] == pytest.approx(185 / 200)
    assert found.loc["point", "n_runs"] == 12 * 5
    tenths = [0, 0, 0.1, 0.2, 0.2, 0.2, 0.2, 0.1, 0, 0]  # residues 50 to 149 of 200
    np.testing.assert_allclose(found.loc["long", "position_profile"], tenths, atol=1e-6)
    assert found.loc["long", "position_skew"] == pytest.approx(0, abs=1e-12)
    assert found.loc["few", "position_skew"] == pytest.approx(2 * 3.5 / 200 - 1)
    assert np.isnan(found.loc["dead", ["median_run", "coverage", "position_skew"]].astype(float)).all()


def test_two_runs_at_a_fixed_distance_are_not_periodic(tmp_path):
    values = np.zeros((LENGTH, 1), np.float32)
    values[[20, 58]] = 1
    acts = {f"P{i:02d}": values for i in range(40)}
    store = stored_codes(tmp_path / "codes", acts, dict.fromkeys(acts, "test"))
    found = shape_table(Activity.of(store, dict.fromkeys(acts, "A" * LENGTH)), min_proteins=5)
    assert found.loc[0, ["shape", "period", "periodicity"]].tolist() == ["point", 38, 1.0]


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_chance_of_the_two_commonest_gaps_is_that_of_a_simulation(share):
    on = np.random.default_rng(0).random(2_000_000) < share
    starts = np.flatnonzero(on[1:] & ~on[:-1])
    counts = np.sort(np.bincount(np.diff(starts)))
    assert two_gaps_by_chance(share) == pytest.approx(counts[-2:].sum() / counts.sum(), abs=0.003)


def test_latent_that_is_active_at_random_is_not_periodic(tmp_path):
    generator = np.random.default_rng(0)
    acts = {f"P{i:02d}": (generator.random((400, 1)) < 0.5).astype(np.float32) for i in range(20)}
    store = stored_codes(tmp_path / "codes", acts, dict.fromkeys(acts, "test"))
    found = shape_table(Activity.of(store, dict.fromkeys(acts, "A" * 400)), min_proteins=5)
    assert found.loc[0, "shape"] == "short"
    assert found.loc[0, "periodicity"] == pytest.approx(found.loc[0, "periodicity_by_chance"], abs=0.03)
