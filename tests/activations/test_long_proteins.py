"""Proteins above `max_residues`, and samples of residues: which rows there are, and what is in them."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from pydantic import ValidationError
from tests.activations.conftest import HOOK_POINT, config, proteins
from tests.plm.tiny_esm2 import (
    fair_esm_activations,
    random_sequences,
    tiny_esm2,
    worst_difference,
)

from protsae.activations import ActivationStore, ResidueSampler
from protsae.activations.pieces import kept_residues
from protsae.activations.plan import plan_extraction
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError
from protsae.plm.windows import windows_of

LENGTHS = (1, 2, 1021, 1022, 1023, 1024, 1025, 1500, 3000)


def extract(root, model, sequences, **changes):
    plan = plan_extraction(list(sequences), list(sequences.values()), model, config(**changes))
    write_activations(plan, root)
    return ActivationStore(root)


def of_length(lengths):
    return dict(zip((f"L{n}" for n in lengths), random_sequences(list(lengths), seed=4), strict=True))


def check_rows(store, sequences, rows):
    """Check that the shards hold the rows asked for: `rows` maps a protein to its residue indices."""
    tables = [pq.read_table(path, columns=["protein_id", "residue_index", "aa"]) for path in shards(store)]
    found = [tuple(row.values()) for table in tables for row in table.to_pylist()]
    expected = [(name, int(i), sequences[name][i]) for name in store.protein_ids for i in rows[name]]
    assert found == expected
    assert store.n_rows() == {name: len(rows[name]) for name in store.protein_ids}
    assert store.lengths() == {name: len(sequences[name]) for name in store.protein_ids}


def shards(store):
    return sorted(store.root.glob("shard-*"))


def by_windows(sequence, size, overlap):
    """Run fair-esm on every window of a sequence by itself and join what belongs to each."""
    module = tiny_esm2()
    return np.concatenate(
        [
            fair_esm_activations(module, [sequence[w.start : w.end]])[HOOK_POINT].numpy()[
                w.first - w.start : w.last - w.start
            ]
            for w in windows_of(len(sequence), size, overlap)
        ]
    )


def assert_close(ours, theirs):
    assert worst_difference(torch.from_numpy(np.array(ours)), torch.from_numpy(np.array(theirs))) < 3e-6


def test_every_windowed_row_is_fair_esm_s_on_that_window(model, tmp_path):
    sequences = of_length(LENGTHS)
    changes = {"long_sequences": "window", "max_residues": 1022, "window_overlap": 256, "dtype": "float32"}
    store = extract(tmp_path, model, sequences, **changes, max_tokens_per_batch=4096)
    check_rows(store, sequences, {name: range(len(sequence)) for name, sequence in sequences.items()})
    for name, values in store.iter_proteins(HOOK_POINT):
        assert_close(values, by_windows(sequences[name], 1022, 256))
    counts = store.manifest.proteins
    assert (counts.extracted_long, counts.residues_truncated, counts.residues_not_sampled) == (5, 0, 0)


def test_full_runs_long_proteins_whole(model, tmp_path):
    sequences = of_length(LENGTHS)
    store = extract(tmp_path, model, sequences, long_sequences="full", max_residues=1022, dtype="float32")
    check_rows(store, sequences, {name: range(len(sequence)) for name, sequence in sequences.items()})
    for name, values in store.iter_proteins(HOOK_POINT):
        alone = fair_esm_activations(tiny_esm2(), [sequences[name]])[HOOK_POINT].numpy()
        assert_close(values, alone)
    counts = store.manifest.proteins
    assert (counts.extracted_long, counts.residues_truncated, counts.residues_skipped) == (5, 0, 0)


def test_truncate_and_skip_at_esm2_s_own_length(model, tmp_path):
    sequences = of_length(LENGTHS)
    short = [name for name, sequence in sequences.items() if len(sequence) <= 1022]
    assert short == ["L1", "L2", "L1021", "L1022"]
    changes = {"max_residues": 1022, "dtype": "float32"}
    cut = extract(tmp_path / "truncate", model, sequences, long_sequences="truncate", **changes)
    check_rows(cut, sequences, {name: range(min(1022, len(text))) for name, text in sequences.items()})
    counts = cut.manifest.proteins
    assert (counts.truncated, counts.residues_truncated) == (5, 1 + 2 + 3 + 478 + 1978)
    left = extract(tmp_path / "skip", model, sequences, long_sequences="skip", **changes)
    check_rows(left, {n: sequences[n] for n in short}, {n: range(len(sequences[n])) for n in short})
    counts = left.manifest.proteins
    assert (counts.skipped_long, counts.residues_skipped) == (5, 1023 + 1024 + 1025 + 1500 + 3000)
    assert left.manifest.skipped == ("L1023", "L1024", "L1025", "L1500", "L3000")
    for store in (cut, left):
        for name, values in store.iter_proteins(HOOK_POINT):
            alone = fair_esm_activations(tiny_esm2(), [sequences[name][:1022]])[HOOK_POINT].numpy()
            assert_close(values, alone)


def test_error_stops_at_the_first_residue_too_many(model, tmp_path):
    changes = {"long_sequences": "error", "max_residues": 1022}
    store = extract(tmp_path, model, of_length([1, 2, 1021, 1022]), **changes)
    assert store.n_rows() == {"L1": 1, "L2": 2, "L1021": 1021, "L1022": 1022}
    with pytest.raises(InputError, match=r"1 sequences exceed max_residues=1022 \(longest L1023 1023\)"):
        extract(tmp_path / "long", model, of_length([2, 1022, 1023]), **changes)
    assert not (tmp_path / "long").exists()


def test_truncated_proteins_keep_first_residues_and_count_the_rest(model, tmp_path):
    # lengths 5 1 17 30 2 9 9 40 12 3 21: 30, 40 and 21 are above 17 by 13, 23 and 4
    changes = {"long_sequences": "truncate", "max_residues": 17, "dtype": "float32"}
    store = extract(tmp_path, model, proteins(), **changes)
    check_rows(store, proteins(), {name: range(min(17, len(text))) for name, text in proteins().items()})
    counts = store.manifest.proteins
    assert (counts.truncated, counts.residues_truncated, counts.extracted_long) == (3, 13 + 23 + 4, 0)
    (values,) = [x for _, x in store.iter_proteins(HOOK_POINT, ["P07"])]
    assert_close(values, fair_esm_activations(tiny_esm2(), [proteins()["P07"][:17]])[HOOK_POINT].numpy())


CHILD = """
import re, sys
from pathlib import Path
from tests.activations.test_long_proteins import extract, of_length
from tests.plm.tiny_esm2 import tiny_model
folder, how = Path(sys.argv[1]), sys.argv[2]
extract(folder / how, tiny_model(folder), of_length([35_000]), long_sequences=how, dtype="float32")
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["window", "full"])
def test_the_longest_protein_known_has_a_row_per_residue_within_580_mb(tmp_path, how):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", CHILD, str(tmp_path), how]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 580
    store = ActivationStore(tmp_path / how)
    assert store.n_rows() == {"L35000": 35_000}
    (values,) = [x for _, x in store.iter_proteins(HOOK_POINT)]
    if how == "window":
        assert_close(values, by_windows(of_length([35_000])["L35000"], 1022, 256))


@pytest.mark.parametrize("how", ["window", "full", "truncate", "skip"])
@pytest.mark.parametrize("sample", [None, 8])
def test_no_residue_is_lost_uncounted(model, tmp_path, how, sample):
    store = extract(
        tmp_path, model, proteins(), long_sequences=how, max_residues=17, window_overlap=5,
        residues_per_protein=sample,
    )  # fmt: skip
    counts = store.manifest.proteins
    left_out = counts.residues_skipped + counts.residues_truncated + counts.residues_not_sampled
    assert store.manifest.rows + left_out == sum(map(len, proteins().values()))
    assert counts.extracted + counts.skipped_long == len(proteins())


@pytest.mark.parametrize("how", ["window", "truncate"])
def test_a_sample_of_residues_is_rows_of_the_whole(model, tmp_path, how):
    changes = {"long_sequences": how, "max_residues": 17, "window_overlap": 5}
    whole = extract(tmp_path / "whole", model, proteins(), **changes)
    sample = extract(tmp_path / "sample", model, proteins(), **changes, residues_per_protein=6, sample_seed=3)
    asked = config(**changes, residues_per_protein=6, sample_seed=3)
    rows = {name: kept_residues(name, len(text), asked) for name, text in proteins().items()}
    check_rows(sample, proteins(), rows)
    everything = dict(whole.iter_proteins(HOOK_POINT))
    picked = []
    for position, residues, values in sample.iter_stored(HOOK_POINT):
        name = sample.protein_ids[position]
        np.testing.assert_array_equal(residues, rows[name])
        exact = everything[name][residues]
        np.testing.assert_allclose(values.astype(np.float32), exact, rtol=2**-10, atol=1e-4)
        picked.append(values.astype(np.float64))
    found = sample.statistics(HOOK_POINT, sample.protein_ids)
    assert found.n_rows == sum(map(len, picked)) == sample.manifest.rows
    np.testing.assert_allclose(found.mean, np.concatenate(picked).mean(axis=0), rtol=1e-9)


def test_samples_depend_on_seed_and_id_and_are_nested():
    def kept(name, n, seed=0):
        asked = config(residues_per_protein=n, sample_seed=seed)
        return kept_residues(name, 100, asked).tolist()

    assert kept("P1", 10) == sorted(kept("P1", 10)) == kept("P1", 10)
    assert kept("P1", 10) != kept("P2", 10) != kept("P2", 10, seed=1)
    assert set(kept("P1", 10)) < set(kept("P1", 40))
    assert kept("P1", 100) == kept("P1", 1000) == list(range(100))
    drawn = np.bincount(np.concatenate([kept(f"P{i}", 10) for i in range(2000)]), minlength=100)
    assert abs(drawn - 200).max() < 5 * np.sqrt(2000 * 0.1 * 0.9)


def test_batches_of_a_sample_name_the_true_residues(model, tmp_path):
    store = extract(tmp_path, model, proteins(), residues_per_protein=6)
    rows = {store.protein_ids[i]: (r.tolist(), x) for i, r, x in store.iter_stored(HOOK_POINT)}
    ids = sorted(rows)
    sampler = ResidueSampler(store, HOOK_POINT, ids, residues_per_protein=4, proteins_per_batch=5, seed=1)
    for batch in sampler.epoch(0):
        for x, segment, residue in zip(batch.x, batch.segment, batch.residue_index, strict=True):
            residues, values = rows[ids[batch.proteins[segment]]]
            assert torch.equal(x, torch.tensor(values[residues.index(int(residue))]).float())


def test_bfloat16_is_stored_as_float32_rounded_to_it(model, tmp_path):
    exact = extract(tmp_path / "exact", model, proteins(), dtype="float32")
    rounded = extract(tmp_path / "rounded", model, proteins(), dtype="bfloat16")
    assert rounded.manifest.dtype == "bfloat16"
    assert str(pq.read_schema(shards(rounded)[0]).field(HOOK_POINT).type).startswith(
        "fixed_size_list<element: float>"
    )
    for (_, full), (_, short) in zip(
        exact.iter_proteins(HOOK_POINT), rounded.iter_proteins(HOOK_POINT), strict=True
    ):
        np.testing.assert_array_equal(torch.from_numpy(full).bfloat16().float().numpy(), short)


def test_batches_that_ran_out_of_memory_are_in_the_manifest(model, tmp_path, monkeypatch):
    from protsae.plm.forward import Esm2Forward

    def run(self, sequences):
        if len(sequences) > 1:
            raise MemoryError
        return original(self, sequences)

    original = Esm2Forward.run
    monkeypatch.setattr(Esm2Forward, "run", run)
    store = extract(tmp_path, model, proteins(), dtype="float32", max_tokens_per_batch=1000)
    # shards of 3, 3, 3 and 2 proteins, one batch each: halved until each is alone
    assert [shard.halved_batches for shard in store.manifest.shards] == [2, 2, 2, 1]
    for name, values in store.iter_proteins(HOOK_POINT):
        assert_close(values, fair_esm_activations(tiny_esm2(), [proteins()[name]])[HOOK_POINT].numpy())


def test_settings_of_long_proteins_touch_only_shards_that_hold_one(model):
    def fingerprints(**changes):
        plan = plan_extraction(list(proteins()), list(proteins().values()), model, config(**changes))
        return [job.fingerprint for job in plan.jobs], [
            max(map(len, job.sequences)) > 17 for job in plan.jobs
        ]

    full, has_long = fingerprints(long_sequences="full", max_residues=17)
    window, _ = fingerprints(long_sequences="window", max_residues=17, window_overlap=5)
    assert any(has_long)
    assert [a != b for a, b in zip(full, window, strict=True)] == has_long
    sampled, _ = fingerprints(long_sequences="full", max_residues=17, residues_per_protein=3)
    assert not set(full) & set(sampled)


def test_windows_without_a_step_are_refused():
    with pytest.raises(ValidationError, match="window_overlap 17 leaves windows of 17 residues no step"):
        config(long_sequences="window", max_residues=17, window_overlap=17)


def test_error_names_the_ways_out(model, tmp_path):
    with pytest.raises(InputError, match="to window, full, truncate or skip"):
        extract(tmp_path, model, proteins(), long_sequences="error", max_residues=17)
