"""A dictionary aligned with planted concepts, against loops over residues and instances."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.interpretation.toy_proteins import HOOK, OF_RESIDUES, ToyProteins
from tests.metrics.slow_association import slow_counts, slow_f1

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.interpretation import sources
from protsae.interpretation.align import AlignmentTask, align, alignment_table
from protsae.interpretation.baselines import of_neurons, of_windows
from protsae.interpretation.config import ChoiceConfig, KSparseConfig
from protsae.interpretation.identity import composition
from protsae.interpretation.pairs import ALIGNMENT_COLUMNS
from protsae.interpretation.sources import FreshCodes, LettersOnly
from protsae.interpretation.summary import metrics_of, summarise
from protsae.metrics.table import METRIC_COLUMNS

NEURONS = of_neurons("neurons", torch.zeros(4))


def aligned_by(dictionary, source, task):
    """Align a dictionary that is encoded while activations are read."""
    codes = FreshCodes(source, HOOK, dictionary, task.proteins, task.config.residues_per_batch)
    return align(codes, codes.pooled("mean") if task.proteins_too else {}, task)


def dense(toy, split):
    """Both signs of the activations of every protein of a split."""
    blocks = {p: toy.store.proteins[p] for p in toy.of(split)}
    return {p: np.maximum(np.concatenate([x, -x], axis=1), 0) for p, x in blocks.items()}


@pytest.fixture(scope="module")
def aligned(toy, task):
    return aligned_by(NEURONS, toy.store, task)


@pytest.fixture(scope="module")
def table(aligned):
    return alignment_table("neurons", "selection", aligned)


def slow_choice(toy, thresholds, position, selection):
    """Choose thresholds by F1 on validation, latents by F1 on the selection, report on test: (latent,
    threshold, F1 on validation, F1 on test) per concept and rank."""
    found = {}
    largest = np.max([x.max(axis=0) for x in dense(toy, "validation").values()], axis=0)
    counted = {}
    for split in ("train", "validation", "test"):
        spans, known = toy.counted(split)
        counted[split] = slow_counts(dense(toy, split), spans, known, largest, thresholds, 3)
    both = zip(counted["train"], counted["validation"], strict=True)
    counted["train_and_validation"] = tuple(one + other for one, other in both)
    for concept in range(3):
        f1 = {
            split: np.array(
                [
                    [
                        slow_f1(
                            *(part[concept, j, t] for part in counts[:3]), *(n[concept] for n in counts[3:])
                        )[position]
                        for t in range(len(thresholds))
                    ]
                    for j in range(8)
                ]
            )
            for split, counts in counted.items()
        }
        at = f1["validation"].argmax(axis=1)
        best = f1[selection][np.arange(8), at]
        for rank, j in enumerate(np.argsort(-best, kind="stable")[:3], start=1):
            t = int(at[j])
            found[concept, rank] = j, thresholds[t], f1["validation"][j, t], f1["test"][j, t]
    return found


@pytest.mark.parametrize("selection", ["train", "validation", "train_and_validation"])
@pytest.mark.parametrize(("level", "position"), [("residue", 0), ("domain", 1)])
def test_pairs_equal_a_loop_that_chooses_by_the_selection(toy, task, selection, level, position):
    config = task.config.model_copy(update={"selection": selection})
    table = alignment_table(
        "neurons", "selection", aligned_by(NEURONS, toy.store, replace(task, config=config))
    )
    rows = table[table["level"] == level].set_index(["concept_id", "rank"])
    expected = slow_choice(toy, task.config.thresholds, position, selection)
    names = task.proteins.concepts["concept_id"].iloc[OF_RESIDUES].tolist()
    assert len(rows) == len(expected) == 9
    for (concept, rank), (latent, threshold, on_validation, on_test) in expected.items():
        row = rows.loc[names[concept], rank]
        assert (row["latent"], row["threshold"]) == (latent, threshold)
        assert row["f1_validation"] == pytest.approx(on_validation, abs=1e-12)
        assert row["f1_test"] == pytest.approx(on_test, abs=1e-12)


def test_the_planted_site_is_found_and_beats_residue_identity(table):
    best = table[table["rank"] == 1].set_index(["level", "concept_id"])
    for level in ("residue", "domain"):
        site = best.loc[level, "site"]
        assert site["latent"] == 0
        assert site["f1_test"] > 0.9
        assert site["f1_identity"] < 0.6
        assert 0 < site["difference_low"] <= site["difference"] <= site["difference_high"]
        assert site["is_found"]
        assert site["q_value"] <= 3 * site["p_value"]
        assert not best.loc[level, "loop"]["is_found"]
    assert best.loc["protein", "GO:1"]["latent"] == 0
    assert not best.loc["protein", "GO:2"]["is_found"]
    empty = best.loc["domain", "nothing"]
    assert (empty["n_true"], empty["f1_test"], empty["f1_always_on"], empty["is_found"]) == (0, 0, 0, False)
    assert list(table.columns) == list(ALIGNMENT_COLUMNS)


def test_k_sparse_probes_find_the_planted_latent(toy, aligned):
    probes = aligned.k_sparse.set_index(["level", "concept_id", "k"])
    assert probes.loc["residue", "site", 1]["latents"] in ("0", "4")
    assert probes.loc["residue", "site", 2]["auc_test"] > 0.97
    assert probes.loc["protein", "GO:1", 1]["auc_test"] > 0.9
    assert np.isnan(probes.loc["residue", "nothing", 1]["auc_test"])
    assert probes.loc["residue", "site", 1]["n_test"] == sum(len(toy.sequences[p]) for p in toy.of("test"))


def test_resamples_of_k_sparse_probes_weigh_residues_by_their_protein(toy, task, aligned):
    chosen = aligned.k_sparse.set_index(["level", "concept_id", "k"]).loc["residue", "loop", 1]
    latent, proteins = int(chosen["latents"]), toy.of("test")
    spans, known = toy.counted("test")
    ids = [p for p in proteins if (p, 1) in known]  # loops are not labelled everywhere
    codes, truth = [], []
    for p in ids:
        codes.append(dense(toy, "test")[p][:, latent])
        inside = np.zeros(len(codes[-1]), bool)
        for _, _, _, first, last in [s for s in spans if s[:2] == (p, 1)]:
            inside[first:last] = True
        truth.append(inside)
    column = task.proteins.concepts["concept_id"].iloc[OF_RESIDUES].tolist().index("loop")
    found = aligned.k_sparse_samples["residue", 1][:, column]
    sign = 1 if roc_auc_score(np.concatenate(truth), np.concatenate(codes)) == chosen["auc_test"] else -1
    for weights, auc in zip(task.weights[:5], found[:5], strict=True):
        of_residue = np.repeat(weights[[proteins.index(p) for p in ids]], [len(c) for c in codes])
        expected = roc_auc_score(
            np.concatenate(truth), sign * np.concatenate(codes), sample_weight=of_residue
        )
        assert auc == pytest.approx(expected)


def test_rows_of_metrics_are_means_over_concepts(aligned, table, task):
    about = {"method": "neurons", "hook_point": HOOK}
    metrics = metrics_of(aligned, task.config, about, "selection")
    assert tuple(metrics.columns) == METRIC_COLUMNS
    assert set(metrics["split"]) == {"test"}
    values = metrics.set_index(["metric", "aspect", "stratum", "preset"])
    best = table[table["rank"] == 1]
    domain = best[best["level"] == "domain"]
    row = values.loc["domain_f1", "all", "residues", ""]
    assert row["value"] == pytest.approx(domain["f1_test"].mean())
    assert row["n"] == 3
    assert row["low"] <= row["value"] <= row["high"]
    row = values.loc["concept_coverage", "all", "residues", "domain"]
    assert row["value"] == pytest.approx(1 / 3)
    top = values.loc["relevance_f1_top", "all", "proteins", ""]["value"]
    assert top == pytest.approx(table.loc[table["level"] == "protein", "f1_test"].mean())
    row = values.loc["k_sparse_auc", "all", "residues", "k=1"]
    probes = aligned.k_sparse[(aligned.k_sparse["level"] == "residue") & (aligned.k_sparse["k"] == 1)]
    assert row["n"] == 2
    assert row["value"] == pytest.approx(probes["auc_test"].mean())
    resampled = np.nanmean(aligned.k_sparse_samples["residue", 1], axis=1)
    assert row[["low", "high"]].tolist() == pytest.approx(np.quantile(resampled, [0.025, 0.975]).tolist())

    summary = summarise(table, metrics, task.config.confidence).set_index(["method", "level", "aspect"])
    line = summary.loc["neurons", "domain", "all"]
    assert line[["n_concepts", "n_found", "n_found_bh"]].tolist() == [3, 1, 1]
    assert line["f1_test"] == pytest.approx(domain["f1_test"].mean())


def test_a_concept_that_another_one_represents_does_not_count(toy, task, table):
    """At a bound of .1 GO:2, a coin, is represented by GO:1: one concept of proteins is left."""
    config = task.config.model_copy(update={"max_jaccard": 0.1})
    merged = aligned_by(NEURONS, toy.store, replace(task, config=config))
    pairs = alignment_table("neurons", "selection", merged)
    represented = pairs.set_index("concept_id")["represented_by"].to_dict()
    assert represented == {
        "GO:1": "GO:1",
        "GO:2": "GO:1",
        "site": "site",
        "loop": "loop",
        "nothing": "nothing",
    }
    assert list(table["represented_by"]) == list(table["concept_id"])
    best = pairs[(pairs["rank"] == 1) & (pairs["level"] == "protein")].set_index("concept_id")
    assert best.loc["GO:1", "q_value"] == best.loc["GO:1", "p_value"]  # one test
    assert np.isnan(best.loc["GO:2", "q_value"])
    metrics = metrics_of(merged, config, {"method": "neurons"}, "selection")
    values = metrics[metrics["aspect"] == "all"].set_index(["metric", "stratum", "preset"])
    assert values.loc[("relevance_f1", "proteins", ""), "value"] == best.loc["GO:1", "f1_test"]
    assert values.loc[("n_effective_concepts", "proteins", ""), ["value", "n"]].tolist() == [1, 1]
    probes = merged.k_sparse.set_index(["concept_id", "k"])["auc_test"]
    assert values.loc[("k_sparse_auc", "proteins", "k=1"), "value"] == probes["GO:1", 1]
    summary = summarise(pairs, metrics, 0.95).set_index(["level", "aspect"])
    counts = ["n_concepts", "n_effective", "n_found"]
    assert summary.loc[("protein", "all"), counts].tolist() == [1, 1, int(best.loc["GO:1", "is_found"])]
    assert summary.loc[("residue", "all"), "n_concepts"] == 3
    assert np.isnan(summary.loc[("residue", "all"), "n_effective"])


def test_windows_see_the_neighbours_of_a_residue(toy, task):
    """One position and letter finds half of a site, two positions find all of it."""
    windows = of_windows(1)
    aligned = aligned_by(windows, LettersOnly(task.proteins), replace(task, proteins_too=False))
    assert set(aligned.pairs) == {"residue", "domain"}
    probes = aligned.k_sparse.set_index(["concept_id", "k"])["auc_test"]
    assert probes["site", 1] < 0.97 < probes["site", 2]


def test_what_is_kept_in_memory_changes_nothing(toy, task, table, monkeypatch):
    monkeypatch.setattr(sources, "_MAX_KEPT", 0)
    again = alignment_table("neurons", "selection", aligned_by(NEURONS, toy.store, task))
    pd.testing.assert_frame_equal(again, table)


def top(x):
    tenth = math.ceil(len(x) / 10)
    return np.array([sum(sorted(column)[-tenth:]) / tenth for column in x.T.tolist()])


POOL = {"mean": lambda x: x.mean(axis=0), "top": top, "max": lambda x: x.max(axis=0)}


@pytest.mark.parametrize("pooling", POOL)
def test_pooled_latents_equal_a_loop_over_proteins(toy, task, pooling):
    pooled = FreshCodes(toy.store, HOOK, NEURONS, task.proteins, 64).pooled(pooling)["test"]
    expected = [POOL[pooling](x) for x in dense(toy, "test").values()]
    np.testing.assert_allclose(pooled, expected, atol=1e-6)


@pytest.mark.parametrize("pooling", POOL)
def test_pooled_amino_acids_equal_a_loop_over_proteins(task, pooling):
    found = composition(task.proteins, "test", pooling)
    for row, name in zip(found, task.proteins.ids["test"], strict=True):
        letters = task.proteins.letters[name].tobytes().decode()
        is_letter = np.array([[letter == other for other in AMINO_ACIDS] for letter in letters])
        expected = [*POOL[pooling](is_letter.astype(float)), *POOL[pooling]((~is_letter).astype(float))]
        np.testing.assert_allclose(row, expected)


def test_activations_of_another_length_are_refused():
    toy = ToyProteins()
    store = toy.store
    store.proteins["P01"] = store.proteins["P01"][:-1]
    task = AlignmentTask.of(toy.proteins, toy.tables, store.protein_ids, ChoiceConfig(), KSparseConfig())
    with pytest.raises(InputError, match="P01 has"):
        aligned_by(NEURONS, store, task)


def test_concepts_of_one_level_only_and_none_at_all(toy):
    for levels in (["protein"], ["residue"], []):
        concepts = toy.tables.concepts.sort_values("concept_idx")
        kept = concepts[concepts["level"].isin(levels)]
        place = {old: new for new, old in enumerate(kept["concept_idx"])}
        tables = type(toy.tables)(
            kept.assign(concept_idx=range(len(kept))),
            _renumbered(toy.tables.protein_labels, place),
            toy.tables.labelled_aspects,
            _renumbered(toy.tables.residue_labels, place),
        )
        task = AlignmentTask.of(
            toy.proteins, tables, toy.store.protein_ids, ChoiceConfig(n_resamples=5), KSparseConfig()
        )
        aligned = aligned_by(NEURONS, toy.store, task)
        table = alignment_table("neurons", "selection", aligned)
        expected = {"protein": {"protein"}, "residue": {"residue", "domain"}}
        assert set(table["level"]) == set().union(*(expected[level] for level in levels))
        metrics = metrics_of(aligned, task.config, {"method": "neurons"}, "selection")
        assert bool(len(metrics)) == bool(levels)
        assert len(summarise(table, metrics, 0.95)) == {"protein": 2, "residue": 6}.get("".join(levels), 0)


def _renumbered(table, place):
    kept = table[table["concept_idx"].isin(list(place))]
    return kept.assign(concept_idx=kept["concept_idx"].map(place).astype("int64"))
