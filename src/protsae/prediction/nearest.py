"""The training protein that is nearest to each protein by sequence."""

from collections.abc import Mapping

from protsae.sequences.homology import Hit, SearchConfig, find_hits

_SHORTEST = 14
"""Residues: no search finds anything in shorter proteins."""


def nearest_hits(
    sequences: Mapping[str, str], targets: Mapping[str, str], max_e_value: float
) -> dict[str, Hit]:
    """Return each protein's significant hit of highest identity, if it has one, as the audit of splits does.

    The search is the built-in one, so that a result does not depend on what is installed. Ids do not
    matter: a protein may have the id of a training protein.

    Args:
        sequences: protein id to residues.
        targets: the same of training proteins.
        max_e_value: most alignments of a hit's score expected by chance.
    """
    names = {f"query {i}": name for i, name in enumerate(sequences)}
    queries = {key: sequences[name] for key, name in names.items() if len(sequences[name]) >= _SHORTEST}
    found: dict[str, Hit] = {}
    if queries and targets:
        for hit in find_hits(queries, targets, SearchConfig(max_e_value=max_e_value)):
            found.setdefault(names[hit.query_id], hit)
    return found
