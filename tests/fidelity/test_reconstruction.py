"""Sums over stored activations against a loop over residues and against the accumulator of training."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.activations.conftest import config
from tests.fidelity.conftest import HOOK_POINT, RUN, column

from protsae.activations.plan import plan_extraction
from protsae.activations.reader import ActivationStore
from protsae.activations.writer import write_activations
from protsae.encoding.config import BatchConfig
from protsae.encoding.reading import encode
from protsae.fidelity.config import FidelityMetricsConfig
from protsae.fidelity.judging import reconstruction_rows
from protsae.metrics.reconstruction import ReconstructionAccumulator


def stored(model, proteins, folder, **changes):
    plan = plan_extraction(
        proteins["protein_id"].tolist(), proteins["sequence"].tolist(), model, config(**changes)
    )
    write_activations(plan, folder)
    return ActivationStore(folder)


def encoded(store, sae, proteins, residues_per_batch):
    return encode(store, sae, RUN, proteins, BatchConfig(residues_per_batch=residues_per_batch))


@pytest.fixture(scope="module")
def store(model, proteins, tmp_path_factory):
    return stored(model, proteins, tmp_path_factory.mktemp("store") / "run")


def test_sums_equal_a_loop_over_residues(store, proteins, guided):
    test = proteins[proteins["split"] == "test"]
    found = encoded(store, guided, test, 50)
    sums, statistics = found.reconstruction_sums, found.latent_statistics
    x = dict(store.iter_proteins(HOOK_POINT, test["protein_id"].tolist()))
    mean = np.concatenate(list(x.values())).astype(np.float64).mean(axis=0)
    rows = []
    for name, text in zip(test["protein_id"], test["sequence"], strict=True):
        acts = guided.encode(torch.from_numpy(x[name]))
        x_hat = guided.decode(acts).detach().numpy().astype(np.float64)
        for i, letter in enumerate(text):
            a, b = x[name][i].astype(np.float64), x_hat[i]
            cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
            n_active = int((acts[i] > 0).sum())
            rows.append((name, letter, 1, ((a - b) ** 2).sum(), ((a - mean) ** 2).sum(), cosine, n_active))
    names = ["n_residues", "residual_squares", "centred_squares", "cosine_sum", "active_sum"]
    slow = pd.DataFrame(rows, columns=["protein_id", "residue", *names])
    expected = slow.groupby(["protein_id", "residue"])[names].sum()
    sums = sums.set_index(["protein_id", "residue"]).sort_index()
    assert sums.index.equals(expected.index)
    for name in names:
        np.testing.assert_allclose(column(sums, name), column(expected, name), rtol=1e-5, err_msg=name)
    n_fired = statistics["density_test"] * expected["n_residues"].sum()
    assert n_fired.sum() == pytest.approx(expected["active_sum"].sum())


def test_headline_equals_the_accumulator_of_training(store, proteins, plain):
    test = proteins[proteins["split"] == "test"]
    found = encoded(store, plain, proteins, 10_000)
    rows = reconstruction_rows(
        found.reconstruction_sums, found.latent_statistics, 24, RUN, FidelityMetricsConfig(n_resamples=20)
    )
    value = rows[(rows["stratum"] == "") & (rows["split"] == "test")].set_index("metric")["value"]
    accumulator = ReconstructionAccumulator()
    for _, block in store.iter_proteins(HOOK_POINT, test["protein_id"].tolist()):
        x = torch.from_numpy(block)
        acts = plain.encode(x)
        accumulator.update(x, plain.decode(acts), acts)
    for name, expected in accumulator.compute().items():
        assert value[name] == pytest.approx(expected, rel=1e-6), name
    bounds = rows[(rows["split"] == "test") & (rows["stratum"] == "") & (rows["metric"] == "fve")].iloc[0]
    assert bounds["low"] < bounds["value"] < bounds["high"]
    train = rows[rows["split"] == "train"]
    assert train["metric"].tolist() == ["fve", "mse", "l0", "dead_share"]
    assert not rows.duplicated(["split", "metric", "stratum"]).any()


def test_where_residues_were_sampled_each_keeps_its_own_letter(model, proteins, plain, tmp_path):
    sampled = stored(model, proteins, tmp_path / "sampled", residues_per_protein=6)
    test = proteins[proteins["split"] == "test"]
    sums = encoded(sampled, plain, test, 20).reconstruction_sums
    assert sums.groupby("protein_id")["n_residues"].sum().eq(6).all()
    text = dict(zip(test["protein_id"], test["sequence"], strict=True))
    for position, residues, _ in sampled.iter_stored(HOOK_POINT, list(text)):
        name = sampled.protein_ids[position]
        letters = [text[name][i] for i in residues]
        of_protein = sums[sums["protein_id"] == name].set_index("residue")["n_residues"].to_dict()
        assert of_protein == {letter: letters.count(letter) for letter in set(letters)}
