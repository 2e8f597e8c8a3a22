"""Losses under splicing against fair-esm's own module with a forward hook, one protein at a time."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from tests.fidelity.conftest import HOOK_POINT, RUN, column
from tests.plm.tiny_esm2 import random_sequences, tiny_esm2
from torch.nn import functional

from protsae.core.errors import InputError
from protsae.fidelity.config import FidelityMetricsConfig, PassesConfig
from protsae.fidelity.judging import loss_rows
from protsae.fidelity.splicing import (
    ABLATIONS,
    Condition,
    ablations,
    masked_losses,
    reconstructions,
    require_same_model,
    splices,
)
from protsae.plm.windows import windows_of

PASSES = PassesConfig(tokens_per_batch=150)
JUDGING = FidelityMetricsConfig(n_resamples=20)
MEAN = torch.linspace(-1, 1, 24)


def hooked_losses(text, masked, replace, masked_too=True):
    """Return fair-esm's cross-entropies of masked residues; `replace` acts on the residues' outputs of layer
    1, on those that are not masked alone where told so."""
    module = tiny_esm2()
    _, _, tokens = module.alphabet.get_batch_converter()([("", text)])
    truth = tokens[0, 1:-1].clone()
    tokens[0, 1 + torch.tensor(masked)] = module.mask_idx
    rows = torch.arange(len(text))
    if not masked_too:
        rows = rows[~torch.isin(rows, torch.tensor(masked))]

    def hook(_module, _args, output):
        x = output[0].clone()  # [tokens, 1, d_model]
        x[1 + rows, 0] = replace(x[1:-1, 0])[rows]
        return (x, *output[1:])

    module.layers[1].register_forward_hook(hook)
    with torch.no_grad():
        logits = module(tokens)["logits"][0, 1:-1]
    return functional.cross_entropy(logits[masked], truth[masked], reduction="none").double().numpy()


def reference(sequences, replace, masked_too=True):
    """Return summed losses by sequence and residue, in the order of the table."""
    rows = []
    for name, text, masked in sequences[["sequence_id", "sequence", "masked"]].itertuples(index=False):
        losses = hooked_losses(text, masked, replace, masked_too)
        rows += [(name, text[i], loss) for i, loss in zip(masked, losses, strict=True)]
    table = pd.DataFrame(rows, columns=["sequence_id", "residue", "loss"])
    return table.groupby(["sequence_id", "residue"])["loss"].agg(["sum", "size"])


def measured(model, sequences, conditions, replace):
    found = masked_losses(model, HOOK_POINT, sequences, conditions, replace, PASSES)
    return found.set_index(["sequence_id", "residue"]).sort_index()


def test_ablations_equal_hooks_on_fair_esm(model, sequences):
    found = measured(model, sequences, ABLATIONS, ablations(MEAN))
    expected = {
        "clean": reference(sequences, lambda x: x),
        "mean": reference(sequences, MEAN.expand_as),
        "zero": reference(sequences, torch.zeros_like),
        "mean_unmasked": reference(sequences, MEAN.expand_as, masked_too=False),
        "zero_unmasked": reference(sequences, torch.zeros_like, masked_too=False),
    }
    assert found.index.equals(expected["clean"].index)
    assert found["n_masked"].tolist() == expected["clean"]["size"].tolist()
    for name, sums in expected.items():
        np.testing.assert_allclose(found[name], sums["sum"], rtol=1e-4, atol=1e-5, err_msg=name)
    assert (found["zero"] - found["clean"]).abs().max() > 0.1
    assert (found["zero"] - found["zero_unmasked"]).abs().max() > 0.1


def test_splices_equal_hooks_on_fair_esm(model, sequences, guided):
    found = measured(model, sequences, splices(guided), reconstructions(guided))

    def part(chosen):
        def replace(x):
            acts = guided.encode(x)
            acts[:, [i for i in range(40) if i not in chosen]] = 0
            return guided.decode(acts)

        return replace

    assert (guided.encode(torch.randn(50, 24))[:, :3] > 0).any()  # otherwise the parts are equal
    expected = {
        "sae": reference(sequences, guided),
        "sae_unmasked": reference(sequences, guided, masked_too=False),
        "defined": reference(sequences, part(range(3))),
        "free": reference(sequences, part(range(3, 40))),
    }
    assert [name for name in found if name in expected] == list(expected)
    for name, sums in expected.items():
        np.testing.assert_allclose(found[name], sums["sum"], rtol=1e-4, atol=1e-5, err_msg=name)
    assert found[list(expected)].sum().nunique() == 4


def test_a_dictionary_of_one_kind_of_latents_has_no_parts(plain):
    assert [condition.name for condition in splices(plain)] == ["sae", "sae_unmasked"]
    assert set(reconstructions(plain)(torch.randn(4, 24))) == {"sae"}


def spliced_rows(model, sequences, replacement):
    """Return the rows of the metrics table for something that stands in at all residues."""
    baseline = masked_losses(model, HOOK_POINT, sequences, ABLATIONS, ablations(MEAN), PASSES)
    names = (Condition("sae", "it"), Condition("sae_unmasked", "it", unmasked_only=True))
    spliced = masked_losses(model, HOOK_POINT, sequences, names, lambda x: {"it": replacement(x)}, PASSES)
    return loss_rows(baseline, spliced, RUN, JUDGING)


def test_splicing_the_identity_recovers_exactly_all(model, sequences):
    rows = spliced_rows(model, sequences, lambda x: x.clone())
    recovered = rows[rows["metric"].isin(["loss_recovered", "loss_recovered_mean"])]
    assert len(recovered) > 20
    assert (recovered["value"] == 1.0).all()
    by_metric = rows[(rows["stratum"] == "") & (rows["preset"] == "")].set_index("metric")["value"]
    assert by_metric["mlm_ce_sae"] == by_metric["mlm_ce_clean"]


def test_splicing_zero_recovers_exactly_nothing_of_zero_ablation(model, sequences):
    rows = spliced_rows(model, sequences, torch.zeros_like)
    recovered = rows[rows["metric"] == "loss_recovered"]
    assert set(recovered["preset"]) == {"", "unmasked"}
    assert (recovered["value"] == 0.0).all()
    rows = spliced_rows(model, sequences, MEAN.expand_as)
    assert (rows.loc[rows["metric"] == "loss_recovered_mean", "value"] == 0.0).all()


def test_windows_score_every_masked_residue_once_with_its_own_context(model):
    text = random_sequences([70], seed=5)[0]
    masked = [i for i in range(70) if text[i] in "ACDEFGHIKLMNPQRSTVWY"][::3]
    long = pd.DataFrame(
        [("L", "protein", "c", 70, text, masked)],
        columns=["sequence_id", "kind", "cluster_id", "length", "sequence", "masked"],
    )
    config = PassesConfig(max_residues=30, window_overlap=10)
    clean = (Condition("clean", None),)
    found = masked_losses(model, HOOK_POINT, long, clean, lambda _x: {}, config)
    assert found["n_masked"].sum() == len(masked)
    total = 0.0
    for window in windows_of(70, 30, 10):
        here = [i - window.start for i in masked if window.start <= i < window.end]
        scored = [window.first <= i + window.start < window.last for i in here]
        losses = hooked_losses(text[window.start : window.end], here, lambda x: x)
        total += losses[scored].sum()
    assert found["clean"].sum() == pytest.approx(total, rel=1e-5)
    whole = masked_losses(model, HOOK_POINT, long.assign(kind="whole"), clean, lambda _x: {}, config)
    assert whole["clean"].sum() == pytest.approx(hooked_losses(text, masked, lambda x: x).sum(), rel=1e-5)
    assert abs(whole["clean"].sum() - total) > 1e-3


def test_batches_change_results_by_rounding_alone(model, sequences, plain):
    one, other = (
        masked_losses(
            model,
            HOOK_POINT,
            sequences,
            splices(plain),
            reconstructions(plain),
            PassesConfig(tokens_per_batch=tokens),
        )
        for tokens in (40, 4000)
    )
    np.testing.assert_allclose(column(one, "sae"), column(other, "sae"), rtol=1e-5)
    pd.testing.assert_frame_equal(one.drop(columns=["sae", "sae_unmasked"]), other.iloc[:, :6])


def test_another_language_model_is_refused(model):
    require_same_model(model.sha256, model, "the dictionary")
    other = dataclasses.replace(model, sha256="0" * 64)
    with pytest.raises(InputError, match="the dictionary comes from a language model with checksum 00000"):
        require_same_model(other.sha256, model, "the dictionary")
    with pytest.raises(InputError, match=r"\(none\).*Activations that were made elsewhere cannot be spliced"):
        require_same_model("", model, "the dictionary")
