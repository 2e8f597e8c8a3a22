"""Rearrangement tables from sequences alone: IMGT regions and the nearest germline genes, by `anarcism`.

The package (Apache-2.0, no dependencies, works offline) does what ANARCI does (Dunbar and Deane 2016,
doi:10.1093/bioinformatics/btv552): profiles of variable domains, then the most identical V and J genes.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import InputError
from protsae.core.progress import track
from protsae.sequences.airr import REGIONS
from protsae.sequences.records import RecordsConfig, read_sequences

COLUMNS = ("sequence_id", "sequence_aa", "locus", "v_call", "j_call", "junction_aa", *REGIONS.values())
_ANCHORS = 104, 118
"""IMGT positions of the residues around CDR3."""
_BATCH = 256
_TO_UNKNOWN = str.maketrans("BZUOJ", "XXXXX")


def number_chains(path: Path, config: RecordsConfig, workers: int) -> tuple[pd.DataFrame, dict[str, int]]:
    """Number the variable domain of every sequence of a file.

    Sequences without a variable domain and those with several (scFv) are left out and counted. Mutations are
    not counted: they are of nucleotides.

    Args:
        path: see `sequences.records`.
        config: format, residue policy and limits.
        workers: threads.

    Returns:
        `COLUMNS`, in the file's order (genes and regions are empty where the domain ends before them), and
        counts.

    Raises:
        InputError: the package is not installed, the file is faulty, or nothing in it is a variable domain.
    """
    try:
        from anarcism import number_sequences
    except ImportError:
        raise InputError("numbering needs the extra antibody: pip install 'protsae[antibody]'") from None
    records = list(read_sequences(path, config))
    counts = Counter(n_sequences=len(records), n_without_domain=0, n_with_several_domains=0)
    rows = []
    for start in track(range(0, len(records), _BATCH), "numbering chains"):
        batch = records[start : start + _BATCH]
        inputs = [(record.protein_id, record.sequence.translate(_TO_UNKNOWN)) for record in batch]
        found = number_sequences(inputs, workers=workers, assign_germline=True)
        for record, result in zip(batch, found, strict=True):
            if len(result.domains) == 1:
                of_domain = _columns(result.domains[0].to_dict(), record.sequence)
                rows.append({"sequence_id": record.protein_id, "sequence_aa": record.sequence, **of_domain})
            else:
                counts["n_with_several_domains" if result.domains else "n_without_domain"] += 1
    if not rows:
        raise InputError(
            f"{path}: none of {len(records)} sequences has one variable domain. Is it the right file?"
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).fillna(""), dict(counts)


def _columns(domain: Mapping[str, Any], sequence: str) -> dict[str, str]:
    """Return locus, genes, junction and regions of one domain of a sequence."""
    regions = dict.fromkeys(REGIONS.values(), "")
    anchors = ["", ""]
    for residue in domain["numbering"]:
        letter = sequence[residue["sequence_index"]]
        regions[REGIONS[residue["region"]]] += letter
        if residue["position"] in _ANCHORS:
            anchors[_ANCHORS.index(residue["position"])] = letter
    genes = domain["germline"] or {}
    is_whole = all(anchors)
    return {
        "locus": f"{domain['receptor_type']}{domain['chain_type']}",
        "v_call": genes.get("v_gene") or "",
        "j_call": (genes.get("j_gene") or "") if is_whole else "",
        "junction_aa": f"{anchors[0]}{regions['cdr3_aa']}{anchors[1]}" if is_whole else "",
        **regions,
    }
