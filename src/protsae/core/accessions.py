"""Ids of proteins as databases and programs write them, reduced to the accession."""

import re

UNIPROT_ACCESSION = r"(?:[OPQ]\d[A-Z\d]{3}\d|[A-NR-Z]\d(?:[A-Z][A-Z\d]{2}\d){1,2})"
"""UniProt's own pattern."""
_BARRED = re.compile(r"(?:sp|tr)\|([^|]*)(?:\|(.*?)\|?)?", re.IGNORECASE)
_UNIREF = re.compile(r"UniRef(?:50|90|100)_([A-Z0-9-]+)")
_VERSIONED = re.compile(rf"({UNIPROT_ACCESSION}(?:-\d+)?)\.\d+")


def plain_accession(name: str) -> tuple[str, str]:
    """Return the accession and the entry name (empty where there is none) of an id.

    `sp|P69905|HBA_HUMAN`, `SP|P69905.2`, `P69905.2` (with the version of the sequence) and `UniRef50_P69905`
    are all `P69905`; an id of another form stays as it is.
    """
    entry_name = ""
    if barred := _BARRED.fullmatch(name):
        name, entry_name = barred[1], barred[2] or ""
    if uniref := _UNIREF.fullmatch(name):
        name = uniref[1]
    versioned = _VERSIONED.fullmatch(name)
    return (versioned[1] if versioned else name), entry_name
