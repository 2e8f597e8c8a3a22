"""UniProt's sequence features as residue-level concepts: from TSV exports and from Swiss-Prot flat files."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from protsae.annotations.sources import ConceptSource, concept_source
from protsae.core.errors import InputError
from protsae.core.tables import PROTEIN_COLUMNS, SHOWN, named_rows
from protsae.core.text import whole_number
from protsae.sequences.formats import detect_format
from protsae.sequences.swissprot import read_swissprot
from protsae.sequences.swissprot_features import modern_text

ASPECT = "feature"
COLUMN_OF_KIND = {
    "ACT_SITE": "Active site",
    "BINDING": "Binding site",
    "DNA_BIND": "DNA binding",
    "METAL": "Metal binding",
    "CA_BIND": "Calcium binding",
    "NP_BIND": "Nucleotide binding",
    "SITE": "Site",
    "DISULFID": "Disulfide bond",
    "CROSSLNK": "Cross-link",
    "CARBOHYD": "Glycosylation",
    "LIPID": "Lipidation",
    "MOD_RES": "Modified residue",
    "SIGNAL": "Signal peptide",
    "TRANSIT": "Transit peptide",
    "PROPEP": "Propeptide",
    "PEPTIDE": "Peptide",
    "TRANSMEM": "Transmembrane",
    "INTRAMEM": "Intramembrane",
    "TOPO_DOM": "Topological domain",
    "HELIX": "Helix",
    "TURN": "Turn",
    "STRAND": "Beta strand",
    "COILED": "Coiled coil",
    "DOMAIN": "Domain [FT]",
    "REPEAT": "Repeat",
    "COMPBIAS": "Compositional bias",
    "MOTIF": "Motif",
    "REGION": "Region",
    "ZN_FING": "Zinc finger",
}
"""Feature key of the flat file to the label of its column in a TSV export."""
PAIRED = frozenset({"DISULFID", "CROSSLNK"})
"""Kinds whose two positions are two residues, not the ends of a range."""
NAMED = frozenset(
    (
        *("BINDING", "METAL", "NP_BIND", "CARBOHYD", "LIPID", "MOD_RES", "TRANSIT", "TOPO_DOM"),
        *("DOMAIN", "REPEAT", "COMPBIAS", "MOTIF", "REGION", "ZN_FING"),
    )
)
"""Kinds whose note is a concept below the kind: `DOMAIN` of `SH3` is `feature:DOMAIN:SH3`."""
_COPIES = "REPEAT"
"""The kind whose notes are often no more than a name of the copy: `2`, `1-3`, `A`, `IV`."""

_START = re.compile(r"\b(" + "|".join(COLUMN_OF_KIND) + r") (?=\S)")
_LOCATION = re.compile(r"(?:(?P<isoform>[\w-]+):)?(?P<start>[<>?]?\d*)(?:\.\.(?P<end>[<>?]?\d*))?")
_QUOTED = r'"((?:[^"]|""|"(?!\s*(?:;|$)))*)"'
"""A quoted text; quotes inside are doubled, as UniProt writes them, or stand where none can end it."""
_NOTE = re.compile(r"/(note|ligand)=" + _QUOTED)
_KEYS = re.compile(r"/(note|ligand)=")
_NUMBER = r"(?:\d+(?:[-.]\d+)*|[ivx]+)"
_NUMBERING = re.compile(rf"(?:^|[ ,]+){_NUMBER}$|^[IVX]+$")
_COPY = re.compile(r"(?:[A-Za-z]?\d+[A-Za-z]?|[IVXLC]+|[A-Za-z])(?:[-.](?:\d+|[A-Za-z]))*")
_LEFT_OUT = ("n_features_partial", "n_features_at_unknown_position", "n_features_of_isoforms")


@dataclass(frozen=True)
class Feature:
    """One feature of one protein."""

    kind: str
    """Feature key, such as `DOMAIN`."""
    note: str
    """What it is: the note, or for binding sites the ligand; empty where none is given."""
    spans: tuple[tuple[int, int], ...]
    """Start (0-based) and end (exclusive); two for a bond between two residues."""


def parse_features(text: str, where: str, counts: Counter[str]) -> list[Feature]:
    """Return the features of a cell of a TSV export: `DOMAIN 10..120; /note="SH3"; /evidence="ECO:..."`.

    Features with a partial (`<1..5`), unknown (`?..10`) or isoform's (`P12345-2:3..9`) position are counted
    and skipped. Semicolons within quotes belong to the note. Cells of before 2019, such as
    `DOMAIN 10 120 SH3. {ECO:0000255}.`, are read too.

    Args:
        text: the cell; empty gives none.
        where: file and line, for messages.
        counts: gains `n_features` and what was skipped.

    Raises:
        InputError: the cell is no list of features.
    """
    outside = _without_quotes(text)
    begins = [match.start() for match in _START.finditer(outside)]
    if text.strip() and (not begins or outside[: begins[0]].strip(" ;")):
        raise InputError(
            f"{where}: expected UniProt features such as 'DOMAIN 10..120; /note=..', found {text[:60]!r}"
        )
    found = []
    ends = [*begins[1:], len(text)] if begins else []
    for begin, end in zip(begins, ends, strict=True):
        kind, rest = modern_text(text[begin:end]).split(" ", 1)
        location = rest.split(";")[0].strip()
        notes = dict(_NOTE.findall(rest))
        if unread := [key for key in _KEYS.findall(_without_quotes(rest)) if key not in notes]:
            raise InputError(
                f"{where}: the {unread[0]} of a {kind} feature is no text in quotes: {rest[:60]!r}. Are the "
                "cells cut off, or written without quotes? Download the table again"
            )
        counts["n_features"] += 1
        spans = read_location(kind, location, where, counts)
        if spans:
            note = (kind == "BINDING" and notes.get("ligand")) or notes.get("note", "")
            found.append(Feature(kind, note.replace('""', '"'), spans))
    return found


def read_location(kind: str, location: str, where: str, counts: Counter[str]) -> tuple[tuple[int, int], ...]:
    """Return the spans of a location such as `10..120`; none, counted, where it is not fully known.

    Raises:
        InputError: it is no location.
    """
    match = _LOCATION.fullmatch(location)
    if match is None or not (match["start"] or match["end"]):
        raise InputError(f"{where}: {location[:40]!r} is no position of a {kind} feature")
    start, end = match["start"], match["end"] if match["end"] is not None else match["start"]
    reason = None
    if match["isoform"]:
        reason = "n_features_of_isoforms"
    elif "?" in start + end or not start or not end:
        reason = "n_features_at_unknown_position"
    elif start[0] in "<>" or end[0] in "<>":
        reason = "n_features_partial"
    if reason:
        counts[reason] += 1
        return ()
    first, last = whole_number(start), whole_number(end)
    if not first or not last or first > last:
        shown = f"{start[:SHOWN]} to {end[:SHOWN]}"
        raise InputError(f"{where}: a {kind} feature from {shown} is no stretch of residues")
    if kind in PAIRED and first != last:
        return ((first - 1, first), (last - 1, last))
    return ((first - 1, last),)


def _without_quotes(text: str) -> str:
    """Return the text with the insides of quotes blanked, every character at its place."""
    return re.sub(_QUOTED, lambda match: '"' + " " * (len(match[0]) - 2) + '"', text)


def read_feature_table(path: Path) -> ConceptSource:
    """Read the feature columns of a UniProt TSV export (`Entry`, `Domain [FT]`, `Active site`, ...).

    Raises:
        InputError: as `file:line: reason`; also if it has no feature column.
    """
    counts: Counter[str] = Counter(n_rows=0)
    columns = {kind: (label, kind) for kind, label in COLUMN_OF_KIND.items()}
    proteins: list[tuple[str, list[Feature]]] = []
    for number, row in named_rows(path, "features", {"accession": PROTEIN_COLUMNS}, columns):
        if len(row) == 1:
            raise InputError(
                f"{path}:1: no feature column; expected columns of a UniProt export such as "
                f"{', '.join(list(COLUMN_OF_KIND.values())[:3])}"
            )
        counts["n_rows"] += 1
        texts = [row[kind] for kind in columns if row.get(kind)]
        found = [f for text in texts for f in parse_features(text, f"{path}:{number}", counts)]
        proteins.append((row["accession"], found))
    return feature_source(proteins, counts)


def read_features(path: Path) -> ConceptSource:
    """Read features from a UniProt TSV export or a Swiss-Prot flat file, recognised by the content.

    Raises:
        InputError: as `file:line: reason`.
    """
    if detect_format(path, "features") != "swissprot_dat":
        return read_feature_table(path)
    counts: Counter[str] = Counter(n_rows=0)
    proteins: list[tuple[str, list[Feature]]] = []
    for record in read_swissprot(path, "features", features=True):
        counts["n_rows"] += 1
        found: list[Feature] = []
        for number, text in record.features:
            if text.split(" ", 1)[0] in COLUMN_OF_KIND:
                found += parse_features(text, f"{path}:{number}", counts)
            else:
                counts["n_features_of_other_kinds"] += 1
        proteins.append((record.accession, found))
    return feature_source(proteins, counts)


def feature_source(proteins: Iterable[tuple[str, list[Feature]]], counts: Counter[str]) -> ConceptSource:
    """Return features as concepts: `feature:DOMAIN`, and below it `feature:DOMAIN:SH3` by its note.

    The note counts up to its first semicolon, and without the number of the copy.

    Every protein given is labelled: a feature that its entry does not list is absent. Swiss-Prot's curators
    annotate what is known, so that an absence is weak evidence.

    Args:
        proteins: accession and features.
        counts: for the report; gains `n_rows` if it has none.
    """
    spans: list[tuple[str, str, int, int, int]] = []
    listed: list[str] = []
    texts: dict[str, str] = {}
    relations: set[tuple[str, str, str]] = set()
    for accession, features in proteins:
        listed.append(accession)
        for instance, feature in enumerate(features):
            concept_id = parent = f"{ASPECT}:{feature.kind}"
            texts[parent] = COLUMN_OF_KIND[feature.kind]
            name = _concept_name(feature) if feature.kind in NAMED else ""
            if name:
                concept_id = f"{parent}:{name.replace(' ', '_')}"
                texts[concept_id] = f"{COLUMN_OF_KIND[feature.kind]}: {name}"
                relations.add((concept_id, "is_a", parent))
            spans += [(accession, concept_id, instance, start, end) for start, end in feature.spans]
    terms = [(i, name, ASPECT, "", "residue") for i, name in sorted(texts.items())]
    return concept_source(
        ASPECT,
        terms,
        relations=sorted(relations),
        spans=spans,
        listed=listed,
        counts=dict.fromkeys(("n_features", *_LEFT_OUT), 0) | dict(counts),
    )


def _concept_name(feature: Feature) -> str:
    """Return what all features of a concept share: the note without qualifiers and number of the copy.

    `SH3 2; degenerate` and `SH3` are one concept, so are `Phosphoserine; by CK2` and `Phosphoserine`. So the
    residues of the one are never negatives of the other.
    """
    first = feature.note.partition(";")[0].strip()
    if feature.kind == _COPIES and _COPY.fullmatch(first):
        return ""
    if feature.kind == "METAL":  # `Iron-sulfur 2 (4Fe-4S)`
        first = re.sub(r" \d+(?= \()", "", first)
    return _NUMBERING.sub("", first).strip()
