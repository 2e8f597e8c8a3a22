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
from protsae.fidelity.config import JudgingConfig
from protsae.fidelity.judging import reconstruction_rows
from protsae.fidelity.reconstruction import reconstruction_sums
from protsae.metrics.reconstruction import ReconstructionAccumulator


def stored(model, proteins, folder, **changes):
    plan = plan_extraction(
        proteins["protein_id"].tolist(), proteins["sequence"].tolist(), model, config(**changes)
    )
    write_activations(plan, folder)
    return ActivationStore(folder)


@pytest.fixture(scope="module")
def store(model, proteins, tmp_path_factory):
    return stored(model, proteins, tmp_path_factory.mktemp("store") / "run")


def test_sums_equal_a_loop_over_residues(store, proteins, guided):
    test = proteins[proteins["split"] == "test"]
    sums, densities = reconstruction_sums(store, HOOK_POINT, guided, test, residues_per_batch=50)
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
    found = sums.set_index(["protein_id", "residue"]).sort_index()
    assert found.index.equals(expected.index)
    for name in names:
        np.testing.assert_allclose(column(found, name), column(expected, name), rtol=1e-5, err_msg=name)
    assert densities["kind"].tolist() == ["defined"] * 3 + ["free"] * 37
    assert densities["n_fired"].sum() == expected["active_sum"].sum()


def test_headline_equals_the_accumulator_of_training(store, proteins, plain):
    test = proteins[proteins["split"] == "test"]
    sums, densities = reconstruction_sums(store, HOOK_POINT, plain, test, residues_per_batch=10_000)
    rows = reconstruction_rows(sums, densities, 24, RUN, JudgingConfig(n_resamples=20))
    value = rows[rows["stratum"] == ""].set_index("metric")["value"]
    accumulator = ReconstructionAccumulator()
    for _, block in store.iter_proteins(HOOK_POINT, test["protein_id"].tolist()):
        x = torch.from_numpy(block)
        acts = plain.encode(x)
        accumulator.update(x, plain.decode(acts), acts)
    for name, expected in accumulator.compute().items():
        assert value[name] == pytest.approx(expected, rel=1e-6), name
    bounds = rows[(rows["stratum"] == "") & (rows["metric"] == "fve")].iloc[0]
    assert bounds["low"] < bounds["value"] < bounds["high"]


def test_where_residues_were_sampled_each_keeps_its_own_letter(model, proteins, plain, tmp_path):
    sampled = stored(model, proteins, tmp_path / "sampled", residues_per_protein=6)
    test = proteins[proteins["split"] == "test"]
    sums, _ = reconstruction_sums(sampled, HOOK_POINT, plain, test, residues_per_batch=20)
    assert sums.groupby("protein_id")["n_residues"].sum().eq(6).all()
    text = dict(zip(test["protein_id"], test["sequence"], strict=True))
    for position, residues, _ in sampled.iter_stored(HOOK_POINT, list(text)):
        name = sampled.protein_ids[position]
        letters = [text[name][i] for i in residues]
        of_protein = sums[sums["protein_id"] == name].set_index("residue")["n_residues"].to_dict()
        assert of_protein == {letter: letters.count(letter) for letter in set(letters)}
