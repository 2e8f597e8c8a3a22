"""The cards: what all measures say of each latent, in one row."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.cards.config import DenseConfig
from protsae.cards.dense import CLASSES, dense_classes
from protsae.cards.effects import N_PROMOTED, named_changes
from protsae.cards.families import agreement
from protsae.cards.shapes import SHAPES
from protsae.core.letters import AMINO_ACIDS, character_codes, code_table
from protsae.core.splits import Split
from protsae.ontology.obo import Ontology

Floats = NDArray[np.float64]
_SUMMARY = ("measure", "value", "floor", "p_value", "n")
_LIN, _WINDOWS = "lin", "windows"


@dataclass(frozen=True)
class Measured:
    """The tables that a card joins, of one dictionary."""

    latents: pd.DataFrame
    """Of interpretation."""
    latent_statistics: pd.DataFrame
    latent_activity: pd.DataFrame
    """See `describing.describe`."""
    latent_directions: pd.DataFrame
    """See `decoder.direction_table`."""
    latent_effects: pd.DataFrame
    """See `effects.measure_effects`."""
    latent_enrichment: pd.DataFrame
    enrichment_counts: pd.DataFrame
    """See `enrichment.enrichment`."""
    latent_topics: pd.DataFrame
    """`latent`, `topic`."""
    alignment: pd.DataFrame
    monosemanticity: pd.DataFrame


def make_cards(measured: Measured, background: Floats, config: DenseConfig) -> pd.DataFrame:
    """Return the cards, one row per latent (docs/cards.md says what each column means).

    Args:
        measured: what is known.
        background: share of each of the twenty amino acids among the residues that cards describe.
        config: classes of dense latents.
    """
    statistics = measured.latent_statistics.drop(columns=["kind", "concept_idx", "max_act"])
    cards = measured.latents.merge(statistics, on="latent", how="left", validate="1:1")
    for table in (measured.latent_activity, measured.latent_directions, measured.latent_effects):
        cards = cards.merge(table, on="latent", how="left", validate="1:1")
    for table in (best_of_residues(measured.alignment), best_enriched(measured.latent_enrichment)):
        cards = cards.merge(table, on="latent", how="left", validate="1:1")
    cards = cards.merge(measured.latent_topics[["latent", "topic"]], on="latent", how="left", validate="1:1")
    cards = cards.merge(monosemantic(measured.monosemanticity), on="latent", how="left", validate="1:1")
    cards["topic"] = cards["topic"].fillna(-1).astype(np.int32)
    for name in (
        "best_residue_concept_id",
        "best_residue_concept_name",
        "enriched_concept_id",
        "enriched_name",
    ):
        cards[name] = cards[name].fillna("")
    cards["dense_class"] = dense_classes(cards, config)
    cards = cards.join(_scores(cards, background)).drop(columns=["strength"])
    return cards.sort_values("latent", ignore_index=True)


def _scores(cards: pd.DataFrame, background: Floats) -> pd.DataFrame:
    """Return `promotes`, `suppresses`, `input_score` and its floor: the share of the latent's activation, and
    of all residues, on the amino acids that it promotes most."""
    rows: list[tuple[str, str, float, float]] = []
    for change, profile in zip(cards["output_change"], cards["input_profile"], strict=True):
        if not isinstance(change, np.ndarray | list):
            rows.append(("", "", np.nan, np.nan))
            continue
        best = np.argsort(-np.asarray(change), kind="stable")[:N_PROMOTED]
        promotes, suppresses = (named_changes(np.asarray(change), largest) for largest in (True, False))
        rows.append(
            (promotes, suppresses, float(np.asarray(profile)[best].sum()), float(background[best].sum()))
        )
    names = ["promotes", "suppresses", "input_score", "input_score_floor"]
    return pd.DataFrame(rows, columns=names, index=cards.index)


def amino_acid_shares(proteins: pd.DataFrame, splits: tuple[Split, ...]) -> Floats:
    """Return the share of each of the twenty amino acids among the residues of some splits [20]."""
    letters = "".join(proteins.loc[proteins["split"].isin(splits), "sequence"])
    counts = np.bincount(code_table(AMINO_ACIDS, 20)[character_codes(letters)], minlength=21)[:20]
    shares: Floats = counts / max(int(counts.sum()), 1)
    return shares


def best_of_residues(alignment: pd.DataFrame) -> pd.DataFrame:
    """Return each latent's best concept of residues, by F1 on validation, among those that alignment lists
    the latent for."""
    rows = alignment[alignment["level"] == "residue"]
    rows = rows.sort_values(["latent", "f1_validation", "concept_id"], ascending=[True, False, True])
    found = rows.drop_duplicates("latent")
    names = {
        "latent": "latent",
        "concept_id": "best_residue_concept_id",
        "name": "best_residue_concept_name",
        "threshold": "residue_threshold",
        "f1_validation": "residue_f1_validation",
        "f1_test": "residue_f1_test",
        "f1_always_on": "residue_f1_test_always_on",
        "f1_identity": "residue_f1_test_identity",
    }
    return found[list(names)].rename(columns=names).reset_index(drop=True)


def best_enriched(table: pd.DataFrame) -> pd.DataFrame:
    """Return the concept with the smallest q-value of each latent that has one, and how many it has."""
    first = table.drop_duplicates("latent")[["latent", "concept_id", "name", "fold", "q_value"]]
    first.columns = pd.Index(
        ["latent", "enriched_concept_id", "enriched_name", "enriched_fold", "enriched_q"]
    )
    counts = table.groupby("latent").size().rename("n_enriched")
    return first.merge(counts, left_on="latent", right_index=True, how="left").astype({"latent": "int64"})


def monosemantic(table: pd.DataFrame) -> pd.DataFrame:
    """Return `monosemanticity`, the mean over aspects of the scores by annotations (judge `lin`), and
    `monosemanticity_windows`, the score by sequence windows; missing where no judge could judge."""
    judged = table[table["is_judged"].astype(bool)]
    means = {
        name: judged.loc[judged["judge"] == judge].groupby("latent")["score"].mean()
        for name, judge in (("monosemanticity", _LIN), ("monosemanticity_windows", _WINDOWS))
    }
    return pd.DataFrame(means).rename_axis("latent").reset_index()


def card_summary(cards: pd.DataFrame, measured: Measured, ontology: Ontology, seed: int) -> pd.DataFrame:
    """Return what the cards say together: `measure`, `value`, `floor`, `p_value`, `n`.

    Args:
        cards: see `make_cards`.
        measured: what they were made of.
        ontology: that families are compared with.
        seed: of shuffles.
    """
    n = len(cards)
    rows: list[tuple[Any, ...]] = []
    for measure, column, values in (("shape", "shape", SHAPES), ("dense", "dense_class", CLASSES)):
        counts = cards[column].value_counts()
        rows += [(f"{measure}_{value}", counts.get(value, 0), np.nan, np.nan, n) for value in values]
    families = cards.loc[cards["family"] >= 0, "family"]
    rows.append(("families", families.nunique(), np.nan, np.nan, len(families)))
    own = cards["concept_id"].where(cards["concept_id"] != "", _reliable(cards))
    for name, concepts in (("defined", cards["concept_id"]), ("all", own)):
        found = agreement(cards["family_parent"].to_numpy(), concepts.tolist(), ontology, seed)
        rows.append((f"family_agreement_{name}", found.share, found.floor, found.p_value, found.n_links))
    counts = measured.enrichment_counts.iloc[0]
    rows.append(("enriched_pairs", counts["n_kept"], counts["n_kept_floor"], np.nan, counts["n_tests"]))
    causal = cards[cards["effect"] == "causal"]
    agree = [
        np.corrcoef(a, b)[0, 1] for a, b in zip(causal["output_change"], causal["direct_change"], strict=True)
    ]
    rows.append(("direct_causal_correlation", np.median(agree) if agree else np.nan, 0.0, np.nan, len(agree)))
    return pd.DataFrame(rows, columns=list(_SUMMARY)).astype({"value": float, "floor": float})


def _reliable(cards: pd.DataFrame) -> pd.Series:
    """Return each latent's best concept where its F1 on test exceeds that of an always-on latent."""
    above = cards["f1_test"] > cards["f1_test_always_on"]
    return cards["best_concept_id"].where(above, "")
