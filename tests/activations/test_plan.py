"""Which protein goes into which shard."""

import pytest
from pydantic import ValidationError
from tests.activations.conftest import config, proteins
from tests.plm.tiny_esm2 import tiny_model

from protsae.activations.plan import plan_extraction
from protsae.core.errors import InputError


def plan(model, sequences, *, n_excluded=0, **changes):
    return plan_extraction(
        list(sequences), list(sequences.values()), model, config(**changes), n_excluded=n_excluded
    )


def test_every_protein_is_in_one_shard_of_the_asked_size(model):
    jobs = plan(model, proteins()).jobs
    assert [len(job.protein_ids) for job in jobs] == [3, 3, 3, 2]
    assert sorted(name for job in jobs for name in job.protein_ids) == sorted(proteins())
    assert all(
        proteins()[n] == s for job in jobs for n, s in zip(job.protein_ids, job.sequences, strict=True)
    )
    assert [job.name for job in jobs[:2]] == ["shard-00000.parquet", "shard-00001.parquet"]


def test_the_order_is_shuffled_and_independent_of_the_input_order(model):
    forwards = plan(model, proteins())
    backwards = plan(model, dict(reversed(proteins().items())))
    assert forwards.jobs == backwards.jobs
    order = [name for job in forwards.jobs for name in job.protein_ids]
    assert order != sorted(order)


@pytest.mark.parametrize(
    "changes", [{"hook_point": "layers.1.attn_out"}, {"dtype": "float32"}, {"max_tokens_per_batch": 61}]
)
def test_the_fingerprint_follows_the_settings(model, changes):
    before, after = plan(model, proteins()), plan(model, proteins(), **changes)
    assert all(a.fingerprint != b.fingerprint for a, b in zip(before.jobs, after.jobs, strict=True))


def test_the_fingerprint_follows_one_residue_of_one_shard_only(model):
    sequences = proteins()
    before = plan(model, sequences)
    changed = before.jobs[1].protein_ids[0]
    sequences[changed] = "W" + sequences[changed][1:]
    after = plan(model, sequences)
    same = [a.fingerprint == b.fingerprint for a, b in zip(before.jobs, after.jobs, strict=True)]
    assert same == [True, False, True, True]


def test_the_fingerprint_follows_the_model(model, tmp_path):
    other = plan(tiny_model(tmp_path, seed=1), proteins())
    assert other.jobs[0].fingerprint != plan(model, proteins()).jobs[0].fingerprint


def test_long_proteins_are_skipped_and_counted(model):
    # lengths 5 1 17 30 2 9 9 40 12 3 21: three above 17
    result = plan(model, proteins(), long_sequences="skip", max_residues=17, n_excluded=4)
    assert result.skipped == ("P03", "P07", "P10")
    counts = result.counts
    assert (counts.given, counts.excluded, counts.skipped_long, counts.extracted) == (15, 4, 3, 8)


def test_long_proteins_are_extracted_whole_and_counted(model):
    counts = plan(model, proteins(), long_sequences="full", max_residues=17).counts
    assert (counts.extracted, counts.extracted_long, counts.skipped_long) == (11, 3, 0)


def test_long_proteins_stop_the_run_where_asked(model):
    message = r"3 sequences exceed max_residues=17 \(longest P07 40\)\. Set extraction\.long_sequences"
    with pytest.raises(InputError, match=message):
        plan(model, proteins(), long_sequences="error", max_residues=17)


def test_the_disk_estimate_is_rows_times_width_plus_statistics(model):
    result = plan(model, proteins())
    rows = sum(map(len, proteins().values()))
    assert result.n_bytes(result.jobs) == rows * 24 * 2 + 11 * 24 * 16


@pytest.mark.parametrize(
    ("sequences", "message"),
    [
        ({}, "no proteins to extract"),
        ({"P1": "ACD", "P2": "AC*D"}, r"protein 'P2': letter '\*' at position 3"),
        ({"P1": ""}, "protein 'P1' is empty"),
    ],
)
def test_proteins_that_cannot_be_run_are_refused(model, sequences, message):
    with pytest.raises(InputError, match=message):
        plan(model, sequences)


def test_a_repeated_id_is_refused(model):
    with pytest.raises(InputError, match="protein 'P2' is given twice"):
        plan_extraction(["P1", "P2", "P2"], ["A", "C", "C"], model, config())


def test_a_layer_that_the_model_lacks_is_refused(model):
    with pytest.raises(InputError, match=r"'layers\.7\.resid_post' is out of range: the model has 3 layers"):
        plan(model, proteins(), hook_point="layers.7.resid_post")


def test_a_hook_point_is_checked_when_parameters_are_read():
    with pytest.raises(ValidationError, match=r"hook point 'layer\.1' is unknown"):
        config(hook_point="layer.1")
