"""The tables of latents, of their concepts and of their examples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.encoding.codes import CodeStore
from protsae.interpretation.amino_acids import AminoAcidCounts, PeakWindow, peak_windows, top_residues
from protsae.interpretation.config import ExampleConfig, MatchingConfig
from protsae.interpretation.dictionary import EncodedDictionary, pooled_latents
from protsae.interpretation.matching import Matches, best_concepts, match_latents, rank_concepts
from protsae.probing.labelled import LabelledProteins
from protsae.probing.splits import SplitLabels
from protsae.probing.vocabulary import CountedOnce

EXAMPLE_COLUMNS = [
    "method",
    "latent",
    "rank",
    "protein_id",
    "split",
    "description",
    "pooled_act",
    "max_act",
    "peak_index",
    "window_start",
    "window_sequence",
    "window_acts",
    "has_concept",
]


def interpret(
    codes: CodeStore,
    encoding: pd.DataFrame,
    statistics: pd.DataFrame,
    *,
    proteins: LabelledProteins,
    descriptions: Mapping[str, str],
    matching: MatchingConfig,
    examples: ExampleConfig,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Say what every latent of a dictionary stands for.

    Args:
        codes: its codes of residues.
        encoding: `protein_id`, `<pooling>_latents`.
        statistics: the table of latent statistics, sorted by latent.
        proteins: proteins with their labels.
        descriptions: protein id to description.
        matching: how concepts are matched.
        examples: how examples are drawn.

    Returns:
        The tables `latents`, `latent_concepts` and `latent_examples`, in the columns of docs/architecture.md.
    """
    codes.dictionary.require_concepts(proteins.concepts)
    subject = EncodedDictionary.of(codes.run, statistics, encoding, proteins.ids, matching.pooling)
    matches = match_latents(subject.pooled, proteins.protein_labels, matching)
    matched = proteins.concepts.iloc[proteins.of_proteins].reset_index(drop=True)
    once = CountedOnce.of(matched, proteins.protein_labels, matching.max_jaccard)
    best = best_concepts(matches)
    best = np.where(best < 0, -1, proteins.of_proteins[best] if len(matched) else -1)
    chosen = latents_to_show(subject, matches, examples.n_free)
    maxima = subject.pooled
    if matching.pooling != "max":
        maxima = pooled_latents(encoding, {s: proteins.ids[s] for s in examples.splits}, "max")
    top = top_proteins(chosen, subject.pooled, maxima, proteins.labels, examples)
    letters = proteins.sequences([p for split in examples.splits for p in proteins.ids[split]])
    enrichment = AminoAcidCounts.of(codes, letters).enrichment()
    residues = top_residues(enrichment, examples.n_residues)
    windows = _windows(codes, top, letters, examples.flank)
    return (
        latent_table(subject, statistics, proteins.concepts, once, matches, residues),
        concept_table(subject, matched, matches, matching.n_concepts),
        example_table(subject, top, windows, best=best, descriptions=descriptions, splits=proteins.labels),
    )


def latents_to_show(subject: EncodedDictionary, matches: Matches, n_free: int) -> NDArray[np.int64]:
    """Return all defined latents and the free ones with the largest margin on validation, in order of index.

    Only free latents that stand above the always-on floor of some concept are eligible.
    """
    quality = matches.margin.max(axis=1, initial=-np.inf)
    defined = subject.kind == "defined"
    eligible = np.flatnonzero(~defined & (quality > 0))
    free = eligible[np.argsort(-quality[eligible], kind="stable")[:n_free]]
    return np.sort(np.concatenate([np.flatnonzero(defined), free]))


def top_proteins(
    latents: NDArray[np.int64],
    pooled: Mapping[str, NDArray[Any]],
    maxima: Mapping[str, NDArray[Any]],
    splits: Mapping[str, SplitLabels],
    config: ExampleConfig,
) -> list[dict[str, Any]]:
    """Return `latent`, `rank` (from 1), `protein_id`, `split`, `pooled_act`, `max_act` of the proteins with
    the highest pooled activations: the ones that the latent, as it is judged, says most of.

    Proteins on which the latent never fires are no examples. Ties go to the first split and id.
    """
    values = np.concatenate([pooled[split] for split in config.splits])
    peaks = np.concatenate([maxima[split] for split in config.splits])
    names = [(split, protein_id) for split in config.splits for protein_id in splits[split].protein_ids]
    rows = []
    for latent in latents.tolist():
        order = np.argsort(-values[:, latent], kind="stable")[: config.n_proteins]
        for rank, position in enumerate(order[values[order, latent] > 0].tolist(), start=1):
            split, protein_id = names[position]
            rows.append(
                {
                    "latent": latent,
                    "rank": rank,
                    "protein_id": protein_id,
                    "split": split,
                    "pooled_act": float(values[position, latent]),
                    "max_act": float(peaks[position, latent]),
                }
            )
    return rows


def _windows(
    codes: CodeStore, top: list[dict[str, Any]], sequences: Mapping[str, str], flank: int
) -> dict[tuple[int, str], PeakWindow]:
    """Return (latent, protein id) to window, reading each protein once."""
    wanted: dict[str, list[int]] = {}
    for row in top:
        wanted.setdefault(row["protein_id"], []).append(row["latent"])
    return {
        (latent, name): window
        for name, latents in wanted.items()
        for latent, window in zip(
            latents, peak_windows(codes, name, sequences[name], latents, flank), strict=True
        )
    }


def latent_table(
    subject: EncodedDictionary,
    statistics: pd.DataFrame,
    concepts: pd.DataFrame,
    once: CountedOnce,
    matches: Matches,
    residues: list[str],
) -> pd.DataFrame:
    """Return one row per latent. One that agrees with no concept on any validation protein has no best
    one.

    Args:
        subject: the dictionary.
        statistics: the table of latent statistics.
        concepts: all concepts, in the order of the defined latents.
        once: those of whole proteins, in the order of `matches`, and which of them count.
        matches: latents against concepts.
        residues: the most enriched residues of each latent.
    """
    best, matched = best_concepts(matches), once.concepts
    f1_validation = _at(matches.validation.f1, best)
    fits = f1_validation > 0
    return pd.DataFrame(
        {
            "method": subject.run.method,
            "latent": statistics["latent"].to_numpy(),
            "kind": subject.kind,
            "concept_id": subject.of_concepts(concepts["concept_id"].to_numpy(object)),
            "name": subject.of_concepts(concepts["name"].to_numpy(object)),
            "density": statistics["density_test"].to_numpy(),
            "max_act": statistics["max_act"].to_numpy(),
            "best_concept_id": np.where(fits, _at(matched["concept_id"].to_numpy(dtype=object), best), ""),
            "best_concept_name": np.where(fits, _at(matched["name"].to_numpy(dtype=object), best), ""),
            "best_represented_by": np.where(fits, _at(once.represented_by, best), ""),
            "best_threshold": np.where(fits, _at(matches.threshold, best), np.nan),
            "f1_validation": np.where(fits, f1_validation, np.nan),
            "f1_test": np.where(fits, _at(matches.test.f1, best), np.nan),
            "f1_test_always_on": np.where(fits, _at(matches.always_on, best), np.nan),
            "top_residues": residues,
            "f1_validation_always_on": np.where(fits, _at(matches.always_on_validation, best), np.nan),
        }
    )


def _at(values: NDArray[Any], best: NDArray[np.int64]) -> NDArray[Any]:
    """Return each latent's value for its best concept [n_latents]; NaN where there are no concepts.

    Args:
        values: [n_latents, n_concepts], or [n_concepts] for what all latents share.
        best: column of each latent's best concept; -1: there is none.
    """
    if not values.shape[-1]:
        return np.full(len(best), np.nan)
    return values[best] if values.ndim == 1 else values[np.arange(len(best)), best]


def concept_table(
    subject: EncodedDictionary, concepts: pd.DataFrame, matches: Matches, n_concepts: int
) -> pd.DataFrame:
    """Return the best concepts of every latent that fires, and of a defined latent its own concept at its
    rank."""
    order = rank_concepts(matches)
    position = np.argsort(order, axis=1)  # rank of each concept, from 0
    keep = position < n_concepts
    # Column of a defined latent's own concept; -1 for free latents and for concepts of residues.
    own = pd.Index(concepts["concept_idx"]).get_indexer(pd.Index(subject.concept_idx))
    defined = np.flatnonzero(own >= 0)
    keep[defined, own[defined]] = True
    keep &= matches.validation.f1.max(axis=1, keepdims=True, initial=0) > 0
    latent, concept = np.nonzero(keep)
    table = pd.DataFrame(
        {
            "method": subject.run.method,
            "latent": latent.astype(np.int32),
            "rank": (position[latent, concept] + 1).astype(np.int32),
            "concept_id": concepts["concept_id"].to_numpy(dtype=object)[concept],
            "name": concepts["name"].to_numpy(dtype=object)[concept],
            "threshold": matches.threshold[latent, concept],
            "f1_validation": matches.validation.f1[latent, concept],
            "f1_test": matches.test.f1[latent, concept],
            "precision_test": matches.test.precision[latent, concept],
            "recall_test": matches.test.recall[latent, concept],
        }
    )
    return table.sort_values(["latent", "rank"], ignore_index=True)


def example_table(
    subject: EncodedDictionary,
    top: list[dict[str, Any]],
    windows: Mapping[tuple[int, str], PeakWindow],
    *,
    best: NDArray[np.int64],
    descriptions: Mapping[str, str],
    splits: Mapping[str, SplitLabels],
) -> pd.DataFrame:
    """Return the top proteins of the chosen latents with the window around the peak.

    `has_concept` is about a defined latent's own concept and a free latent's best one; missing where the
    protein is not labelled for it.
    """
    target = np.where(subject.concept_idx >= 0, subject.concept_idx, best)
    place = {p: i for labels in splits.values() for i, p in enumerate(labels.protein_ids)}
    rows = []
    for row in top:
        window = windows[row["latent"], row["protein_id"]]
        labels, i, concept = splits[row["split"]], place[row["protein_id"]], target[row["latent"]]
        rows.append(
            {
                **row,
                "method": subject.run.method,
                "description": descriptions[row["protein_id"]],
                "peak_index": window.peak_index,
                "window_start": window.start,
                "window_sequence": window.sequence,
                "window_acts": window.acts,
                "has_concept": bool(labels.labels[i, concept]) if labels.labelled[i, concept] else None,
            }
        )
    table = pd.DataFrame(rows, columns=EXAMPLE_COLUMNS)
    kinds = {"latent": "int32", "rank": "int32", "peak_index": "int32", "window_start": "int32"}
    return table.astype({**kinds, "has_concept": "boolean"})


def summarise(latents: pd.DataFrame) -> pd.DataFrame:
    """Count, per dictionary and kind of latent, how many stand for a concept better than a latent that is
    always on.

    Concepts that another one represents count as that one. Concept and threshold were chosen on validation;
    `n_above_always_on` compares F1 on test with its floor, so it is free of selection on test, but with many
    latents some pass by chance.
    """
    found = latents["f1_test"] > latents["f1_test_always_on"]
    counted = latents.assign(
        matched=latents["f1_validation"].notna(),
        above=found,
        above_concept=latents["best_represented_by"].where(found),
    )
    groups = counted.groupby(["method", "kind"], sort=True)
    return groups.agg(
        n_latents=("latent", "size"),
        n_matched=("matched", "sum"),
        n_above_always_on=("above", "sum"),
        n_concepts_above_always_on=("above_concept", "nunique"),
        median_f1_validation=("f1_validation", "median"),
        median_f1_test=("f1_test", "median"),
        median_f1_test_always_on=("f1_test_always_on", "median"),
    ).reset_index()
