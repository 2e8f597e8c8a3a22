"""The concept vocabulary: which terms have enough evidence in every split to be learnt and judged."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.ontology.closure import AncestorClosure, Preset, ancestor_closure
from protsae.ontology.information import cafa_information, deepgo_information
from protsae.ontology.obo import Ontology

SPLITS = ("train", "validation", "test")
CONCEPT_COLUMNS = (
    "concept_idx",
    "concept_id",
    "name",
    "aspect",
    *(f"n_{split}" for split in SPLITS),
    *(f"n_clusters_{split}" for split in SPLITS),
    "prevalence_train",
    "information_content",
    "information_content_deepgo",
    "definition",
)
LEFT_OUT_COLUMNS = ("concept_id", "name", "aspect", "reason", *(f"n_{split}" for split in SPLITS))
_SHOWN = 5

IntArray = NDArray[np.int64]


class SplitMinimum(Config):
    """A lower bound per split."""

    train: int = Field(ge=1)
    """In the training split."""
    validation: int = Field(ge=1)
    """In the validation split."""
    test: int = Field(ge=1)
    """In the test split."""


class VocabularyConfig(Config):
    """Which terms become concepts."""

    aspects: tuple[str, ...] | None = ("BPO", "CCO", "MFO")
    """Aspects to choose from; null takes all (ontologies other than GO)."""
    include: tuple[str, ...] | None = None
    """Term ids to choose from; null takes all. The bounds below hold for them too."""
    min_positives: SplitMinimum = SplitMinimum(train=40, validation=10, test=10)
    """Fewest positive proteins."""
    min_clusters: SplitMinimum = SplitMinimum(train=3, validation=3, test=3)
    """Fewest homology clusters with a positive protein: a concept of one family tests memory, not meaning."""
    max_prevalence: float = Field(default=1 / 3, gt=0, le=1)
    """Largest share of positives among the training proteins that have an annotation in the term's aspect."""
    drop_redundant: bool = True
    """Leave out a term that has the same positive proteins as one of its descendants in the vocabulary."""
    max_concepts: int | None = Field(default=None, ge=1)
    """Most concepts in all; those with the most training positives stay, ties by id. Null sets no bound."""


@dataclass(frozen=True)
class Vocabulary:
    """Tables `concepts` and `concepts_left_out`, in the columns CONCEPT_COLUMNS and LEFT_OUT_COLUMNS."""

    concepts: pd.DataFrame
    concepts_left_out: pd.DataFrame


def choose_concepts(
    protein_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
    ontology: Ontology,
    preset: Preset,
    config: VocabularyConfig,
) -> Vocabulary:
    """Choose the concepts, and say of every other term with a positive protein why it was left out.

    A term is left out for the first reason that applies, in the order of the fields of `VocabularyConfig`.
    Proteins of the split `excluded` count nowhere. Information content is of the training split alone.

    Args:
        protein_concepts: `protein_id`, `concept_id`, `is_direct`; propagated along `preset`.
        proteins: `protein_id`, `split`, `cluster_id`.
        ontology: terms and relations.
        preset: relations that make a term redundant with another, and parents for the information content.
        config: settings.

    Returns:
        The vocabulary. Concepts are ordered by aspect, then id; what was left out by id.

    Raises:
        InputError: an included id is not a current term, or no concept remains.
    """
    closure = ancestor_closure(ontology, preset)
    _check_included(config.include, closure)
    split_of = proteins.set_index("protein_id")["split"]
    counted = protein_concepts[protein_concepts["protein_id"].map(split_of).isin(SPLITS)]
    candidates = _count(counted, proteins, ontology)
    reasons = _reasons(candidates, config)
    if config.drop_redundant:
        reasons = _with_redundant(reasons, counted, closure)
    if config.max_concepts is not None:
        reasons = _with_bound(reasons, candidates, config.max_concepts)
    if (reasons != "").all():
        raise InputError(_none_left(reasons))
    left_out = candidates.assign(reason=reasons)[reasons != ""].reset_index()
    chosen = candidates[reasons == ""].reset_index().sort_values(["aspect", "concept_id"], ignore_index=True)
    chosen.insert(0, "concept_idx", np.arange(len(chosen), dtype=np.int32))
    chosen = chosen.join(_information(counted, split_of, closure, chosen["concept_id"]))
    return Vocabulary(
        concepts=chosen[list(CONCEPT_COLUMNS)], concepts_left_out=left_out[list(LEFT_OUT_COLUMNS)]
    )


def _check_included(include: tuple[str, ...] | None, closure: AncestorClosure) -> None:
    unknown = sorted(set(include or ()).difference(closure.term_ids))
    if unknown:
        raise InputError(
            f"annotation.vocabulary.include names {len(unknown)} ids that are no current terms of the "
            f"ontology: {', '.join(unknown[:_SHOWN])}"
        )


def _count(counted: pd.DataFrame, proteins: pd.DataFrame, ontology: Ontology) -> pd.DataFrame:
    """Count positives, clusters and prevalence of every term with a positive, by sorted `concept_id`."""
    terms = ontology.terms.set_index("term_id")
    pairs = counted.merge(proteins[["protein_id", "split", "cluster_id"]], on="protein_id")
    n = pairs.groupby(["concept_id", "split"]).size().unstack(fill_value=0)
    distinct = pairs[["concept_id", "split", "cluster_id"]].drop_duplicates()
    n_clusters = distinct.groupby(["concept_id", "split"]).size().unstack(fill_value=0)
    table = terms.loc[n.index, ["name", "aspect", "definition"]].rename_axis("concept_id")
    for split in SPLITS:
        table[f"n_{split}"] = n.get(split, pd.Series(0, index=n.index)).astype("int32")
        table[f"n_clusters_{split}"] = n_clusters.get(split, pd.Series(0, index=n.index)).astype("int32")
    trained = pairs[pairs["split"] == "train"]
    n_labelled = trained.groupby(trained["concept_id"].map(terms["aspect"]))["protein_id"].nunique()
    of_aspect = table["aspect"].map(n_labelled).astype("float64")
    table["prevalence_train"] = (table["n_train"] / of_aspect).fillna(0.0)
    return table


def _reasons(candidates: pd.DataFrame, config: VocabularyConfig) -> pd.Series:
    """Return, per candidate, the first bound that it fails, or an empty text."""
    failures: dict[str, Any] = {}
    if config.aspects is not None:
        failures[f"aspect is not one of {', '.join(config.aspects)}"] = ~candidates["aspect"].isin(
            config.aspects
        )
    if config.include is not None:
        failures["not in the include list"] = ~candidates.index.isin(config.include)
    for what, column, bounds in (
        ("positives", "n", config.min_positives),
        ("clusters", "n_clusters", config.min_clusters),
    ):
        for split in SPLITS:
            least = getattr(bounds, split)
            failures[f"fewer than {least} {what} in {split}"] = candidates[f"{column}_{split}"] < least
    too_common = candidates["prevalence_train"] > config.max_prevalence
    failures[f"prevalence above {config.max_prevalence:.3g}"] = too_common
    reasons = pd.Series("", index=candidates.index, dtype="str")
    for reason, fails in failures.items():
        reasons[fails & (reasons == "")] = reason
    return reasons


def _with_redundant(reasons: pd.Series, counted: pd.DataFrame, closure: AncestorClosure) -> pd.Series:
    """Name, for each term still in, a descendant still in that has the same positive proteins."""
    left = counted[counted["concept_id"].isin(reasons.index[reasons == ""])]
    protein, _ = pd.factorize(left["protein_id"], sort=True)
    held = pd.Series(protein, index=left.index).groupby(left["concept_id"])
    same = held.agg(lambda codes: np.sort(codes.to_numpy()).tobytes())
    result = reasons.copy()
    for _, twins in same.groupby(same):
        if len(twins) == 1:
            continue
        rows = closure.index(twins.index)
        above = closure.ancestors[rows][:, rows].toarray()  # [lower, upper], reflexive
        ids = twins.index.to_list()
        for upper, concept_id in enumerate(ids):
            lower = [i for i in range(len(ids)) if above[i, upper] and i != upper]
            if lower:
                most_specific = max(lower, key=lambda i: (above[i].sum(), -i))
                result[concept_id] = f"same positives as {ids[most_specific]}"
    return result


def _with_bound(reasons: pd.Series, candidates: pd.DataFrame, max_concepts: int) -> pd.Series:
    """Leave out what is beyond the most frequent `max_concepts` terms."""
    left = candidates[reasons == ""].reset_index()
    beyond = left.sort_values(["n_train", "concept_id"], ascending=[False, True])["concept_id"][max_concepts:]
    result = reasons.copy()
    result[beyond] = f"beyond max_concepts {max_concepts}"
    return result


def _none_left(reasons: pd.Series) -> str:
    counts = reasons.value_counts(sort=False)
    removed = "; ".join(f"{reason}: {n}" for reason, n in counts.items())
    return (
        f"no concept is left of {len(reasons)} terms with annotated proteins "
        f"({removed or 'no annotations'}). Relax the bounds of annotation.vocabulary, or give more proteins"
    )


def _information(
    counted: pd.DataFrame, split_of: pd.Series, closure: AncestorClosure, concept_ids: pd.Series
) -> pd.DataFrame:
    """Return both information contents of the concepts over the annotated training proteins."""
    from scipy.sparse import coo_array

    trained = counted[counted["protein_id"].map(split_of) == "train"]
    protein, names = pd.factorize(trained["protein_id"])
    pairs = (np.ones(len(trained), dtype=bool), (protein, closure.index(trained["concept_id"])))
    direct = coo_array(pairs, shape=(len(names), len(closure.term_ids))).tocsr()
    positives = (direct @ closure.ancestors).tocsc()  # brings back the roots, which the table leaves out
    terms = closure.index(concept_ids)
    return pd.DataFrame(
        {
            "information_content": cafa_information(positives, closure.parents, terms),
            "information_content_deepgo": deepgo_information(positives, closure.parents, terms),
        }
    )
