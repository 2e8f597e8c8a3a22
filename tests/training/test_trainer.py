"""The trainer: it learns, keeps its promises about the decoder and dead latents, and stops with a name."""

import numpy as np
import pandas as pd
import pytest
import torch

from protsae.activations.sampler import ResidueBatch
from protsae.core.errors import InputError
from protsae.sae.axioms import AxiomIndices
from protsae.sae.config import GuidanceConfig, ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae
from protsae.training.config import TrainerConfig
from protsae.training.data import ConceptAxioms, Labels, Split
from protsae.training.trainer import LOG_COLUMNS, Trainer
from protsae.training.validation import validate_guided

TRAIN, VALIDATION = range(40), range(40, 60)


def _settings(**changes):
    return TrainerConfig(**{"epochs": 3, "learning_rate": 3e-3, "dead_after_n_tokens": 2000, **changes})


@pytest.fixture
def splits(toy, batches):
    def labels(proteins):
        truth = torch.from_numpy(toy.labels[proteins.start : proteins.stop]).float()
        return Labels(truth, torch.ones_like(truth).bool())

    return tuple(
        Split(toy.ids[proteins.start : proteins.stop], batches(proteins, 8), labels(proteins))
        for proteins in (TRAIN, VALIDATION)
    )


def _centred(sae, toy):
    rows = np.concatenate([toy.x[i] for i in TRAIN]).astype(np.float64)
    sae.set_input_statistics(torch.from_numpy(rows.mean(axis=0)), float(rows.var(axis=0).sum()))
    return sae


def _topk(toy, d_sae=64, k=3, seed=0):
    config = TopKConfig(d_model=24, d_sae=d_sae, k=k)
    return _centred(TopKSae(config, torch.Generator().manual_seed(seed)), toy)


def _protsae(toy, seed=0, **guidance):
    config = ProtSaeConfig(
        d_model=24,
        d_sae=64,
        k=3,
        concept_ids=("GO:1", "GO:2"),
        n_zero=1,
        guidance=GuidanceConfig(**guidance),
    )
    sae = _centred(ProtSae(config, torch.Generator().manual_seed(seed)), toy)
    sae.set_concept_rates(torch.tensor([0.3, 0.5]))
    return sae


ONTOLOGY = ConceptAxioms.of(
    AxiomIndices(torch.tensor([[0, 1], [1, 2]]), torch.empty(0, 3).long(), 3, 0), ["BPO", "BPO"]
)


def _fit_protsae(toy, splits, **changes):
    sae = _protsae(toy)
    trainer = Trainer(
        sae,
        _settings(**changes),
        *splits,
        ontology=ONTOLOGY,
        validator=validate_guided,
        select_by="average_precision/predictor",
    )
    return sae, trainer.fit()


def test_loss_falls_when_one_batch_is_repeated(toy, splits):
    for sae, labels in ((_topk(toy), None), (_protsae(toy), splits[0].labels)):
        first = next(splits[0].batches.epoch(0))
        train = Split(splits[0].protein_ids, splits[0].batches, labels)
        trainer = Trainer(sae, _settings(epochs=100), train, splits[1])
        losses = [trainer.step(first)["loss/total"] for _ in range(60)]
        assert losses[-1] < 0.7 * losses[0]
        assert np.diff(losses).max() < 0.2 * losses[0]


def test_decoder_rows_are_unit_after_a_step(toy, splits):
    sae = _topk(toy)
    Trainer(sae, _settings(), *splits).step(next(splits[0].batches.epoch(0)))
    torch.testing.assert_close(sae.W_dec.norm(dim=1), torch.ones(64), rtol=0, atol=1e-6)


def test_a_planted_dictionary_is_recovered(toy, splits):
    sae = _topk(toy, d_sae=48, k=4)
    Trainer(sae, _settings(epochs=40, learning_rate=1e-2), *splits).fit()
    cosines = toy.atoms @ sae.W_dec.detach().numpy().T
    before = toy.atoms @ _topk(toy, d_sae=48).W_dec.detach().numpy().T
    assert before.max(axis=1).mean() < 0.6
    assert cosines.max(axis=1).mean() > 0.85


def test_guidance_finds_the_planted_concepts(toy, splits):
    sae, result = _fit_protsae(toy, splits, epochs=15, learning_rate=1e-2)
    assert result.summary["validation/auc/predictor"] > 0.9
    assert result.summary["validation/auc/latent"] > 0.85
    directions = sae.W_pred.detach().numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    cosines = directions @ toy.atoms.T
    assert (cosines[:, :2].diagonal() > 0.5).all()
    assert cosines.argmax(axis=1).tolist() == [0, 1]


def test_same_seed_same_weights_and_log(toy, splits):
    first, second = (_fit_protsae(toy, splits) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first[0].parameters(), second[0].parameters(), strict=True))
    pd.testing.assert_frame_equal(first[1].log, second[1].log, check_exact=True)


def test_threads_are_those_asked_for_and_given_back(toy, splits, monkeypatch):
    seen = []
    sae = _topk(toy)
    monkeypatch.setattr(sae, "after_step", lambda batch, output: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    Trainer(sae, _settings(epochs=1, threads=before + 1), *splits).fit()
    assert set(seen) == {before + 1}
    assert torch.get_num_threads() == before


def test_log_holds_losses_and_validation_metrics(toy, splits):
    _, result = _fit_protsae(toy, splits)
    assert tuple(result.log.columns) == LOG_COLUMNS
    terms = {split: set(rows["term"]) for split, rows in result.log.groupby("split")}
    losses = {"reconstruction", "aux", "annotation", "axiom", "norm", "total"}
    assert terms["train"] >= {f"loss/{name}" for name in losses} | {"l0", "dead_share", "learning_rate"}
    assert terms["validation"] >= {
        "fve", "l0", "dead_share", "gate_rate", "mean_lift", "defined_participation", "subsumption_auc",
        "axiom_violation", "average_precision/predictor",
    }  # fmt: skip
    assert result.log["step"].unique().tolist() == [5, 10, 15]


def test_train_rows_are_means_of_the_steps(toy, splits):
    sae = _topk(toy)
    _, validation = splits
    train = Split(splits[0].protein_ids, splits[0].batches)
    log = Trainer(sae, _settings(epochs=1), train, validation).fit().log
    again = Trainer(_topk(toy), _settings(epochs=1), train, validation)
    steps = [again.step(batch)["loss/total"] for batch in train.batches.epoch(0)]
    logged = log[(log["split"] == "train") & (log["term"] == "loss/total")]["value"].item()
    assert logged == pytest.approx(sum(steps) / len(steps), rel=1e-12)


def test_chosen_weights_are_those_of_the_chosen_epoch(toy, splits):
    """A rate that rises to the absurd: the module goes back to its best epoch."""
    sae = _topk(toy)
    result = Trainer(sae, _settings(epochs=4, learning_rate=50.0, warmup_share=0.9), *splits).fit()
    log = result.log[(result.log["split"] == "validation") & (result.log["term"] == "fve")]
    assert result.summary["chosen_epoch"] == log["epoch"].to_numpy()[log["value"].argmax()]
    assert result.summary["chosen_epoch"] < 3
    x = torch.from_numpy(np.concatenate([toy.x[i] for i in VALIDATION]))
    with torch.no_grad():
        x_hat = sae(x).double()
    x = x.double()
    error = float((x_hat - x).square().sum() / (x - x.mean(dim=0)).square().sum())
    assert 1 - error == pytest.approx(log["value"].max(), rel=1e-6)


def test_silent_latents_become_dead_after_the_window(toy, splits):
    sae = _topk(toy)
    with torch.no_grad():
        sae.b_enc[:10] = -1e6
    trainer = Trainer(sae, _settings(dead_after_n_tokens=640, learning_rate=1e-9), *splits)
    shares = [trainer.step(batch)["dead_share"] for batch in splits[0].batches.epoch(0)]
    assert shares[0] == 0  # 320 residues seen
    assert 10 / 64 <= shares[1] < 0.8  # 640 seen; the others fired
    assert trainer.step(next(splits[0].batches.epoch(0)))["loss/aux"] > 0


def test_a_loss_that_is_not_finite_names_the_proteins(toy, splits):
    trainer = Trainer(_topk(toy), _settings(), *splits)
    x = torch.from_numpy(toy.x[7]).clone()
    x[3, 2] = float("inf")
    bad = ResidueBatch(x, torch.zeros(len(x)).long(), torch.tensor([7]), torch.arange(len(x)))
    with pytest.raises(InputError, match=r"step 0: loss/reconstruction is (nan|inf).*proteins: P007$"):
        trainer.step(bad)


def test_rates_follow_the_schedule_and_the_predictor_its_multiple(toy, splits):
    sae = _protsae(toy, predictor_rate=5.0)
    config = _settings(epochs=4, warmup_share=0.5)  # 20 steps, 10 of warm-up
    trainer = Trainer(sae, config, *splits)
    before = {name: p.detach().clone() for name, p in sae.named_parameters() if p.numel()}
    logged = trainer.step(next(splits[0].batches.epoch(0)))["learning_rate"]
    assert logged == pytest.approx(3e-3 / 11)
    now = dict(sae.named_parameters())
    moved = {name: float((now[name].detach() - value).abs().max()) for name, value in before.items()}
    assert moved["b_free"] == pytest.approx(3e-3 / 11, rel=1e-3)
    assert moved["W_pred"] == pytest.approx(5 * 3e-3 / 11, rel=1e-3)  # Adam's first step is the rate


def test_the_gradient_is_clipped_to_the_norm_of_the_settings(toy, splits):
    """Adam adds 1e-8 to the gradient's size: below it, a step is as small as the gradient."""
    largest = []
    for clip_norm in (1.0, 1e-12):
        sae = _topk(toy)
        before = sae.encoder.detach().clone()
        Trainer(sae, _settings(clip_norm=clip_norm), *splits).step(next(splits[0].batches.epoch(0)))
        largest.append(float((sae.encoder.detach() - before).abs().max()))
    assert 0 < largest[1] < 1e-3 * largest[0]


def test_gates_end_near_the_concepts_rates(toy, splits):
    _, result = _fit_protsae(toy, splits, epochs=10)
    assert result.summary["validation/gate_rate"] == pytest.approx(0.4, abs=0.1)
