"""Numbering of chains whose genes are not known."""

import sys
from pathlib import Path

import pytest

from protsae.annotations.airr import read_rearrangements
from protsae.annotations.config import RearrangementConfig
from protsae.core.errors import InputError
from protsae.core.files import write_text_atomic
from protsae.sequences.numbering import number_chains
from protsae.sequences.records import RecordsConfig
from protsae.sequences.table import SequenceTableConfig, sequence_table

# Trastuzumab (PDB 1N8Z), with the regions of IMGT's entry for it.
HEAVY = {
    "fwr1_aa": "EVQLVESGGGLVQPGGSLRLSCAAS",
    "cdr1_aa": "GFNIKDTY",
    "fwr2_aa": "IHWVRQAPGKGLEWVAR",
    "cdr2_aa": "IYPTNGYT",
    "fwr3_aa": "RYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYC",
    "cdr3_aa": "SRWGGDGFYAMDY",
    "fwr4_aa": "WGQGTLVTVSS",
}
LIGHT = {
    "fwr1_aa": "DIQMTQSPSSLSASVGDRVTITCRAS",
    "cdr1_aa": "QDVNTA",
    "fwr2_aa": "VAWYQQKPGKAPKLLIY",
    "cdr2_aa": "SAS",
    "fwr3_aa": "FLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYC",
    "cdr3_aa": "QQHYTTPPT",
    "fwr4_aa": "FGQGTKVEIK",
}
VH, VL = ("".join(regions.values()) for regions in (HEAVY, LIGHT))


def number(folder: Path, **sequences: str) -> tuple[dict[str, dict[str, str]], dict[str, int]]:
    path = folder / "x.fasta"
    path.write_text("".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items()))
    table, counts = number_chains(path, RecordsConfig(), 1)
    return table.set_index("sequence_id").to_dict("index"), counts


def test_an_antibody_has_the_regions_and_genes_of_the_literature(tmp_path: Path):
    pytest.importorskip("anarcism")
    rows, counts = number(
        tmp_path, h=f"{VH}ASTKGPSVF", l=VL, scfv=f"{VH}GGGGSGGGGSGGGGS{VL}", other="M" * 90, u=f"U{VL}"
    )
    assert {column: rows["h"][column] for column in HEAVY} == HEAVY
    assert {column: rows["l"][column] for column in LIGHT} == LIGHT
    assert (rows["h"]["locus"], rows["l"]["locus"]) == ("IGH", "IGK")
    assert rows["h"]["v_call"].startswith("IGHV3-66") and rows["h"]["j_call"].startswith("IGHJ4")
    assert rows["l"]["v_call"].startswith("IGKV1") and rows["l"]["j_call"].startswith("IGKJ1")
    assert rows["h"]["junction_aa"] == "CSRWGGDGFYAMDYW"
    assert rows["u"]["sequence_aa"][0] == "U" and rows["u"]["cdr3_aa"] == LIGHT["cdr3_aa"]
    assert counts == {"n_sequences": 5, "n_without_domain": 1, "n_with_several_domains": 1}


def test_the_table_is_read_as_rearrangements(tmp_path: Path):
    pytest.importorskip("anarcism")
    path = tmp_path / "x.fasta"
    path.write_text(f">h\n{VH}\n>part\n{VL[:60]}\n")
    table, _ = number_chains(path, RecordsConfig(), 1)
    write_text_atomic(tmp_path / "x.tsv", table.to_csv(sep="\t", index=False))
    sequences, _ = sequence_table(tmp_path / "x.tsv", SequenceTableConfig())
    source = read_rearrangements(tmp_path / "x.tsv", sequences, RearrangementConfig())
    listed = source.listed.groupby("accession")["aspect"].agg(sorted).to_dict()
    assert listed == {
        "h": ["cdr3_length_heavy", "j_gene", "locus", "region", "v_gene", "v_subgroup"],
        "part": ["locus", "v_gene", "v_subgroup"],
    }
    assert len(source.spans) == len(HEAVY)


def test_without_variable_domains_or_the_package_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("anarcism")
    with pytest.raises(InputError, match=r"x.fasta: none of 1 sequences has one variable domain"):
        number(tmp_path, a="MKV")
    monkeypatch.setitem(sys.modules, "anarcism", None)
    with pytest.raises(InputError, match=r"pip install 'protsae\[antibody\]'"):
        number(tmp_path, a=VH)
