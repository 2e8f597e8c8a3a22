"""The concept vocabulary: which terms have enough evidence in every split to be learnt and judged."""

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from protsae.annotations.sources import ConceptTables
from protsae.annotations.spans import residue_counts
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.core.splits import SPLITS
from protsae.ontology.closure import AncestorClosure, Preset, ancestor_closure
from protsae.ontology.information import cafa_information, deepgo_information
from protsae.ontology.obo import Ontology

CONCEPT_COLUMNS = (
    "concept_idx",
    "concept_id",
    "name",
    "aspect",
    "level",
    *(f"n_{split}" for split in SPLITS),
    *(f"n_clusters_{split}" for split in SPLITS),
    "prevalence_train",
    "information_content",
    "information_content_deepgo",
    "definition",
)
LEFT_OUT_COLUMNS = ("concept_id", "name", "aspect", "level", "reason", *(f"n_{split}" for split in SPLITS))
PLAIN_ONLY = "dictionaries: {protsae: null} and comparison: {subject: topk, rival: null} in parameters.yml"
_LOGGER = logging.getLogger(__name__)
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

    aspects: tuple[str, ...] | None = None
    """Aspects to choose from, such as `MFO` or `motif`; null takes all."""
    include: tuple[str, ...] | None = None
    """Term ids to choose from; null takes all. The bounds below hold for them too."""
    min_positives: SplitMinimum = SplitMinimum(train=40, validation=10, test=10)
    """Fewest positive proteins."""
    min_clusters: SplitMinimum = SplitMinimum(train=3, validation=3, test=3)
    """Fewest homology clusters with a positive protein: a concept of one family tests memory, not meaning."""
    max_prevalence: float = Field(default=1 / 3, gt=0, le=1)
    """Largest share of positives among the training proteins that are labelled in the term's aspect; for a
    residue-level concept among their residues."""
    min_information_content: float = Field(default=0.0, ge=0)
    """Least information content among the annotated training proteins, in bits, as CAFA counts it: a term
    that nearly all proteins with its parents have says little more than these."""
    drop_redundant: bool = True
    """Leave out a term that has the same positive proteins as one of its descendants in the vocabulary."""
    max_concepts: int | None = Field(default=None, ge=1)
    """Most concepts in all; those with the most training positives stay, ties by id. Null sets no bound."""


def choose_concepts(
    annotations: ConceptTables,
    residue_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
    preset: Preset,
    config: VocabularyConfig,
    needed: bool = True,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Choose the concepts, and say of every other term with a positive protein why it was left out.

    A term is left out for the first reason that applies, in the order of the fields of `VocabularyConfig`.
    Proteins of the split `excluded` count nowhere. Information content is of the training split alone.

    Args:
        annotations: terms, relations, propagated annotations and who is labelled where.
        residue_concepts: `annotations.spans.SPAN_COLUMNS`.
        proteins: `protein_id`, `split`, `cluster_id`, `length`.
        preset: relations that make a term redundant with another, and parents for the information content.
        config: settings.
        needed: whether a dictionary has to know concepts; if not, none may be left, with a warning.

    Returns:
        concepts: CONCEPT_COLUMNS, by aspect, then id: the order of `concept_idx`.
        left_out: LEFT_OUT_COLUMNS, by id.

    Raises:
        InputError: an included id is not a current term, or no concept remains where one is needed.
    """
    closure = ancestor_closure(Ontology(annotations.terms, annotations.relations), preset)
    _check_included(config.include, closure)
    held = _Positives.of(annotations.protein_concepts, proteins[proteins["split"].isin(SPLITS)])
    candidates = _count(held, annotations.terms)
    candidates["prevalence_train"] = _prevalence(candidates, annotations, residue_concepts, proteins)
    reasons = _reasons(candidates, config)
    if config.min_information_content > 0:
        reasons = _with_information(reasons, held, closure, config.min_information_content)
    if config.drop_redundant:
        reasons = _with_redundant(reasons, held, closure)
    if config.max_concepts is not None:
        reasons = _with_bound(reasons, candidates, config.max_concepts)
    if (reasons != "").all():
        message = f"{_none_left(reasons)}. {_way_out(candidates, config)}"
        if needed:
            raise InputError(f"{message}. Or train plain dictionaries alone, without concepts: {PLAIN_ONLY}")
        _LOGGER.warning("%s. The run goes on without concepts, which its dictionaries do not need", message)
    left_out = candidates.assign(reason=reasons)[reasons != ""].reset_index()
    chosen = candidates[reasons == ""].reset_index().sort_values(["aspect", "concept_id"], ignore_index=True)
    chosen.insert(0, "concept_idx", np.arange(len(chosen), dtype=np.int32))
    chosen = chosen.join(_information(held, closure, chosen["concept_id"]))
    return chosen[list(CONCEPT_COLUMNS)], left_out[list(LEFT_OUT_COLUMNS)]


def _check_included(include: tuple[str, ...] | None, closure: AncestorClosure) -> None:
    unknown = sorted(set(include or ()).difference(closure.term_ids))
    if unknown:
        raise InputError(
            f"labelling.vocabulary.include names {len(unknown)} ids that are no current terms of the "
            f"ontology: {', '.join(unknown[:_SHOWN])}"
        )


@dataclass(frozen=True)
class _Positives:
    """Which of the proteins that count have which concepts."""

    matrix: Any
    """`scipy.sparse.csc_array` of int32 ones [n_proteins, n_concepts], its indices sorted."""
    split: NDArray[Any]
    """[n_proteins]."""
    cluster: IntArray
    """Number of each protein's homology cluster [n_proteins]."""
    concept_ids: pd.Index
    """Sorted; every one has a positive protein."""

    @classmethod
    def of(cls, pairs: pd.DataFrame, proteins: pd.DataFrame) -> "_Positives":
        from scipy.sparse import coo_array

        row = pd.Index(proteins["protein_id"]).get_indexer(pd.Index(pairs["protein_id"]))
        column, concept_ids = pd.factorize(pairs["concept_id"][row >= 0], sort=True)
        shape = (len(proteins), len(concept_ids))
        ones = np.ones(len(column), dtype=np.int32)
        matrix = coo_array((ones, (row[row >= 0], column)), shape=shape).tocsc()
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return cls(
            matrix,
            proteins["split"].to_numpy(dtype=object),
            pd.factorize(proteins["cluster_id"])[0],
            pd.Index(concept_ids, dtype="str"),
        )

    def counts(self, split: str) -> tuple[IntArray, IntArray]:
        """Return how many proteins, and how many clusters, of a split have each concept [n_concepts]."""
        from scipy.sparse import csr_array

        own = self.matrix[self.split == split]
        number, clusters = pd.factorize(self.cluster[self.split == split])
        ones = np.ones(len(number), dtype=np.int32)
        members = csr_array((ones, (number, np.arange(len(number)))), shape=(len(clusters), len(number)))
        return np.asarray(own.sum(axis=0)), np.diff((members @ own).tocsc().indptr)


def _count(held: _Positives, terms: pd.DataFrame) -> pd.DataFrame:
    """Count positives and clusters per split of every term with a positive, by sorted `concept_id`."""
    texts = terms.set_index("term_id")[["name", "aspect", "level", "definition"]]
    table = texts.loc[held.concept_ids].rename_axis("concept_id")
    for split in SPLITS:
        n, n_clusters = held.counts(split)
        table[f"n_{split}"] = n.astype("int32")
        table[f"n_clusters_{split}"] = n_clusters.astype("int32")
    return table


def _prevalence(
    candidates: pd.DataFrame,
    annotations: ConceptTables,
    residue_concepts: pd.DataFrame,
    proteins: pd.DataFrame,
) -> pd.Series:
    """Return the share of positives among labelled training proteins, or among their residues."""
    trained = proteins[proteins["split"] == "train"].set_index("protein_id")["length"]
    labelled = annotations.labelled
    length = labelled["protein_id"].map(trained)
    n_labelled = length.groupby(labelled["aspect"]).count()
    n_residues_labelled = length.groupby(labelled["aspect"]).sum()
    positive = residue_counts(residue_concepts[residue_concepts["protein_id"].isin(trained.index)])
    n_residues = positive.groupby("concept_id")["n_residues"].sum().reindex(candidates.index, fill_value=0)
    of_proteins = candidates["n_train"] / candidates["aspect"].map(n_labelled).astype("float64")
    of_residues = n_residues / candidates["aspect"].map(n_residues_labelled).astype("float64")
    share = of_proteins.where(candidates["level"] == "protein", of_residues)
    return share.astype("float64").fillna(0.0)


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


def _with_information(
    reasons: pd.Series, held: _Positives, closure: AncestorClosure, least: float
) -> pd.Series:
    """Leave out, of the terms still in, those of less information content."""
    left = pd.Series(reasons.index[reasons == ""])
    content = _information(held, closure, left)["information_content"]
    result = reasons.copy()
    result[left[content < least]] = f"information content below {least:g}"
    return result


def _with_redundant(reasons: pd.Series, held: _Positives, closure: AncestorClosure) -> pd.Series:
    """Name, for each term still in, a descendant still in that has the same positive proteins."""
    columns = np.flatnonzero(reasons == "")
    begin, end = held.matrix.indptr[columns], held.matrix.indptr[columns + 1]
    same = pd.Series(
        [held.matrix.indices[b:e].tobytes() for b, e in zip(begin, end, strict=True)],
        index=reasons.index[columns],
        dtype=object,
    )
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
        f"no concept is left of {len(reasons)} terms with annotated proteins ({removed or 'no annotations'})"
    )


def _way_out(candidates: pd.DataFrame, config: VocabularyConfig) -> str:
    """Return the bounds that would keep the term that comes nearest to them, for all splits at once."""
    wanted = candidates
    if config.aspects is not None:
        wanted = wanted[wanted["aspect"].isin(config.aspects)]
    if config.include is not None:
        wanted = wanted[wanted.index.isin(config.include)]
    columns = {
        f"{kind}_{split}": getattr(bounds, split) for kind, bounds in _bounds(config) for split in SPLITS
    }
    share = (wanted[list(columns)] / pd.Series(columns)).clip(upper=1).min(axis=1)
    if wanted.empty or not share.max() > 0:
        return (
            "No term that is asked for has a positive protein in every split. Give more proteins, more "
            "annotations, or other sources of concepts"
        )
    nearest = wanted.assign(share=share).sort_values(["share", "n_train"], ascending=False).iloc[0]
    settings, found = [], []
    for (kind, bounds), name in zip(_bounds(config), ("min_positives", "min_clusters"), strict=True):
        has = {split: int(nearest[f"{kind}_{split}"]) for split in SPLITS}
        passing = {split: min(has[split], getattr(bounds, split)) for split in SPLITS}
        found.append(f"{name} {_named(has)} (asked: {_named(bounds.model_dump())})")
        if passing != bounds.model_dump():
            settings.append(f"labelling.vocabulary.{name}={{{_named(passing)}}}")
    if nearest["prevalence_train"] > config.max_prevalence:
        found.append(f"prevalence {nearest['prevalence_train']:.3f} (at most {config.max_prevalence:.3g})")
        above = math.ceil(1000 * nearest["prevalence_train"]) / 1000
        settings.append(f"labelling.vocabulary.max_prevalence={min(above, 1.0):g}")
    return (
        f"Nearest is {nearest.name} with {', '.join(found)}. It passes with --params "
        f'"{",".join(settings) or "labelling.vocabulary.min_information_content=0"}"; or give more proteins'
    )


def _bounds(config: VocabularyConfig) -> tuple[tuple[str, SplitMinimum], ...]:
    return ("n", config.min_positives), ("n_clusters", config.min_clusters)


def _named(values: Mapping[str, int]) -> str:
    return ", ".join(f"{split}: {n}" for split, n in values.items())


def _information(held: _Positives, closure: AncestorClosure, concept_ids: pd.Series) -> pd.DataFrame:
    """Return both information contents of the concepts over the annotated training proteins."""
    from scipy.sparse import csr_array

    trained = held.matrix[held.split == "train"].tocsr()
    trained = trained[np.diff(trained.indptr) > 0].astype(bool)
    place = closure.index(held.concept_ids)
    moved = csr_array(
        (trained.data, place[trained.indices], trained.indptr),
        shape=(trained.shape[0], len(closure.term_ids)),
    )
    positives = (moved @ closure.ancestors).tocsc()  # brings back the roots, which the table leaves out
    terms = closure.index(concept_ids)
    return pd.DataFrame(
        {
            "information_content": cafa_information(positives, closure.parents, terms),
            "information_content_deepgo": deepgo_information(positives, closure.parents, terms),
        }
    )
