"""Concepts of antibodies and T-cell receptors from a rearrangement table: genes, mutations, CDR3, regions."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path

import pandas as pd

from protsae.annotations.config import RearrangementConfig
from protsae.annotations.sources import SOURCE_RELATION_COLUMNS, SOURCE_TERM_COLUMNS, ConceptSource
from protsae.core.errors import InputError
from protsae.sequences.airr import REGIONS, Chain, read_chains, without_gaps
from protsae.sequences.germline import LOCI
from protsae.sequences.table import protein_of_id

NAME = "rearrangements"
HEAVY = frozenset({"IGH", "TRB", "TRD"})
"""Loci with D genes; the others count as light."""
_SHARED = {"TRA": "TRA or TRD", "TRD": "TRA or TRD"}
"""Loci whose V genes rearrange with the J genes of both, so that these V genes are below no locus."""
_SHORT = ("H", "K", "L")
"""How OAS names loci."""
_REQUIRED = (("v_call",), ("j_call",))

Spans = list[tuple[str, int, int]]


class _Concepts:
    """Terms and relations, gathered while chains are read."""

    def __init__(self) -> None:
        self.terms: dict[str, tuple[str, str, str, str, str]] = {}
        self.relations: dict[tuple[str, str, str], None] = {}

    def add(
        self,
        aspect: str,
        value: str,
        definition: str,
        *,
        parent: str = "",
        name: str = "",
        level: str = "protein",
    ) -> str:
        """Note a concept and its parent, and return its id."""
        term_id = f"{aspect}:{value}"
        self.terms.setdefault(term_id, (term_id, name or value, aspect, definition, level))
        if parent:
            self.relations[term_id, "is_a", parent] = None
        return term_id


def read_rearrangements(path: Path, sequences: pd.DataFrame, config: RearrangementConfig) -> ConceptSource:
    """Read the concepts of the productive chains of a rearrangement table.

    Every level is an aspect: `locus`, `v_subgroup`, `v_gene`, `d_gene`, `j_gene`, `mutation_load`,
    `cdr3_length_heavy`, `cdr3_length_light`, and of residues `region`. But for regions a protein has one
    concept per aspect. If it has several candidates, since a call names several or rows of one sequence
    differ, it is counted as ambiguous and not labelled in the aspect, so that it is no negative of them; nor
    is it labelled where a cell is empty. V genes are below their subgroups, these and D and J genes below
    their loci.

    Args:
        path: see `sequences.airr`.
        sequences: `protein_id`, `aliases`, `sequence`: where the regions are looked up.
        config: bounds of classes.

    Raises:
        InputError: as `file:line: reason`; no `v_call` or `j_call`, a call or a locus that names none, a
            number that is none.
    """
    counts: Counter[str] = Counter()
    concepts = _Concepts()
    owner = protein_of_id(sequences)
    sequence_of = dict(zip(sequences["protein_id"], sequences["sequence"], strict=True))
    candidates: dict[tuple[str, str, str], None] = {}
    regions: dict[str, Spans] = {}
    for chain in read_chains(path, "rearrangements", _REQUIRED, counts):
        protein_id = owner.get(chain.chain_id, chain.chain_id)
        sequence = sequence_of.get(protein_id, "")
        locus = _locus(chain)
        if locus is None:
            counts["n_skipped_of_several_loci"] += 1
            continue
        for aspect, term_id in _candidates(chain, locus, len(sequence), concepts, config):
            candidates[protein_id, aspect, term_id] = None
        if sequence and (found := _regions(chain, sequence, counts)):
            regions[protein_id] = found
    return _source(candidates, regions, concepts, counts)


def _source(
    candidates: Mapping[tuple[str, str, str], None],
    regions: Mapping[str, Spans],
    concepts: _Concepts,
    counts: Counter[str],
) -> ConceptSource:
    rows = pd.DataFrame(list(candidates), columns=["accession", "aspect", "term_id"], dtype="str")
    n_candidates = rows.groupby(["accession", "aspect"])["term_id"].transform("size")
    ambiguous = rows[n_candidates > 1].drop_duplicates(["accession", "aspect"])["aspect"]
    counts.update({f"n_ambiguous_{aspect}": n for aspect, n in ambiguous.value_counts().items()})
    rows = rows[(n_candidates == 1) & (rows["term_id"] != "")]
    spans = [
        (protein_id, concepts.add("region", name, "Region by IMGT", level="residue"), 0, start, end)
        for protein_id, found in regions.items()
        for name, start, end in found
    ]
    of_regions = pd.DataFrame({"accession": list(regions), "aspect": "region"}, dtype="str")
    return ConceptSource(
        name=NAME,
        terms=pd.DataFrame(sorted(concepts.terms.values()), columns=list(SOURCE_TERM_COLUMNS), dtype="str"),
        relations=pd.DataFrame(
            sorted(concepts.relations), columns=list(SOURCE_RELATION_COLUMNS), dtype="str"
        ),
        rows=rows[["accession", "term_id"]],
        spans=pd.DataFrame(spans, columns=["accession", "term_id", "instance", "start", "end"]),
        listed=pd.concat([rows[["accession", "aspect"]], of_regions], ignore_index=True),
        counts=dict(counts),
    )


def _locus(chain: Chain) -> str | None:
    """Return the locus by its column, J call or V call; empty: unknown; None: they differ."""
    given = chain.values["locus"].upper()
    given = f"IG{given}" if given in _SHORT else given
    if given and given not in LOCI:
        raise InputError(f"{chain.where}: locus '{given}' is none of {', '.join(LOCI)}")
    calls = [{gene.locus for gene in chain.genes(column)} for column in ("j_call", "v_call")]
    if len({_SHARED.get(locus, locus) for locus in {given}.union(*calls) - {""}}) > 1:
        return None
    return next((min(loci) for loci in ({given} - {""}, *calls) if len(loci) == 1), "")


def _candidates(
    chain: Chain, locus: str, length: int, concepts: _Concepts, config: RearrangementConfig
) -> Iterator[tuple[str, str]]:
    """Yield aspects with the concepts of them that a chain may have; an empty id is one without a name."""
    if locus:
        yield "locus", concepts.add("locus", locus, "Locus of the chain")
    for gene in chain.genes("v_call"):
        above = "" if gene.locus in _SHARED else concepts.add("locus", gene.locus, "Locus of the chain")
        if gene.subgroup:
            above = concepts.add("v_subgroup", gene.subgroup, "Subgroup of the V gene", parent=above)
        yield "v_subgroup", above if gene.subgroup else ""
        yield "v_gene", concepts.add("v_gene", gene.name, "V gene", parent=above) if gene.name else ""
    for aspect in ("d_gene", "j_gene"):
        for gene in chain.genes(f"{aspect[0]}_call"):
            above = concepts.add("locus", gene.locus, "Locus of the chain")
            yield aspect, concepts.add(aspect, gene.name, f"{aspect[0].upper()} gene", parent=above)
    share = _mutated_share(chain, length)
    if share is not None:
        load, text = _class(share, config.mutation_load, ("low", "medium", "high"))
        yield (
            "mutation_load",
            concepts.add(
                "mutation_load", load, f"Share of mutated nucleotides {text}", name=f"{load} mutation load"
            ),
        )
    if locus and chain.cdr3:
        kind = "heavy" if locus in HEAVY else "light"
        bounds = config.cdr3_length_heavy if kind == "heavy" else config.cdr3_length_light
        size, text = _class(len(chain.cdr3), bounds, ("short", "medium", "long"))
        aspect = f"cdr3_length_{kind}"
        text = f"CDR3 of a {kind} chain, residues: {text}"
        yield aspect, concepts.add(aspect, size, text, name=f"{size} {kind} CDR3")


def _mutated_share(chain: Chain, length: int) -> float | None:
    """Return the share of mutated nucleotides, from `n_mutations` over those of the protein or `v_identity`.

    The standard counts identity from 0 to 1, IgBLAST and OAS in percent: above 1 it is a percentage.
    """
    column = "n_mutations" if chain.values["n_mutations"] else "v_identity"
    text = chain.values[column]
    if not text or (column == "n_mutations" and not length):
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    identity = value / 100 if value > 1 else value
    share = value / (3 * length) if column == "n_mutations" else 1 - identity
    if value < 0 or not 0 <= share <= 1:
        raise InputError(
            f"{chain.where}: {column} is '{text}', which is not a number of mutations or an identity"
        )
    return share


def _class(value: float, bounds: tuple[float, float], names: tuple[str, str, str]) -> tuple[str, str]:
    """Return the class of a value, and its range in words; a bound belongs to the class above it."""
    texts = f"below {bounds[0]:g}", f"from {bounds[0]:g} to below {bounds[1]:g}", f"from {bounds[1]:g}"
    at = bisect_right(bounds, value)
    return names[at], texts[at]


def _regions(chain: Chain, sequence: str, counts: Counter[str]) -> Spans:
    """Return the regions and where they are in the sequence; none, counted, unless all seven are found.

    Without `fwr4_aa` (OAS's pairs) framework 4 is what follows CDR3 in `sequence_alignment_aa`, which ends
    with the J gene.
    """
    texts = [without_gaps(chain.values[column]).upper() for column in REGIONS.values()]
    texts[5] = texts[5] or chain.cdr3.upper()
    at = sequence.find("".join(texts))
    if not texts[6] and without_gaps(chain.values["sequence_alignment_aa"]).upper() == sequence and at >= 0:
        texts[6] = sequence[at + sum(map(len, texts)) :]
    if not all(texts):
        counts["n_chains_without_regions"] += 1
        return []
    if at < 0:
        counts["n_skipped_regions_not_in_sequence"] += 1
        return []
    ends = [at + end for end in accumulate(map(len, texts))]
    return list(zip(REGIONS, [at, *ends[:-1]], ends, strict=True))
