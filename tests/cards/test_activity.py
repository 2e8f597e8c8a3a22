"""What a pass over the codes counts, against a slow version and cases by hand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tests.code_store import stored_codes

from protsae.cards.activity import LONGEST_RUN, QUANTILES, Activity, quantiles, residue_eta
from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS

LETTERS = AMINO_ACIDS + "X"


def random_case(folder: Path, n_proteins: int = 7, n_latents: int = 6):
    """Return proteins with random codes: a store, the codes, and the sequences."""
    generator = np.random.default_rng(1)
    acts, sequences = {}, {}
    for i in range(n_proteins):
        length = int(generator.integers(3, 40))
        values = generator.random((length, n_latents)) * (generator.random((length, n_latents)) < 0.4)
        values[:, 4] = 0  # dead
        values[:, 5] = 1  # always on, the maximum everywhere
        acts[f"P{i}"] = values.astype(np.float32)
        sequences[f"P{i}"] = "".join(generator.choice(list(LETTERS), length))
    store = stored_codes(folder, acts, dict.fromkeys(acts, "test"))
    return store, acts, sequences


def runs_of(active: np.ndarray) -> list[tuple[int, int]]:
    """Return start and length of the runs of a boolean array, position by position."""
    found: list[tuple[int, int]] = []
    for i, on in enumerate(active):
        if on and i and active[i - 1]:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        elif on:
            found.append((i, 1))
    return found


def test_counts_equal_those_of_a_slow_version(tmp_path):
    store, acts, sequences = random_case(tmp_path / "codes")
    found = Activity.of(store, sequences)
    assert found.protein_ids == list(acts)
    for latent in range(6):
        runs, gaps, bins, letters = np.zeros(301), np.zeros(51), np.zeros(10), np.zeros(21)
        sums, position, pairs = np.zeros(21), 0.0, []
        for number, (name, values) in enumerate(acts.items()):
            own, length = values[:, latent].astype(float), len(values)
            starts = runs_of(own > 0)
            for _, size in starts:
                runs[size] += 1
            for (one, _), (other, _) in pairwise(starts):
                gaps[other - one] += 1
            for i in np.flatnonzero(own):
                bins[int(10 * (i + 0.5) / length)] += 1
                letters[LETTERS.index(sequences[name][i])] += 1
                sums[LETTERS.index(sequences[name][i])] += own[i]
                position += 2 * (i + 0.5) / length - 1
            if starts:
                pairs.append((number, int(own.argmax()), int((own > 0).sum()), float(own.max())))
        of = found.pairs_of(latent)
        columns = (found.protein[of], found.peak[of], found.n_active[of], found.max_act[of].astype(float))
        assert list(zip(*(column.tolist() for column in columns), strict=True)) == pairs
        np.testing.assert_array_equal(found.runs[latent], runs)
        np.testing.assert_array_equal(found.gaps[latent], gaps)
        np.testing.assert_array_equal(found.bins[latent], bins)
        np.testing.assert_array_equal(found.letters[latent], letters)
        np.testing.assert_allclose(found.letter_sums[latent], sums)
        squares = sum(float((values[:, latent].astype(float) ** 2).sum()) for values in acts.values())
        np.testing.assert_allclose(found.sums[latent], [squares, position])
    assert found.kinds.tolist() == [LETTERS.index(letter) for letter in "".join(sequences.values())]


@pytest.mark.parametrize("held", [1, 100, 10**6], ids=["latent by latent", "some", "all at once"])
def test_quantiles_are_numpys_whatever_is_held_at_once(tmp_path, held):
    store, acts, sequences = random_case(tmp_path / "codes")
    found = quantiles(store, Activity.of(store, sequences), held)
    joined = np.concatenate(list(acts.values()))
    for latent in range(6):
        active = joined[:, latent][joined[:, latent] > 0]
        expected = np.quantile(active, QUANTILES) if len(active) else [np.nan] * 10
        np.testing.assert_allclose(found[latent], expected, rtol=1e-6)


def test_residue_eta_is_one_minus_the_variance_within_amino_acids(tmp_path):
    store, acts, sequences = random_case(tmp_path / "codes")
    found = residue_eta(Activity.of(store, sequences))
    joined, letters = (
        np.concatenate(list(acts.values())).astype(float),
        np.array(list("".join(sequences.values()))),
    )
    for latent in range(4):
        values = joined[:, latent]
        within = sum(values[letters == a].var() * (letters == a).sum() for a in set(letters))
        assert found[latent] == pytest.approx(1 - within / (values.var() * len(values)))
    assert np.isnan(found[4]) and np.isnan(found[5])  # neither varies


def test_runs_longer_than_the_histogram_count_as_the_longest(tmp_path):
    length = LONGEST_RUN + 60
    store = stored_codes(tmp_path / "codes", {"P": np.ones((length, 1))}, {"P": "test"})
    found = Activity.of(store, {"P": "A" * length})
    assert found.runs[0, LONGEST_RUN] == 1 and found.runs.sum() == 1


def test_no_proteins_are_no_error(tmp_path):
    store, _, _ = random_case(tmp_path / "codes")
    found = Activity.of(store, {})
    assert found.n_residues.tolist() == [0] * 6 and np.isnan(quantiles(store, found)).all()


def test_protein_of_another_length_is_refused(tmp_path):
    store, _, sequences = random_case(tmp_path / "codes")
    with pytest.raises(InputError, match="P0"):
        Activity.of(store, sequences | {"P0": "A"})
