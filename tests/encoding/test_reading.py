"""Encoding in batches against one protein at a time, with real dictionaries of random weights."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from tests.memory_store import MemoryStore

from protsae.core.errors import InputError
from protsae.encoding.batches import protein_batches
from protsae.encoding.config import BatchConfig, EncodingConfig
from protsae.encoding.reading import encode, encode_and_store, mean_activations, packed_codes
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

HOOK = "layers.2.resid_post"
RUN = Run(method="protsae", seed=3, hook_point=HOOK, k=2)


@pytest.fixture
def source():
    return stored()


def stored(step=1):
    """Store proteins of 3, 3 + step, ... residues."""
    generator = np.random.default_rng(0)
    ids = ["P3", "P1", "P5", "P2", "P4", "P6"]
    # Multiples of 1/16: with those of `protsae` every product is exact, in batches of any size.
    x = {p: np.round(16 * generator.normal(size=(3 + step * i, 4))) / 16 for i, p in enumerate(ids)}
    return MemoryStore({p: block.astype(np.float32) for p, block in x.items()}, HOOK)


@pytest.fixture
def protsae():
    return guided()


def guided(**settings):
    config = ProtSaeConfig(d_model=4, d_sae=9, k=2, concept_ids=("GO:1", "GO:2", "GO:3"), **settings)
    sae = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        sae.W_pred.mul_(100)  # gates that open on some residues and not on others
        for weights in (sae.W_pred, sae.W_free):
            weights.copy_((64 * weights).round() / 64)
    return sae


SPLIT_OF = {"P1": "train", "P2": "test", "P3": "train", "P4": "validation", "P5": "train"}


def proteins(source, split_of=SPLIT_OF):
    """Return the table of proteins: letters in turn."""
    text = {p: ("ACDEFGHIKL" * 7)[: len(source.proteins[p])] for p in split_of}
    columns = {"protein_id": list(split_of), "split": list(split_of.values()), "sequence": text.values()}
    return pd.DataFrame(columns).assign(cluster_id="c")


def rows_of(found, sae, run=RUN):
    """Return reconstruction on whole splits."""
    return split_rows(found.reconstruction_sums, found.latent_statistics, sae.config.d_model, run)


@pytest.mark.parametrize("residues_per_batch", [1, 7, 10_000])
def test_whole_proteins_one_split_per_batch_nothing_lost(source, residues_per_batch):
    batches = list(protein_batches(source, HOOK, SPLIT_OF, residues_per_batch))
    seen = {}
    for batch in batches:
        assert {SPLIT_OF[p] for p in batch.protein_ids} == {batch.split}
        for i, name in enumerate(batch.protein_ids):
            rows = batch.protein == i
            seen[name] = batch.x[torch.from_numpy(rows)].numpy()
            assert batch.residue_index[rows].tolist() == list(range(batch.lengths[i]))
    assert sorted(seen) == sorted(SPLIT_OF)
    for protein_id, block in seen.items():
        np.testing.assert_array_equal(block, source.proteins[protein_id])
    assert len(batches) == {1: 5, 7: 4, 10_000: 3}[residues_per_batch]


def test_pooled_latents_equal_one_protein_at_a_time(protsae):
    source = stored(step=9)  # up to 48 residues, of which 5 are the top tenth
    with torch.no_grad():
        protsae.gate_logit.copy_(torch.linspace(-0.02, 0.02, len(protsae.gate_logit)))
    found = encode(source, protsae, RUN, proteins(source), BatchConfig(residues_per_batch=20)).proteins
    assert found["protein_id"].tolist() == ["P1", "P2", "P3", "P4", "P5"]
    for row in found.itertuples():
        x = torch.from_numpy(source.proteins[row.protein_id])
        with torch.no_grad():
            acts, logits = protsae.encode(x).numpy(), protsae.predictor_logits(x).numpy()
        np.testing.assert_allclose(row.mean_latents, acts.mean(axis=0), atol=1e-6)
        np.testing.assert_array_equal(row.max_latents, acts.max(axis=0))
        np.testing.assert_allclose(row.protein_logits, logits.mean(axis=0), atol=1e-6)
        passed = np.maximum(logits - protsae.gate_logit.numpy(), 0)  # without what the dictionary adds
        np.testing.assert_allclose(row.mean_gated, passed.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(row.max_gated, passed.max(axis=0), atol=1e-6)
        tenth = math.ceil(len(x) / 10)
        for column, values in {"top_latents": acts, "top_gated": passed}.items():
            expected = [sum(sorted(of, reverse=True)[:tenth]) / tenth for of in values.T.tolist()]
            np.testing.assert_allclose(getattr(row, column), expected, atol=1e-6)


def test_statistics_and_reconstruction_equal_numpy_over_all_residues(source, protsae):
    found = encode(source, protsae, RUN, proteins(source), BatchConfig(residues_per_batch=5))
    x = {
        split: torch.from_numpy(
            np.concatenate([source.proteins[p] for p in SPLIT_OF if SPLIT_OF[p] == split])
        )
        for split in ("train", "validation", "test")
    }
    with torch.no_grad():
        codes = {split: protsae.codes(block) for split, block in x.items()}
        x_hat = {split: protsae.decode(codes[split].latent_acts) for split in x}
        norms = protsae.W_dec.double().norm(dim=1)
    acts = torch.cat([code.latent_acts for code in codes.values()]).numpy()
    gate = torch.cat([code.gate for code in codes.values()]).numpy()
    lift = acts[:, :3] - torch.cat([code.drive for code in codes.values()]).numpy()

    table = found.latent_statistics
    assert table["kind"].tolist() == ["defined"] * 3 + ["free"] * 6
    assert table["concept_idx"].tolist() == [0, 1, 2] + [-1] * 6
    np.testing.assert_allclose(table["density_test"], (codes["test"].latent_acts > 0).double().mean(dim=0))
    np.testing.assert_allclose(table["max_act"], acts.max(axis=0), rtol=1e-6)
    n_fired = np.maximum((acts > 0).sum(axis=0), 1)
    np.testing.assert_allclose(table["mean_nonzero_act"], acts.sum(axis=0) / n_fired, rtol=1e-6)
    np.testing.assert_allclose(table["gate_rate"][:3], gate.mean(axis=0))
    assert 0 < gate.mean() < 1, "the case must open some gates"
    np.testing.assert_allclose(
        table["mean_lift"][:3], (lift * gate).sum(axis=0) / gate.sum(axis=0), rtol=1e-5
    )
    assert table["gate_rate"][3:].isna().all()

    table = rows_of(found, protsae)
    rows = table.set_index(["split", "metric"])["value"]
    for split, block in x.items():
        residual = float((block - x_hat[split]).double().square().sum())
        total = float((block.double() - block.double().mean(dim=0)).square().sum())
        assert rows[split, "fve"] == pytest.approx(1 - residual / total, abs=1e-6)
        z = codes[split].latent_acts.double()
        assert rows[split, "l0"] == pytest.approx(float((z > 0).sum(dim=1).double().mean()))
        assert rows[split, "dead_share"] == pytest.approx(float((z.max(dim=0).values == 0).double().mean()))
        energy = (z * norms).square().sum(dim=0)
        assert rows[split, "defined_participation"] == pytest.approx(float(energy[:3].sum() / energy.sum()))
        assert rows[split, "gate_rate"] == pytest.approx(float(codes[split].gate.double().mean()))
    labels = table.iloc[0]
    assert (labels["method"], labels["seed"], labels["hook_point"], labels["k"]) == ("protsae", 3, HOOK, 2)
    assert table.set_index("split").loc["test", "n"].tolist() == [6] * 6


def test_batch_size_changes_nothing_that_is_read(source, protsae):
    small = encode(source, protsae, RUN, proteins(source), BatchConfig(residues_per_batch=1))
    large = encode(source, protsae, RUN, proteins(source), BatchConfig(residues_per_batch=999))
    pd.testing.assert_frame_equal(rows_of(small, protsae), rows_of(large, protsae), rtol=1e-6)
    pd.testing.assert_frame_equal(small.latent_statistics, large.latent_statistics, rtol=1e-6)


def test_a_plain_dictionary_has_no_rows_about_concepts(source):
    sae = TopKSae(TopKConfig(d_model=4, d_sae=6, k=2), torch.Generator().manual_seed(1))
    run = Run(method="topk", seed=0, hook_point=HOOK, k=2)
    found = encode(source, sae, run, proteins(source, {"P1": "test"}), BatchConfig())
    assert set(rows_of(found, sae, run)["metric"]) == {"fve", "mse", "l0", "dead_share"}
    assert "protein_logits" not in found.proteins
    assert found.latent_statistics["density_train"].isna().all()
    assert (found.latent_statistics["kind"] == "free").all()


@pytest.mark.parametrize("residues_per_batch", [1, 8, 999])
def test_codes_of_held_out_splits_and_a_training_sample_are_kept(source, residues_per_batch):
    sae = guided(residue_level=("GO:2",))
    config = EncodingConfig(residues_per_batch=residues_per_batch, train_residues=4, seed=1)
    found, codes = encode_and_store(source, sae, RUN, proteins(source), config)
    train = codes.of_split("train")
    assert 0 < len(train) < 3
    assert sum(len(source.proteins[p]) for p in train[:-1]) < 4 <= sum(len(source.proteins[p]) for p in train)
    assert {p for p in codes.protein_ids if p not in train} == {"P2", "P4"}
    for name in codes.protein_ids:
        x = torch.from_numpy(source.proteins[name])
        with torch.no_grad():
            acts, logits = sae.encode(x).numpy(), sae.predictor_logits(x)[:, [1]].numpy()
        stored = codes.codes(name)
        row = np.repeat(np.arange(len(stored)), np.diff(stored.indptr))
        dense = np.zeros_like(acts)
        dense[row, stored.latents] = stored.values
        np.testing.assert_array_equal(dense, acts)
        assert (np.diff(stored.latents)[np.diff(row) == 0] > 0).all(), "latents ascend within a residue"
        np.testing.assert_array_equal(codes.logits([name]), logits)
    assert (codes.dictionary.concept_ids, codes.dictionary.residue_concepts) == (sae.concept_ids, (1,))
    assert (codes.run, codes.dictionary.d_model, codes.n_latents) == (RUN, 4, 9)
    again = encode(source, sae, RUN, proteins(source), config)
    pd.testing.assert_frame_equal(found.latent_statistics, again.latent_statistics)


def test_codes_are_packed_without_zeros_and_in_the_order_of_latents():
    values = np.array([[0.5, 0.0, 2.0], [0.0, 0.0, 0.0], [4.0, 1.0, 3.0]], np.float32)
    codes = packed_codes(values, np.array([[7, 1, 3], [0, 0, 0], [9, 2, 0]]))
    assert codes.indptr.tolist() == [0, 2, 2, 5]
    assert codes.latents.tolist() == [3, 7, 0, 2, 9]
    assert codes.values.tolist() == [2.0, 0.5, 3.0, 1.0, 4.0]


def test_activations_that_are_not_finite_are_refused(source, protsae):
    source.proteins["P4"][2, 1] = np.nan
    with pytest.raises(InputError, match="P4: an activation or its reconstruction is not finite"):
        encode(source, protsae, RUN, proteins(source), BatchConfig())


def test_activations_beyond_the_end_of_the_sequence_are_refused(source, protsae):
    short = proteins(source)
    short.loc[short["protein_id"] == "P4", "sequence"] = "ACDE"
    with pytest.raises(InputError, match="P4 has 4 residues but an activation of residue 6"):
        encode(source, protsae, RUN, short, BatchConfig())


def test_mean_activations_are_means_over_residues(source):
    found = mean_activations(source, HOOK, ["P2", "P1"])
    assert found["protein_id"].tolist() == ["P1", "P2"]
    np.testing.assert_allclose(found["activation"][1], source.proteins["P2"].mean(axis=0), rtol=1e-6)
