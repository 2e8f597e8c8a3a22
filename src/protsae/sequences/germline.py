"""Names of germline genes, as the AIRR columns `v_call`, `d_call` and `j_call` give them."""

import re
from functools import cache
from typing import NamedTuple

from protsae.core.errors import InputError

LOCI = ("IGH", "IGI", "IGK", "IGL", "TRA", "TRB", "TRD", "TRG")
_CALL = re.compile(rf"({'|'.join(LOCI)})([VDJ])((?:\([IV]+\))?[^\s*()]*)(\*\S+)?")
_SUBGROUP = re.compile(r"F?\d+|\([IV]+\)")
_SEPARATOR = re.compile(r"[,;|]|\bor\b")


class Gene(NamedTuple):
    """One gene that a call names, without its allele."""

    locus: str
    """Such as `IGH`."""
    subgroup: str
    """Such as `IGHV3`; empty if the name has none."""
    name: str
    """Such as `IGHV3-23`; empty if the call names a subgroup alone."""


@cache
def called_genes(call: str) -> tuple[Gene, ...]:
    """Return the distinct genes of a call, sorted by name.

    Several calls are joined by commas; alleles (after `*`), species and functionality (`Homsap IGHV3-23*01 F,
    or Homsap IGHV3-23D*01 F`) do not matter. The subgroup is the number after the segment: `IGKV1D-39` is of
    `IGKV1`, `IGHV3/OR16-8` of `IGHV3`, and the allele similarity cluster `IGHVF6-G21` of `IGHVF6`. A V name
    of an immunoglobulin without hyphen, slash and allele (`IGHV3`) names a subgroup; T-cell receptors have
    genes of such names (`TRBV28`).

    Raises:
        InputError: a part of the call is no name of a germline gene.
    """
    genes = set()
    for part in filter(None, map(str.strip, _SEPARATOR.split(call))):
        match = _CALL.search(part)
        if match is None:
            raise InputError(
                f"'{part}' is not the name of a germline gene such as IGHV3-23*01. Correct it, or leave the "
                "cell empty if there is no call"
            )
        locus, segment, rest, allele = match.groups()
        number = _SUBGROUP.match(rest)
        subgroup = f"{locus}{segment}{number[0]}" if number else ""
        is_bare = number is not None and number[0] == rest and segment == "V" and locus.startswith("IG")
        genes.add(Gene(locus, subgroup, "" if is_bare and not allele else f"{locus}{segment}{rest}"))
    return tuple(sorted(genes, key=lambda gene: gene.name))
