"""Windows at ten levels, and logos."""

import numpy as np
import pytest
from tests.code_store import stored_codes

from protsae.cards.activity import Activity
from protsae.cards.config import ActivityConfig
from protsae.cards.windows import LEVELS, consensus, logo_bits, logo_table, window_table
from protsae.core.letters import AMINO_ACIDS

CONFIG = ActivityConfig(n_top=2, flank=2, logo_flank=2, min_logo_windows=3)


def store_of(folder, acts):
    return stored_codes(folder, acts, dict.fromkeys(acts, "test"))


def test_windows_follow_the_quantiles_of_the_proteins_maxima(tmp_path):
    acts = {f"P{i:03d}": np.eye(1, 20, 7).T.astype(np.float32) * (i + 1) for i in range(91)}  # peaks at 7
    sequences = dict.fromkeys(acts, "ACDEFGHIKLMNPQRSTVWY")
    store = store_of(tmp_path / "codes", acts)
    found = window_table(store, Activity.of(store, sequences), sequences, dict.fromkeys(acts, "test"), CONFIG)
    assert found["quantile"].tolist() == [LEVELS[-1], LEVELS[-1], *reversed(LEVELS[:-1])]
    assert found["rank"].tolist() == [1, 2] + [1] * 9
    # 91 maxima from 1 to 91: the quantile q is 1 + 90 q
    assert found["max_act"].tolist() == [91, 90, 81, 71, 61, 51, 41, 31, 21, 11, 1]
    assert found["max_act"][2:].tolist() == [round(1 + 90 * q) for q in found["quantile"][2:]]
    assert set(found["window_sequence"]) == {"GHIKL"} and set(found["window_start"]) == {5}
    assert found["window_acts"][0].tolist() == [0, 0, 91, 0, 0]
    assert set(found["peak_index"]) == {7} and set(found["split"]) == {"test"}


@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_few_proteins_are_shown_once_each(tmp_path, n):
    acts = {f"P{i}": np.full((4, 1), i + 1, np.float32) for i in range(n)}
    store, sequences = store_of(tmp_path / "codes", acts), dict.fromkeys(acts, "ACDE")
    found = window_table(store, Activity.of(store, sequences), sequences, dict.fromkeys(acts, "test"), CONFIG)
    assert found["protein_id"].is_unique and found["protein_id"][0] == f"P{n - 1}"
    assert found["max_act"].is_monotonic_decreasing
    assert (found["quantile"] == 1).sum() == min(n, 2)


def test_latents_without_activity_have_no_windows(tmp_path):
    acts = {"P": np.zeros((4, 3), np.float32)}
    store, sequences = store_of(tmp_path / "codes", acts), {"P": "ACDE"}
    found = window_table(store, Activity.of(store, sequences), sequences, {"P": "test"}, CONFIG)
    assert found.empty and "window_acts" in found


def test_bits_are_those_of_schneider_and_stephens():
    counts = np.zeros((3, 20), int)
    counts[0, 0] = 40  # one letter
    counts[1, [0, 1]] = 20  # two letters, as often
    counts[2, :] = 2  # all letters
    correction = 19 / (2 * np.log(2) * 40)
    bits = logo_bits(counts)
    assert bits[0, 0] == pytest.approx(np.log2(20) - correction)
    np.testing.assert_allclose(bits[1, :2], (np.log2(20) - 1 - correction) / 2)
    assert bits[2].tolist() == [0] * 20
    assert logo_bits(np.zeros((2, 20), int)).tolist() == [[0.0] * 20] * 2
    assert consensus(np.stack([counts[2], counts[0], counts[2], counts[0]])) == "AxA"


def test_logo_has_one_window_per_cluster_that_of_its_highest_maximum(tmp_path):
    # Clusters 0 to 3 of two proteins; the stronger one has the motif WCW around residue 3, the weaker GGG.
    acts, sequences, clusters = {}, {}, {}
    for cluster in range(4):
        for strong in (0, 1):
            name = f"P{cluster}{strong}"
            acts[name] = np.zeros((7, 2), np.float32)
            acts[name][3, 0] = 1 + strong
            sequences[name] = "AAWCWAA" if strong else "AAGGGAA"
            clusters[name] = str(cluster)
    acts["P00"][0, 1] = 1  # the second latent: one window, at the end of a protein
    store = store_of(tmp_path / "codes", acts)
    found = logo_table(Activity.of(store, sequences), clusters, CONFIG)
    assert found["n_logo"].tolist() == [4, 1]
    assert found["logo"][1] is None and found["consensus"].tolist()[1] == ""
    logo = np.stack(found["logo"][0])
    assert logo.shape == (5, 20)
    correction = 19 / (2 * np.log(2) * 4)
    expected = max(np.log2(20) - correction, 0)
    assert [AMINO_ACIDS[a] for a in logo.argmax(axis=1)] == list("AWCWA")
    np.testing.assert_allclose(logo.max(axis=1), expected, rtol=1e-6)


def test_positions_beyond_the_ends_do_not_count(tmp_path):
    acts = {f"P{i}": np.array([[1], [0], [0]], np.float32) for i in range(12)}
    store, sequences = store_of(tmp_path / "codes", acts), dict.fromkeys(acts, "MKV")
    logo = np.stack(logo_table(Activity.of(store, sequences), {p: p for p in acts}, CONFIG)["logo"][0])
    assert logo[:2].sum() == 0 and [AMINO_ACIDS[a] for a in logo[2:].argmax(axis=1)] == list("MKV")
