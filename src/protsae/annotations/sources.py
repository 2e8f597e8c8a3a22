"""Concepts from other places than the ontology: what every reader of them gives, and how they are joined."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from protsae.annotations.config import RearrangementConfig
from protsae.annotations.spans import SPAN_COLUMNS, number_instances, span_table
from protsae.core.config import Config, Share
from protsae.core.errors import InputError
from protsae.ontology.graph import reached
from protsae.ontology.obo import Ontology
from protsae.sequences.table import protein_of_id

Level = Literal["protein", "residue"]
SOURCE_TERM_COLUMNS = ("term_id", "name", "aspect", "definition", "level")
SOURCE_RELATION_COLUMNS = ("child_id", "relation", "parent_id")
SOURCE_ID_COLUMNS = ("source", "accession", "status", "n_rows")
_SHOWN = 5


class SourcesConfig(Config):
    """How concepts from other places than the ontology are read."""

    max_skipped_share: Share = 0.05
    """Largest share of a source's rows that may be unusable (positions outside the sequence or missing);
    above it the run stops."""
    rearrangements: RearrangementConfig = RearrangementConfig()
    """Classes of the chains of `raw_rearrangements`."""


@dataclass(frozen=True)
class ConceptSource:
    """What a reader of concepts gives.

    Attributes:
        name: of the source, for reports; the file's name in the catalog.
        terms: `SOURCE_TERM_COLUMNS`; the aspect groups what is labelled together.
        relations: `SOURCE_RELATION_COLUMNS`, `is_a` only.
        rows: `accession`, `term_id`: annotations of whole proteins.
        spans: `accession`, `term_id`, `instance`, `start`, `end`: see `annotations.spans.SPAN_COLUMNS`.
        listed: `accession`, `aspect`: the proteins that the source speaks of; one without a concept has none
            of them there, which is a negative, while a protein that is not listed is not labelled.
        counts: what was read and what was skipped, by name.
    """

    name: str
    terms: pd.DataFrame
    relations: pd.DataFrame
    rows: pd.DataFrame
    spans: pd.DataFrame
    listed: pd.DataFrame
    counts: dict[str, int] = field(default_factory=dict)


def concept_source(
    name: str,
    terms: Sequence[tuple[str, str, str, str, str]],
    *,
    relations: Iterable[tuple[str, str, str]] = (),
    rows: Iterable[tuple[str, str]] = (),
    spans: pd.DataFrame | Sequence[tuple[str, str, int, int, int]] = (),
    listed: Iterable[str],
    counts: dict[str, int],
) -> ConceptSource:
    """Return a source of one aspect, called `name`; see `ConceptSource` for the columns.

    Args:
        name: of the source and its aspect.
        terms: rows of `SOURCE_TERM_COLUMNS`.
        relations: rows of `SOURCE_RELATION_COLUMNS`.
        rows: accession and term.
        spans: accession, term, instance, start and end.
        listed: the accessions that the source lists.
        counts: what was read and what was skipped.
    """
    span_columns = ["accession", "term_id", "instance", "start", "end"]
    return ConceptSource(
        name=name,
        terms=pd.DataFrame(terms, columns=list(SOURCE_TERM_COLUMNS)),
        relations=pd.DataFrame(list(relations), columns=list(SOURCE_RELATION_COLUMNS), dtype="str"),
        rows=pd.DataFrame(list(rows), columns=["accession", "term_id"], dtype="str"),
        spans=pd.DataFrame(spans, columns=span_columns),
        listed=pd.DataFrame({"accession": sorted(set(listed)), "aspect": name}, dtype="str"),
        counts=counts,
    )


@dataclass(frozen=True)
class ConceptTables:
    """What is known of whole proteins.

    Attributes:
        terms: `SOURCE_TERM_COLUMNS` and, with the ontology's, `is_obsolete`, `alt_ids`, `replaced_by`; sorted
            by id.
        relations: `SOURCE_RELATION_COLUMNS`.
        protein_concepts: `protein_id`, `concept_id`, `is_direct`: also of residue-level concepts.
        labelled: `protein_id`, `aspect`: where an absent concept is a negative.
    """

    terms: pd.DataFrame
    relations: pd.DataFrame
    protein_concepts: pd.DataFrame
    labelled: pd.DataFrame


@dataclass(frozen=True)
class SourcedConcepts(ConceptTables):
    """All sources, joined to the proteins.

    Attributes:
        residue_concepts: `SPAN_COLUMNS`, propagated to parents.
        ids: `SOURCE_ID_COLUMNS`: every accession and whether it is at hand.
        report: counts by source.
    """

    residue_concepts: pd.DataFrame
    ids: pd.DataFrame
    report: dict[str, Any]


def join_sources(
    sources: Sequence[ConceptSource], sequences: pd.DataFrame, config: SourcesConfig
) -> SourcedConcepts:
    """Join the sources to the proteins, and propagate their concepts to the parents.

    Args:
        sources: what the readers gave.
        sequences: `protein_id`, `aliases`, `length`.
        config: settings.

    Raises:
        InputError: two sources define one term id differently, a source has no protein at hand, its parents
            form a cycle, or too many of its rows are unusable.
    """
    terms = _joined_terms(sources)
    relations = _concat([source.relations for source in sources], SOURCE_RELATION_COLUMNS)
    relations = relations.drop_duplicates().sort_values(list(SOURCE_RELATION_COLUMNS), ignore_index=True)
    above = ancestors_of_terms(terms, relations)
    owner = protein_of_id(sequences)
    lengths = sequences.set_index("protein_id")["length"]
    report: dict[str, Any] = {}
    rows, spans, labelled, ids = [], [], [], []
    for source in sources:
        ids.append(_ids(source, owner))
        found = _spans_at_hand(source, owner, lengths)
        outside = (found["end"] > found["length"]).sum()
        report[source.name] = counts = {**source.counts, "n_spans_outside_sequence": int(outside)}
        _check_skipped(source, counts, len(found), config)
        spans.append(found[found["end"] <= found["length"]][list(SPAN_COLUMNS)])
        rows.append(_renamed(source.rows, owner, {"term_id": "concept_id"}))
        labelled.append(_renamed(source.listed, owner, {}))
        counts["n_proteins"] = labelled[-1]["protein_id"].nunique()
        counts["n_spans"] = len(spans[-1])
        if not counts["n_proteins"] and len(source.listed):
            raise InputError(
                f"{source.name}: none of its {source.listed['accession'].nunique()} proteins (such as "
                f"{source.listed['accession'].iloc[0]}) is among the sequences (such as "
                f"{sequences['protein_id'].iloc[0]}). Do the files belong together?"
            )
    labelled_columns = ["protein_id", "aspect"]
    residue_concepts = _propagated_spans(_concat(spans, SPAN_COLUMNS), above)
    direct = _concat([*rows, *(s[["protein_id", "concept_id"]] for s in spans)], ("protein_id", "concept_id"))
    return SourcedConcepts(
        terms=terms,
        relations=relations,
        protein_concepts=_propagated(direct.drop_duplicates(), above),
        residue_concepts=residue_concepts,
        labelled=_concat(labelled, labelled_columns)
        .drop_duplicates()
        .sort_values(labelled_columns, ignore_index=True),
        ids=_concat(ids, SOURCE_ID_COLUMNS),
        report=report,
    )


def with_sources(
    ontology: Ontology, sourced_terms: pd.DataFrame, sourced_relations: pd.DataFrame
) -> Ontology:
    """Return an ontology that holds the sources' terms too, each in an aspect of its own.

    Raises:
        InputError: a source defines a term of the ontology.
    """
    clash = sorted(set(sourced_terms["term_id"]) & set(ontology.terms["term_id"]))
    if clash:
        raise InputError(
            f"{len(clash)} concept ids of the tables are terms of the ontology too, such as {clash[0]}: give "
            "them other ids, or put these rows among the annotations"
        )
    added = sourced_terms[["term_id", "name", "aspect", "definition"]].assign(
        is_obsolete=False, alt_ids="", replaced_by=""
    )
    terms = pd.concat([ontology.terms, added]).sort_values("term_id", ignore_index=True)
    relations = pd.concat([ontology.relations, sourced_relations], ignore_index=True)
    return Ontology(terms=terms, relations=relations, data_version=ontology.data_version)


def with_source_axioms(ontology_axioms: pd.DataFrame, source_relations: pd.DataFrame) -> pd.DataFrame:
    """Return the axioms of the ontology, and those of the sources' hierarchies below them.

    Args:
        ontology_axioms: see `ontology.normal_forms.ontology_axioms`.
        source_relations: `SOURCE_RELATION_COLUMNS`, `is_a` only: each is an axiom of form NF1.
    """
    if source_relations.empty:
        return ontology_axioms
    added = pd.DataFrame("", index=source_relations.index, columns=ontology_axioms.columns).assign(
        normal_form="NF1", c_id=source_relations["child_id"], d_id=source_relations["parent_id"]
    )
    return pd.concat([ontology_axioms, added], ignore_index=True)


def ancestors_of_terms(terms: pd.DataFrame, relations: pd.DataFrame) -> dict[str, list[str]]:
    """Return the ancestors of every term that has some, itself left out.

    Raises:
        InputError: the parents form a cycle.
    """
    parents: dict[str, list[str]] = {}
    for child, parent in zip(relations["child_id"], relations["parent_id"], strict=True):
        parents.setdefault(child, []).append(parent)
    found: dict[str, list[str]] = {}
    for term_id in terms["term_id"]:
        above = reached([term_id], parents)
        if term_id in above:
            raise InputError(f"the parents of {term_id} form a cycle: remove one of them")
        if above:
            found[term_id] = sorted(above)
    return found


def _joined_terms(sources: Sequence[ConceptSource]) -> pd.DataFrame:
    terms = _concat([source.terms for source in sources], SOURCE_TERM_COLUMNS).drop_duplicates()
    twice = terms[terms["term_id"].duplicated()]
    if not twice.empty:
        raise InputError(
            f"concept id {twice['term_id'].iloc[0]} has two definitions (aspect, name or level) in the "
            "sources: make the ids of the sources differ"
        )
    return terms.sort_values("term_id", ignore_index=True)


def _spans_at_hand(source: ConceptSource, owner: dict[str, str], lengths: pd.Series) -> pd.DataFrame:
    spans = _renamed(source.spans, owner, {"term_id": "concept_id"})
    return spans.assign(length=spans["protein_id"].map(lengths).astype("int64"))


def _renamed(table: pd.DataFrame, owner: dict[str, str], names: dict[str, str]) -> pd.DataFrame:
    """Return the rows whose accession is at hand, under the protein's id."""
    protein = table["accession"].map(owner)
    kept = table.assign(accession=protein)[protein.notna()]
    return kept.rename(columns={"accession": "protein_id", **names})


def _ids(source: ConceptSource, owner: dict[str, str]) -> pd.DataFrame:
    accessions = pd.concat([source.rows["accession"], source.spans["accession"]]).value_counts()
    listed = source.listed["accession"].drop_duplicates()
    n_rows = accessions.reindex(listed.sort_values(), fill_value=0)
    status = ["at hand" if name in owner else "not among the sequences" for name in n_rows.index]
    columns = {
        "source": source.name,
        "accession": n_rows.index,
        "status": status,
        "n_rows": n_rows.to_numpy(),
    }
    return pd.DataFrame(columns, columns=list(SOURCE_ID_COLUMNS))


def _check_skipped(
    source: ConceptSource, counts: dict[str, int], n_spans: int, config: SourcesConfig
) -> None:
    skipped = {name: n for name, n in counts.items() if name.startswith("n_skipped") and n}
    outside = {"n_spans_outside_sequence": counts["n_spans_outside_sequence"]}
    # Rows are counted among those of the file, positions among the proteins at hand: the file may be larger.
    for what, found, total in (("rows", skipped, counts.get("n_rows", 0)), ("spans", outside, n_spans)):
        n = sum(found.values())
        if n > config.max_skipped_share * total:
            reasons = ", ".join(f"{name} {count}" for name, count in found.items())
            raise InputError(
                f"{source.name}: {n} of {total} {what} cannot be used ({reasons}). Are they of other "
                "versions of the sequences? Correct them, or accept it: raise "
                "annotation.sources.max_skipped_share"
            )


def _propagated(direct: pd.DataFrame, above: dict[str, list[str]]) -> pd.DataFrame:
    """Return `protein_id`, `concept_id`, `is_direct` with all ancestors."""
    higher = _with_ancestors(direct, above)
    both = pd.concat([direct.assign(is_direct=True), higher.assign(is_direct=False)])
    both = both.sort_values(["protein_id", "concept_id", "is_direct"], ascending=[True, True, False])
    both = both.drop_duplicates(["protein_id", "concept_id"], ignore_index=True)
    return both.astype({"protein_id": "str", "concept_id": "str", "is_direct": "bool"})


def _propagated_spans(spans: pd.DataFrame, above: dict[str, list[str]]) -> pd.DataFrame:
    """Return the spans with those of all ancestors, instances numbered by where they start."""
    if spans.empty:
        return span_table([])
    # Instances of two concepts may meet in one ancestor: tell them apart by where they come from.
    origin = spans.groupby(["concept_id", "instance"], sort=True).ngroup()
    labelled = spans.assign(instance=origin)
    return number_instances(pd.concat([labelled, _with_ancestors(labelled, above)], ignore_index=True))


def _with_ancestors(table: pd.DataFrame, above: dict[str, list[str]]) -> pd.DataFrame:
    """Return the rows of all ancestors of the rows' concepts."""
    lifted = table[table["concept_id"].isin(above.keys())]
    lifted = lifted.assign(concept_id=lifted["concept_id"].map(above)).explode("concept_id")
    return lifted.drop_duplicates()


def _concat(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    filled = [table[list(columns)] for table in tables if len(table)]
    return (
        pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=list(columns), dtype="str")
    )
