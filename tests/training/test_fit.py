"""From a store and tables to a checkpoint: the same bytes for the same seed, and clear refusals."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from tests.training.fits import fit_protsae, fit_topk

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.errors import InputError
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import GuidanceConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.registry import ARCHITECTURES, TOPK_FAMILY, UNGUIDED
from protsae.training.config import TrainerConfig
from protsae.training.fit import fit
from protsae.training.plan import SizeAndSeed, Source, TrainingPlan

CONFIG = TrainerConfig(epochs=2, residues_per_protein=16, proteins_per_batch=10)
CONCEPTS = pd.DataFrame(
    {"concept_idx": [0, 1], "concept_id": ["GO:1", "GO:2"], "aspect": "BPO", "level": "protein"}
)
NO_SPANS = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS))
AXIOMS = pd.DataFrame([("NF1", 0, -1, 1), ("NF4", 1, 0, 2)], columns=["normal_form", "c", "relation", "d"])


@pytest.fixture
def source(toy):
    split = ["train"] * 40 + ["validation"] * 15 + ["test"] * 5
    return Source(toy.store(), "layers.0.resid_post", pd.DataFrame({"protein_id": toy.ids, "split": split}))


@pytest.fixture
def tables(toy):
    rows = [(toy.ids[p], c) for p, c in zip(*toy.labels.nonzero(), strict=True)]
    labels = pd.DataFrame(rows, columns=["protein_id", "concept_idx"])
    labelled = pd.DataFrame({"protein_id": toy.ids, "aspect": "BPO"})
    return {"tables": LabelTables(CONCEPTS, labels, labelled, NO_SPANS), "axioms": AXIOMS}


def _bytes(fitted, path):
    (sae, metadata), log = fitted
    save_sae(sae, path, metadata)
    return path.read_bytes(), log


def test_same_seed_same_bytes_of_checkpoint_and_log(source, tables, tmp_path):
    def run(name, seed):
        fitted = fit_protsae(source, SizeAndSeed(48, 3, seed), CONFIG, GuidanceConfig(), **tables)
        return _bytes(fitted, tmp_path / name)

    first, second, other = run("a", 0), run("b", 0), run("c", 1)
    assert first[0] == second[0]
    assert first[1].to_csv() == second[1].to_csv()
    assert first[0] != other[0]


def test_training_streams_proteins_above_the_memory_limit(source, caplog):
    caplog.set_level("INFO")
    roomy = CONFIG.model_copy(update={"proteins_per_batch": 5})
    held = fit_topk(source, SizeAndSeed(48, 3, 0), roomy)
    assert "streaming" not in caplog.text
    streamed = fit_topk(source, SizeAndSeed(48, 3, 0), roomy.model_copy(update={"max_memory_gb": 8e-5}))
    assert "40 proteins take" in caplog.text
    fve = [fitted[0][1]["training"]["validation/fve"] for fitted in (held, streamed)]
    assert abs(fve[1] - fve[0]) < 0.1 < min(fve)


def test_checkpoint_records_model_hook_point_and_seed(source, tables, tmp_path):
    (sae, metadata), log = fit_protsae(source, SizeAndSeed(48, 3, 5), CONFIG, GuidanceConfig(), **tables)
    save_sae(sae, tmp_path / "sae", metadata)
    handle = SaeCheckpoint(tmp_path / "sae")
    expected = {
        "hook_point": "layers.0.resid_post",
        "model": "toy",
        "model_sha256": "ab",
        "seed": 5,
        "concept_ids": ["GO:1", "GO:2"],
        "d_model": 24,
    }
    assert handle.metadata.items() >= expected.items()
    chosen = log[(log["epoch"] == handle.metadata["training"]["chosen_epoch"]) & (log["term"] == "fve")]
    assert handle.metadata["training"]["validation/fve"] == chosen["value"].item()
    assert (handle.config["n_zero"], handle.config["n_relations"], handle.config["k"]) == (1, 1, 3)


def test_centring_and_rates_come_from_the_training_proteins_alone(source, tables, toy):
    (sae, _), _ = fit_protsae(source, SizeAndSeed(48, 3, 0), CONFIG, GuidanceConfig(), **tables)
    rows = torch.cat([torch.from_numpy(x) for x in toy.x[:40]]).double()
    torch.testing.assert_close(sae.input_mean.double(), rows.mean(dim=0), rtol=1e-5, atol=1e-6)
    positives = torch.from_numpy(toy.labels[:40].sum(axis=0))
    torch.testing.assert_close(sae.concept_rate.double(), (positives + 1) / 42.0, check_dtype=False)
    total = float((sae.scale_input(rows.float()) ** 2).sum(dim=1).mean())
    assert total == pytest.approx(24, rel=1e-4)


@pytest.mark.parametrize("asked", [{"annotation_residues": "all"}, {"protein_head": True}])
def test_annotation_loss_can_use_all_residues_of_proteins(source, tables, toy, monkeypatch, asked):
    seen = []
    step = ProtSae.step_output

    def watched(sae, batch):
        seen.append(batch)
        return step(sae, batch)

    monkeypatch.setattr(ProtSae, "step_output", watched)
    guidance = GuidanceConfig(**asked)
    config = CONFIG.model_copy(update={"residues_per_protein": 3, "epochs": 1})
    fit_protsae(source, SizeAndSeed(24, 4, 0), config, guidance, **tables)
    expected = {tuple(x.mean(axis=0)) for x in toy.x[:40]}
    assert {tuple(row) for batch in seen for row in batch.protein_means.numpy()} == expected


def test_axioms_of_every_form_reach_training(source, tables):
    """All tables have the same classes and relations; only what the axioms say of them differs."""
    columns = ["normal_form", "c", "relation", "d", "e"]
    rows = [("NF1", 0, -1, 1, -1), ("NF4", 1, 1, 3, -1), ("NF4", 2, 0, 2, -1)]
    more = [("NF2", 0, -1, 1, 3), ("NF3", 2, 1, 3, -1), ("DISJOINT", 1, -1, 3, -1)]

    def losses(*left_out: str) -> list[float]:
        kept = [row for row in (*rows, *more) if row[0] not in left_out]
        given = {**tables, "axioms": pd.DataFrame(kept, columns=columns)}
        (sae, _), log = fit_protsae(source, SizeAndSeed(48, 3, 0), CONFIG, GuidanceConfig(), **given)
        assert (sae.config.n_zero, sae.config.n_relations) == (2, 2)
        return log.loc[log["term"] == "loss/axiom", "value"].tolist()

    everything = losses()
    assert min(everything) > 0
    assert all(losses(form) != everything for form in ("NF2", "NF3", "DISJOINT"))


def test_topk_needs_no_labels(source):
    (sae, metadata), log = fit_topk(source, SizeAndSeed(48, 3, 0), CONFIG)
    assert sae.config.k == 3
    assert metadata["training"]["n_steps"] == 8
    assert metadata["training"]["n_residues"] == 2 * 40 * 16
    assert log["value"].notna().all()


def test_k_larger_than_what_is_free(source, tables):
    with pytest.raises(InputError, match="k 49 needs as many free latents, but d_sae 48 leaves 48"):
        fit_topk(source, SizeAndSeed(48, 49, 0), CONFIG)
    with pytest.raises(InputError, match="k 47 needs as many free latents, but d_sae 48 leaves 46"):
        fit_protsae(source, SizeAndSeed(48, 47, 0), CONFIG, GuidanceConfig(), **tables)


def test_no_concepts(source, tables):
    with pytest.raises(InputError, match="no concepts"):
        none = replace(tables["tables"], concepts=CONCEPTS.head(0))
        fit_protsae(source, SizeAndSeed(48, 3, 0), CONFIG, GuidanceConfig(), tables=none, axioms=AXIOMS)


def test_a_split_without_proteins(source):
    proteins = source.proteins.replace("validation", "test")
    with pytest.raises(InputError, match="no protein of split 'validation'"):
        fit_topk(source._replace(proteins=proteins), SizeAndSeed(48, 3, 0), CONFIG)


@pytest.mark.parametrize("architecture", UNGUIDED)
def test_every_unguided_architecture_trains_by_its_name(architecture, source, tmp_path):
    """The trainer has no case for any of them; k reaches those that have one, settings reach all."""
    setting = {"penalty": 0.01} if architecture in ("relu", "jumprelu", "gated") else {}
    plan = TrainingPlan(architecture, source, SizeAndSeed(48, 3, 0), CONFIG, setting)
    first, second = (_bytes(fit(plan), tmp_path / name) for name in ("a", "b"))
    assert first[0] == second[0]
    config = SaeCheckpoint(tmp_path / "a").config
    assert config["architecture"] == architecture
    assert config.get("k") == (3 if architecture in TOPK_FAMILY else None)
    assert config.items() >= setting.items()
    fve = first[1].query("term == 'fve'")["value"]
    assert fve.iloc[-1] > fve.iloc[0]


def test_the_last_epoch_is_kept_where_codes_grow_sparser(source):
    """Dense codes of the first epochs reconstruct better; their FVE is no reason to keep them."""
    config = CONFIG.model_copy(update={"epochs": 15, "learning_rate": 1e-2})
    settings = {"penalty": 5.0, "penalty_warmup": 0.9}
    (_, metadata), log = fit(TrainingPlan("relu", source, SizeAndSeed(48, 3, 0), config, settings))
    validation = log[log["split"] == "validation"].pivot(index="epoch", columns="term", values="value")
    assert validation["fve"].idxmax() < 14
    assert validation["l0"].iloc[-1] < validation["l0"].iloc[0]
    assert metadata["training"]["chosen_epoch"] == 14
    assert metadata["training"]["validation/l0"] == validation["l0"].iloc[-1]


def test_protsae_keeps_the_most_precise_epoch_within_the_tolerance(source, tables, monkeypatch):
    figures = {
        "fve": [0.5, 0.8, 0.795, 0.7],
        "average_precision/predictor": [0.9, 0.3, 0.4, 0.9],
        "auc/predictor": [0.5, 0.9, 0.5, 0.5],
    }
    looks = iter(dict(zip(figures, look, strict=True)) for look in zip(*figures.values(), strict=True))
    monkeypatch.setattr("protsae.training.fit.validate_guided", lambda *_: next(looks))
    config = CONFIG.model_copy(update={"epochs": 4, "fve_tolerance": 0.01})
    (_, metadata), _ = fit_protsae(source, SizeAndSeed(48, 3, 0), config, GuidanceConfig(), **tables)
    assert metadata["training"]["chosen_epoch"] == 2


def test_these_keep_the_last_epoch():
    assert {name for name, kind in ARCHITECTURES.items() if kind.settles} == {
        "relu",
        "jumprelu",
        "gated",
        "gba",
    }


def test_locating_labels_needs_sequences_and_uses_them(source, tables, toy):
    size, guidance = SizeAndSeed(48, 3, 0), GuidanceConfig(locate=True)
    with pytest.raises(InputError, match="needs sequences: activations of your own have none"):
        fit_protsae(source, size, CONFIG, guidance, **tables)
    # Proteins with the first concept hold a peptide of their own; of the second nothing tells.
    lengths, carriers = source.store.lengths(), dict(zip(toy.ids, toy.labels[:, 0] > 0, strict=True))
    ids = source.proteins["protein_id"]
    sequences = [("WHYMC" * 9 if carriers[name] else "ADEFG" * 9)[: lengths[name]] for name in ids]
    told = source._replace(proteins=source.proteins.assign(sequence=sequences))
    (sae, _), log = fit_protsae(told, size, CONFIG, guidance, **tables)
    assert "loss/site" in set(log["term"])
    first, second = sae.sites.rate.tolist()
    assert first > 0.9 and second < first
