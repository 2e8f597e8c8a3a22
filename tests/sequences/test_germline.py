"""Names of germline genes."""

import pytest

from protsae.core.errors import InputError
from protsae.sequences.germline import Gene, called_genes


@pytest.mark.parametrize(
    ("call", "genes"),
    [
        ("", []),
        ("IGKV1-39*01", [("IGK", "IGKV1", "IGKV1-39")]),
        ("IGKV1D-39*01", [("IGK", "IGKV1", "IGKV1D-39")]),
        ("IGHV3-23*01,IGHV3-23*04", [("IGH", "IGHV3", "IGHV3-23")]),
        ("IGHV3-30*18, IGHV3-30-5*01", [("IGH", "IGHV3", "IGHV3-30"), ("IGH", "IGHV3", "IGHV3-30-5")]),
        ("IGHVF6-G21*02", [("IGH", "IGHVF6", "IGHVF6-G21")]),
        ("IGHV3/OR16-8*01", [("IGH", "IGHV3", "IGHV3/OR16-8")]),
        ("IGHV(II)-20-1*01", [("IGH", "IGHV(II)", "IGHV(II)-20-1")]),
        ("IGHV1-2*02_S4953", [("IGH", "IGHV1", "IGHV1-2")]),
        ("IGLJ2/3-HDWH*00", [("IGL", "IGLJ2", "IGLJ2/3-HDWH")]),
        ("TRBV20-1", [("TRB", "TRBV20", "TRBV20-1")]),
        ("TRBV28", [("TRB", "TRBV28", "TRBV28")]),
        ("TRAV14/DV4*01", [("TRA", "TRAV14", "TRAV14/DV4")]),
        ("TRGVA*01", [("TRG", "", "TRGVA")]),
        ("IGHD3-10*01", [("IGH", "IGHD3", "IGHD3-10")]),
        ("IGHJ4", [("IGH", "IGHJ4", "IGHJ4")]),
        ("IGHV3", [("IGH", "IGHV3", "")]),  # a subgroup
        ("IGLV1*01", [("IGL", "IGLV1", "IGLV1")]),  # a gene of the mouse
        (
            "Homsap IGHV3-23*01 F, or Homsap IGHV3-23D*01 F",
            [("IGH", "IGHV3", "IGHV3-23"), ("IGH", "IGHV3", "IGHV3-23D")],
        ),
        (
            "IGHV4-59*00(1234.5),IGHV4-61*00(1200)",
            [("IGH", "IGHV4", "IGHV4-59"), ("IGH", "IGHV4", "IGHV4-61")],
        ),
    ],
)
def test_genes_of_a_call(call: str, genes: list[tuple[str, str, str]]):
    assert called_genes(call) == tuple(Gene(*gene) for gene in genes)


@pytest.mark.parametrize(
    ("call", "part"), [("IGHV3-23,none", "none"), ("VH3-23", "VH3-23"), ("IGHC*01", r"IGHC\*01")]
)
def test_a_part_that_names_no_gene_is_refused(call: str, part: str):
    with pytest.raises(InputError, match=f"'{part}' is not the name of a germline gene"):
        called_genes(call)
