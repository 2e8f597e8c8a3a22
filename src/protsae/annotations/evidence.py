"""Evidence codes of GO annotations: which a preset keeps, and what the others were.

The groups are those of the Gene Ontology's guide to evidence codes.
"""

from collections import Counter
from difflib import get_close_matches
from typing import Annotated

import pandas as pd
from pydantic import AfterValidator

from protsae.core.errors import InputError

EXPERIMENTAL = ("EXP", "IDA", "IPI", "IMP", "IGI", "IEP", "HTP", "HDA", "HMP", "HGI", "HEP")
"""Read from experiments, the high-throughput ones (H..) included."""
PHYLOGENETIC = ("IBA", "IBD", "IKR", "IRD")
COMPUTATIONAL = ("ISS", "ISO", "ISA", "ISM", "IGC", "RCA")
STATEMENTS = ("TAS", "NAS", "IC")
CURATED = EXPERIMENTAL + PHYLOGENETIC + COMPUTATIONAL + STATEMENTS
"""All codes that a curator assigns: every code but IEA, which no curator has seen, and ND."""
ELECTRONIC = "IEA"
NO_DATA = "ND"
"""A curator found no data: such a row annotates a root and carries no information."""
KNOWN = (*CURATED, ELECTRONIC, NO_DATA)
NO_CODE = "(none)"

_PRESETS: dict[str, tuple[str, ...]] = {"experimental": EXPERIMENTAL, "curated": CURATED, "all": KNOWN}


def _known(kept: str | list[str]) -> str | list[str]:
    if isinstance(kept, str):
        if kept not in _PRESETS:
            raise ValueError(f"'{kept}' is no preset of evidence codes{_hint(kept, tuple(_PRESETS))}")
        return kept
    if not kept:
        raise ValueError("an empty list keeps nothing; name codes, or a preset")
    if NO_DATA in kept:
        raise ValueError(f"{NO_DATA} says that nothing is known: such rows are no labels")
    for code in kept:
        if code not in KNOWN:
            raise ValueError(f"'{code}' is no evidence code of GO{_hint(code, KNOWN)}")
    return kept


def _hint(word: str, known: tuple[str, ...]) -> str:
    near = get_close_matches(word, known, n=1)
    return f", did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"


EvidenceFilter = Annotated[str | list[str], AfterValidator(_known)]
"""`experimental`, `curated`, `all`, or a list of codes."""


def keep_evidence(rows: pd.DataFrame, kept: EvidenceFilter, counts: Counter[str]) -> pd.DataFrame:
    """Return the rows whose evidence the filter keeps; rows without data (ND) never are.

    Args:
        rows: with the column `evidence`, a categorical of codes, '' where the file gives none.
        kept: preset or list.
        counts: gains the rows per code (`n_rows_per_evidence.IDA`), and the rows dropped: `n_rows_no_data`,
            `n_rows_of_other_evidence`; of all of them `n_rows_of_unknown_evidence` have a code that GO does
            not define.

    Raises:
        InputError: the file has no codes to filter by, or no row is left.
    """
    codes = {str(code): int(n) for code, n in rows["evidence"].value_counts().items() if n}
    for code, n in sorted(codes.items()):
        counts[f"n_rows_per_evidence.{code or NO_CODE}"] += n
        counts["n_rows_of_unknown_evidence"] += 0 if code in KNOWN or not code else n
    if kept == "all":
        wanted = set(codes) - {NO_DATA}
    elif set(codes) <= {""}:
        raise InputError(
            f"evidence filter {kept!r} on annotations without evidence codes. Give a GAF or a .dat file, or "
            "a table with the column 'evidence'; or accept all: annotation.annotations.evidence=all"
        )
    else:
        wanted = set(_PRESETS[kept] if isinstance(kept, str) else kept)
    is_kept = rows["evidence"].isin(wanted)
    counts["n_rows_no_data"] += codes.get(NO_DATA, 0)
    counts["n_rows_of_other_evidence"] += int((~is_kept).sum()) - codes.get(NO_DATA, 0)
    if not is_kept.any():
        found = ", ".join(f"{code or NO_CODE}: {n}" for code, n in sorted(codes.items()))
        n_rows = f"{len(rows):,}".replace(",", " ")
        raise InputError(
            f"0 of {n_rows} annotations kept: evidence filter {kept!r} vs file codes {{{found}}}. "
            "Change annotation.annotations.evidence"
        )
    return rows if is_kept.all() else rows[is_kept].reset_index(drop=True)
