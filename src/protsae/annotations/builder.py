"""Annotation rows as they are collected from a file: every distinct word once, and a number per row."""

import re
from array import array

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.core.accessions import UNIPROT_ACCESSION

_ISOFORM = re.compile(rf"({UNIPROT_ACCESSION})-\d+")

IntArray = NDArray[np.signedinteger]


class _Codes(dict[str, int]):
    """Words numbered in the order in which they first come."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


class RowBuilder:
    """Collects rows in some 13 bytes each, however long their ids are."""

    def __init__(self) -> None:
        """Start without rows."""
        self._words = [_Codes(), _Codes(), _Codes(), _Codes()]
        self._columns = [array("i") for _ in self._words]
        self._is_not = array("b")

    def __len__(self) -> int:
        """Return the number of rows so far."""
        return len(self._is_not)

    def add(
        self, accession: str, term_id: str, evidence: str = "", is_not: bool = False, isoform_id: str = ""
    ) -> None:
        """Add one row; '' where the file gives no evidence code or no isoform."""
        words, columns = self._words, self._columns
        columns[0].append(words[0][accession])
        columns[1].append(words[1][term_id])
        columns[2].append(words[2][evidence])
        columns[3].append(words[3][isoform_id])
        self._is_not.append(is_not)

    def frame(self) -> pd.DataFrame:
        """Return the rows in the order in which they came.

        An accession that is an isoform id of UniProt (`P12345-2`) names the isoform, and its accession is the
        canonical one.

        Returns:
            `accession` (str), `term_id` (str), `evidence` (categorical, sorted; '' where there is none),
            `is_not` (bool), `isoform_id` (str, '' where the row names none).
        """
        accession, term, evidence, isoform = (np.asarray(c) for c in self._columns)
        accession, isoform = self._split_isoforms(accession, isoform)
        codes = list(self._words[2])
        order = sorted(range(len(codes)), key=codes.__getitem__)
        rank = np.argsort(order)
        return pd.DataFrame(
            {
                "accession": self._taken(0, accession),
                "term_id": self._taken(1, term),
                "evidence": pd.Categorical.from_codes(rank[evidence], pd.Index([codes[i] for i in order])),
                "is_not": np.asarray(self._is_not) != 0,
                "isoform_id": self._taken(3, isoform),
            }
        )

    def _split_isoforms(self, accession: IntArray, isoform: IntArray) -> tuple[IntArray, IntArray]:
        names, isoforms = self._words[0], self._words[3]
        found = [(code, name, m[1]) for name, code in names.items() if (m := _ISOFORM.fullmatch(name))]
        if not found:
            return accession, isoform
        canonical_of = {code: names[base] for code, _, base in found}
        canonical, named = np.arange(len(names)), np.full(len(names), isoforms[""])
        canonical[list(canonical_of)] = list(canonical_of.values())
        named[list(canonical_of)] = [isoforms[name] for _, name, _ in found]
        return canonical[accession], np.where(isoform == isoforms[""], named[accession], isoform)

    def _taken(self, column: int, codes: IntArray) -> pd.api.extensions.ExtensionArray:
        return pd.array(list(self._words[column]), dtype="str").take(codes)
