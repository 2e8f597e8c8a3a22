"""The streaming sampler: every protein once, from everywhere, in bounded memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from tests.activations.conftest import HOOK_POINT, config
from tests.plm.tiny_esm2 import D_MODEL

from protsae.activations import ActivationStore, ResidueSampler, StreamingSampler, sampler_for, schema
from protsae.activations.plan import plan_extraction
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError
from protsae.core.seeding import numpy_generator

N_PROTEINS, LENGTH = 400, 50
SETTINGS = {"residues_per_protein": 10, "proteins_per_batch": 16, "seed": 3}


def made_up_store(model, root, n_proteins, length, monkeypatch, rows_per_group):
    """Write shards of random numbers, eight proteins to a row group of `rows_per_group`."""
    generator = numpy_generator(0, "made up")

    def run(_self, sequences):
        shape = (sum(map(len, sequences)), D_MODEL)
        return {HOOK_POINT: torch.from_numpy(generator.normal(size=shape).astype(np.float32))}

    monkeypatch.setattr("protsae.plm.forward.Esm2Forward.run", run)
    monkeypatch.setattr(schema, "_ROWS_PER_GROUP", rows_per_group)
    ids = [f"P{i:04d}" for i in range(n_proteins)]
    asked = config(proteins_per_shard=40, max_tokens_per_batch=5000)
    write_activations(
        plan_extraction(ids, ["A" * (length + i % 5) for i in range(n_proteins)], model, asked), root
    )
    return ActivationStore(root)


@pytest.fixture(scope="module")
def store(model, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("stream") / "activations"
        yield made_up_store(model, root, N_PROTEINS, LENGTH, patch, 8 * (LENGTH + 4))


def limit_for(store, buffered_proteins):
    """Return GB that leave a buffer of so many proteins in addition to two row groups and a batch."""
    vector, n_rows = 2 * D_MODEL, 16 * 10
    batch = n_rows * (vector + vector + 8 + 2 * (4 * D_MODEL + 16))
    return (2 * store.largest_group * vector + batch + buffered_proteins * 10 * (vector + 8) + 1) / 1e9


def batches_of(store, protein_ids, epoch=0, buffered=128, **changes):
    limit = limit_for(store, buffered)
    sampler = StreamingSampler(store, HOOK_POINT, protein_ids, **{**SETTINGS, **changes}, max_memory_gb=limit)
    batches = list(sampler.epoch(epoch))
    assert len(batches) == sampler.n_batches
    return batches


def test_every_protein_comes_once_with_rows_that_are_its_own(store):
    ids = sorted(store.protein_ids)[5:]
    stored = dict(store.iter_proteins(HOOK_POINT))
    batches = batches_of(store, ids)
    assert sorted(torch.cat([batch.proteins for batch in batches]).tolist()) == list(range(len(ids)))
    assert [len(batch.proteins) for batch in batches] == [16] * 24 + [11]
    for batch in batches:
        assert torch.equal(batch.segment, torch.arange(len(batch.proteins)).repeat_interleave(10))
        owners = batch.proteins[batch.segment].tolist()
        for row, owner, residue in zip(batch.x, owners, batch.residue_index.tolist(), strict=True):
            np.testing.assert_array_equal(row.numpy(), stored[ids[owner]][residue])
        pairs = set(zip(owners, batch.residue_index.tolist(), strict=True))
        assert len(pairs) == len(batch.x)


def test_batches_follow_seed_and_epoch_alone(store):
    ids = store.protein_ids

    def drawn(**changes):
        return [(b.proteins.tolist(), b.residue_index.tolist()) for b in batches_of(store, ids, **changes)]

    assert drawn() == drawn()
    assert drawn(epoch=1) == drawn(epoch=1) != drawn()
    assert drawn(seed=4) != drawn()
    residues = {tuple(sorted(p)) for p, _ in drawn()}, {tuple(sorted(p)) for p, _ in drawn(epoch=1)}
    assert not residues[0] & residues[1]  # no batch of proteins comes again


def test_batches_mix_shards_from_the_first_to_the_last(store):
    shard_of = {position: i for i, group in enumerate(store.groups(store.protein_ids)) for position in group}
    n_groups = max(shard_of.values()) + 1
    place = {name: i for i, name in enumerate(store.protein_ids)}
    assert n_groups == 50
    batches = batches_of(store, store.protein_ids)
    spread = [len({shard_of[place[store.protein_ids[p]]] for p in b.proteins.tolist()}) for b in batches]
    # 16 proteins of 50 row groups of 8, drawn from all of them at once, would be of 13.9 different ones
    # read in stored order they would be of 2
    assert np.mean(spread) > 9
    assert min(spread) >= 5


def test_neighbours_in_the_shards_part(store):
    def order(epoch):
        return torch.cat([b.proteins for b in batches_of(store, store.protein_ids, epoch=epoch)]).numpy()

    def mean_place_of_the_first(epoch):
        return np.flatnonzero(order(epoch) < 8).mean()

    found = [mean_place_of_the_first(epoch) for epoch in range(6)]
    assert max(found) - min(found) > N_PROTEINS / 3  # the shards are read in another order each time
    places = np.argsort(order(0))
    apart = np.abs(np.diff(places))  # proteins side by side in the shards: how far apart in the epoch
    assert np.median(apart) > 16


def test_residues_are_drawn_evenly(store):
    counts = np.zeros(LENGTH)
    for epoch in range(10):
        for batch in batches_of(store, store.protein_ids, epoch=epoch):
            counts += np.bincount(batch.residue_index[batch.residue_index < LENGTH], minlength=LENGTH)
    expected = sum(10 / (LENGTH + i % 5) for i in range(N_PROTEINS)) * 10
    assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


def test_memory_stays_within_the_limit(model, tmp_path, monkeypatch):
    big = made_up_store(model, tmp_path, 800, 300, monkeypatch, 4096)
    total = ResidueSampler.memory_gb(big, big.protein_ids) * 1e9
    settings = {**SETTINGS, "residues_per_protein": 300}
    limit = 0.3 * total
    sampler = StreamingSampler(big, HOOK_POINT, big.protein_ids, **settings, max_memory_gb=limit / 1e9)
    n_rows = 0
    tracemalloc.start()
    for batch in sampler.epoch(0):
        n_rows += len(batch.x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_rows == 800 * 300
    assert 0.15 * total < peak < limit + 3e5  # plus some small Python objects


def test_the_sampler_is_chosen_by_memory(store):
    ids = store.protein_ids
    needed = ResidueSampler.memory_gb(store, ids)
    assert needed == sum(store.n_rows().values()) * D_MODEL * 2 / 1e9
    fits = sampler_for(store, HOOK_POINT, ids, **SETTINGS, max_memory_gb=needed * 1.01)
    streams = sampler_for(store, HOOK_POINT, ids, **SETTINGS, max_memory_gb=needed * 0.99)
    assert (type(fits), type(streams)) == (ResidueSampler, StreamingSampler)


def test_too_little_memory_and_wrong_counts_are_refused(store):
    with pytest.raises(InputError, match=r"streaming batches of 160 residues .* raise max_memory_gb"):
        batches_of(store, store.protein_ids, buffered=4 * 16 - 1)
    assert len(batches_of(store, store.protein_ids, buffered=4 * 16)) == 25
    with pytest.raises(InputError, match="proteins_per_batch is 0"):
        batches_of(store, store.protein_ids, proteins_per_batch=0)
    with pytest.raises(InputError, match="'Q1'"):
        batches_of(store, ["Q1"])


def test_all_residues_come_where_proteins_are_shorter(store):
    few = store.protein_ids[:20]
    batches = batches_of(store, few, residues_per_protein=1000, buffered=2000)
    assert sum(len(batch.x) for batch in batches) == sum(store.lengths()[name] for name in few)
