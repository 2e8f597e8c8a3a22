"""Concepts of rearrangement tables."""

from pathlib import Path

import pandas as pd
import pytest
from tests.sequences.rearrangements import PARTS, REGIONS, SEQUENCE, heavy, table

from protsae.annotations.airr import read_rearrangements
from protsae.annotations.config import RearrangementConfig
from protsae.annotations.sources import ConceptSource, SourcedConcepts, SourcesConfig, join_sources
from protsae.core.errors import InputError
from protsae.sequences.table import SequenceTableConfig, sequence_table

LIGHT = {
    "sequence_id": "l",
    "sequence_aa": "DIQMTQ",
    "v_call": "IGKV1-39*01,IGKV1D-39*01",
    "j_call": "IGKJ1*01,IGKJ1*02",
    "junction_aa": "CQQSYSTPRTF",
}
CONFIG = RearrangementConfig(mutation_load=(0.1, 0.2), cdr3_length_heavy=(4, 5), cdr3_length_light=(9, 12))


def read(tmp_path: Path, *rows: dict[str, str], **settings: object) -> tuple[ConceptSource, SourcedConcepts]:
    path = table(tmp_path / "x", rows)
    sequences, _ = sequence_table(path, SequenceTableConfig())
    source = read_rearrangements(path, sequences, CONFIG)
    return source, join_sources([source], sequences, SourcesConfig.model_validate(settings))


def concepts(found: SourcedConcepts, protein_id: str) -> list[str]:
    of_protein = found.protein_concepts[found.protein_concepts["protein_id"] == protein_id]
    return [c for c in of_protein["concept_id"] if not c.startswith("region:")]


def aspects(found: SourcedConcepts, protein_id: str) -> list[str]:
    return found.labelled[found.labelled["protein_id"] == protein_id]["aspect"].tolist()


def test_genes_form_a_tree_and_a_call_of_two_genes_labels_their_subgroup(tmp_path: Path):
    source, found = read(tmp_path, heavy("h"), LIGHT)
    assert source.relations.to_numpy().tolist() == [
        ["d_gene:IGHD3-10", "is_a", "locus:IGH"],
        ["j_gene:IGHJ4", "is_a", "locus:IGH"],
        ["j_gene:IGKJ1", "is_a", "locus:IGK"],
        ["v_gene:IGHV3-23", "is_a", "v_subgroup:IGHV3"],
        ["v_gene:IGKV1-39", "is_a", "v_subgroup:IGKV1"],
        ["v_gene:IGKV1D-39", "is_a", "v_subgroup:IGKV1"],
        ["v_subgroup:IGHV3", "is_a", "locus:IGH"],
        ["v_subgroup:IGKV1", "is_a", "locus:IGK"],
    ]
    assert concepts(found, "h") == [
        *("cdr3_length_heavy:medium", "d_gene:IGHD3-10", "j_gene:IGHJ4", "locus:IGH"),
        *("v_gene:IGHV3-23", "v_subgroup:IGHV3"),
    ]
    assert concepts(found, "l") == [
        "cdr3_length_light:medium",
        "j_gene:IGKJ1",
        "locus:IGK",
        "v_subgroup:IGKV1",
    ]
    assert aspects(found, "h") == [
        *("cdr3_length_heavy", "d_gene", "j_gene", "locus", "region", "v_gene", "v_subgroup"),
    ]
    assert aspects(found, "l") == ["cdr3_length_light", "j_gene", "locus", "v_subgroup"]
    assert source.counts["n_ambiguous_v_gene"] == 1
    assert source.counts["n_chains_without_regions"] == 1


def test_rows_of_one_sequence_that_differ_are_ambiguous(tmp_path: Path):
    rows = heavy("a", n_mutations="3"), heavy("b", v_call="IGHV1-2*02", n_mutations="4", d_call="")
    source, found = read(tmp_path, *rows)  # of 3 * 21 nucleotides 5 % and 6 %
    assert concepts(found, "a") == [
        *("cdr3_length_heavy:medium", "d_gene:IGHD3-10", "j_gene:IGHJ4", "locus:IGH", "mutation_load:low"),
    ]
    assert {name: n for name, n in source.counts.items() if "ambiguous" in name} == {
        "n_ambiguous_v_gene": 1,
        "n_ambiguous_v_subgroup": 1,
    }


def test_a_call_of_a_subgroup_makes_genes_of_it_ambiguous(tmp_path: Path):
    source, found = read(
        tmp_path, heavy("a", v_call="IGHV3"), heavy("b", v_call="IGHV3,IGHV3-23", sequence_aa=SEQUENCE + "T")
    )
    for name in "ab":
        assert "v_subgroup:IGHV3" in concepts(found, name)
        assert "v_gene" not in aspects(found, name)
    assert source.counts["n_ambiguous_v_gene"] == 1


@pytest.mark.parametrize(
    ("row", "load"),
    [
        ({"n_mutations": "6"}, "low"),  # 6 / 63 = .095
        ({"n_mutations": "7"}, "medium"),  # .11
        ({"n_mutations": "13"}, "high"),  # .21
        ({"v_identity": "0.95"}, "low"),
        ({"v_identity": "95.2"}, "low"),
        ({"v_identity": "0.875"}, "medium"),
        ({"v_identity": "75"}, "high"),
        ({"v_identity": "1"}, "low"),
        ({"v_identity": "50", "n_mutations": "0"}, "low"),
        ({"v_identity": ""}, None),
    ],
)
def test_mutation_load(tmp_path: Path, row: dict[str, str], load: str | None):
    _, found = read(tmp_path, heavy("a", **row))
    loads = [concept for concept in concepts(found, "a") if concept.startswith("mutation_load")]
    assert loads == ([f"mutation_load:{load}"] if load else [])


@pytest.mark.parametrize(
    ("row", "size"),
    [
        ({"cdr3_aa": "ARD"}, "heavy:short"),
        ({"cdr3_aa": "ARDY"}, "heavy:medium"),
        ({"cdr3_aa": "ARDYW"}, "heavy:long"),
        ({"cdr3_aa": "", "junction_aa": "CARDYWW"}, "heavy:long"),
        ({"v_call": "TRAV1-1", "j_call": "TRAJ1", "d_call": "", "cdr3_aa": "A" * 8}, "light:short"),
        ({"v_call": "IGLV1-40", "j_call": "IGLJ1", "d_call": "", "cdr3_aa": "A" * 12}, "light:long"),
    ],
)
def test_cdr3_length_has_classes_by_kind_of_chain(tmp_path: Path, row: dict[str, str], size: str):
    _, found = read(tmp_path, heavy("a", **row), max_skipped_share=1)
    assert f"cdr3_length_{size}" in concepts(found, "a")


def test_regions_are_spans_of_the_sequence_at_hand(tmp_path: Path):
    _, found = read(
        tmp_path, heavy("a", sequence_aa=f"MK{SEQUENCE}ASTK"), heavy("b", fwr1_aa="EEE", sequence_aa="MMM"),
        max_skipped_share=0.5,
    )  # fmt: skip
    starts = {"FR1": 2, "CDR1": 5, "FR2": 8, "CDR2": 11, "FR3": 13, "CDR3": 16, "FR4": 20}
    spans = found.residue_concepts
    assert {(c, s, e) for _, c, _, s, e in spans.itertuples(index=False)} == {
        (f"region:{name}", start, start + len(part))
        for (name, start), part in zip(starts.items(), PARTS, strict=True)
    }
    assert set(spans["protein_id"]) == {"a"}
    assert "region" not in aspects(found, "b")
    assert found.report["rearrangements"]["n_skipped_regions_not_in_sequence"] == 1


def test_without_framework_4_the_end_of_the_alignment_is_it(tmp_path: Path):
    row = heavy("a", fwr4_aa="", sequence_aa="", sequence_alignment_aa=f"Q-{SEQUENCE}S")
    _, found = read(tmp_path, row)
    (fr4,) = found.residue_concepts[found.residue_concepts["concept_id"] == "region:FR4"].to_numpy().tolist()
    assert fr4[3:] == [1 + len(SEQUENCE) - 3, len(SEQUENCE) + 2]
    for longer in ({}, {"sequence_aa": f"{SEQUENCE}ASTK", "sequence_alignment_aa": SEQUENCE}):
        source, _ = read(tmp_path, heavy("a", fwr4_aa="", **longer))  # may go on after the J gene
        assert source.counts["n_chains_without_regions"] == 1
        assert source.spans.empty


def test_a_paired_data_unit_of_oas(tmp_path: Path):
    light = dict(zip(REGIONS, ("DIQ", "QDV", "WYQ", "AS", "YYC", "QQHYTTPPT", ""), strict=True))
    alignment = {"sequence_alignment_aa": "".join(light.values()) + "FGQ"}
    calls = {"v_call": "IGKV1-39*01", "d_call": "", "j_call": "IGKJ1*01", "locus": "K", "v_identity": "87.5"}
    pair = {
        **{f"{name}_heavy": value for name, value in heavy("h1", locus="H", v_identity="99.1").items()},
        **{
            f"{name}_light": value
            for name, value in {"sequence_id": "l1", **calls, **light, **alignment}.items()
        },
        "ANARCI_numbering_heavy": "\"{'fwh1': {'1 ': 'Q', '2 ': 'V'}}\"",
    }
    single = {
        f"{name}_heavy": value for name, value in heavy("h2", sequence_aa="MKV", productive="F").items()
    }
    path = table(tmp_path / "x.csv", [pair, single], ",", '"{""Run"": ""SRR1"", ""Isotype"": ""All""}"\n')
    sequences, report = sequence_table(path, SequenceTableConfig())
    assert sequences["protein_id"].tolist() == ["h1_heavy", "l1_light"]
    assert report["rearrangements"]["n_chains_not_productive"] == 1
    assert report["rearrangements"]["n_chains_without_sequence"] == 1
    found = join_sources([read_rearrangements(path, sequences, CONFIG)], sequences, SourcesConfig())
    assert concepts(found, "h1_heavy") == [
        *("cdr3_length_heavy:medium", "d_gene:IGHD3-10", "j_gene:IGHJ4", "locus:IGH", "mutation_load:low"),
        *("v_gene:IGHV3-23", "v_subgroup:IGHV3"),
    ]
    assert concepts(found, "l1_light") == [
        *("cdr3_length_light:medium", "j_gene:IGKJ1", "locus:IGK", "mutation_load:medium"),
        *("v_gene:IGKV1-39", "v_subgroup:IGKV1"),
    ]
    ends = found.residue_concepts.groupby("protein_id")["end"].max()
    assert ends.to_dict() == {"h1_heavy": len(SEQUENCE), "l1_light": len(alignment["sequence_alignment_aa"])}
    assert len(found.residue_concepts) == 14


def test_t_cell_receptors_share_v_genes_of_alpha_and_delta(tmp_path: Path):
    delta = {"sequence_id": "d", "v_call": "TRAV14/DV4*02", "d_call": "TRDD3*01", "j_call": "TRDJ1*01"}
    beta = {"sequence_id": "b", "v_call": "TRBV28", "j_call": "TRBJ1-1", "d_call": ""}
    source, found = read(tmp_path, {**delta, "sequence_aa": "MKV"}, {**beta, "sequence_aa": "MKL"})
    assert concepts(found, "d") == [
        *("d_gene:TRDD3", "j_gene:TRDJ1", "locus:TRD", "v_gene:TRAV14/DV4", "v_subgroup:TRAV14"),
    ]
    assert ["v_subgroup:TRAV14", "is_a", "locus:TRA"] not in source.relations.to_numpy().tolist()
    assert concepts(found, "b") == ["j_gene:TRBJ1-1", "locus:TRB", "v_gene:TRBV28", "v_subgroup:TRBV28"]


def test_a_gene_without_subgroup_is_below_its_locus(tmp_path: Path):
    gamma = {"sequence_id": "g", "sequence_aa": "MKV", "v_call": "TRGVA*01", "j_call": "TRGJ1*01"}
    source, found = read(tmp_path, gamma)
    assert ["v_gene:TRGVA", "is_a", "locus:TRG"] in source.relations.to_numpy().tolist()
    assert aspects(found, "g") == ["j_gene", "locus", "v_gene"]


def test_chains_of_several_loci_are_skipped_and_counted(tmp_path: Path):
    rows = (
        heavy("a", locus="IGK"),
        heavy("b", sequence_aa="MKV", fwr1_aa="", v_call="IGHV3-23,IGKV1-5", locus=""),
    )
    source, found = read(
        tmp_path, *rows, heavy("c", sequence_aa="MKL", fwr1_aa="", locus="igh"), max_skipped_share=0.8
    )
    assert source.counts["n_skipped_of_several_loci"] == 2
    assert set(found.protein_concepts["protein_id"]) == {"c"}
    with pytest.raises(InputError, match=r"2 of 3 rows cannot be used \(n_skipped_of_several_loci 2\)"):
        read(tmp_path, *rows, heavy("c", sequence_aa="MKL", fwr1_aa=""))


def test_proteins_that_are_not_at_hand_are_listed(tmp_path: Path):
    path = table(tmp_path / "x", [heavy("a"), heavy("b")])
    sequences = pd.DataFrame({"protein_id": ["b"], "aliases": [""], "sequence": [SEQUENCE], "length": [21]})
    found = join_sources([read_rearrangements(path, sequences, CONFIG)], sequences, SourcesConfig())
    assert found.ids[["accession", "status"]].to_numpy().tolist() == [
        ["a", "not among the sequences"],
        ["b", "at hand"],
    ]
    assert found.report["rearrangements"]["n_spans"] == len(REGIONS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"v_call": "VH3"}, r"x:2: v_call: 'VH3' is not the name of a germline gene"),
        ({"locus": "IGX"}, r"x:2: locus 'IGX' is none of IGH, IGI"),
        ({"n_mutations": "many"}, r"x:2: n_mutations is 'many', which is not a number of mutations"),
        ({"n_mutations": "64"}, r"x:2: n_mutations is '64'"),
        ({"v_identity": "-0.1"}, r"x:2: v_identity is '-0.1'"),
        ({"v_identity": "nan"}, r"x:2: v_identity is 'nan'"),
        ({"v_identity": "101"}, r"x:2: v_identity is '101'"),
    ],
)
def test_faults_name_line_and_column(tmp_path: Path, row: dict[str, str], message: str):
    with pytest.raises(InputError, match=message):
        read(tmp_path, heavy("a", **row))


def test_a_table_without_calls_is_refused(tmp_path: Path):
    row = {"sequence_id": "a", "sequence_aa": "MKV", "v_call": ""}
    with pytest.raises(
        InputError, match="x:1: the header has no column j_call; found 'sequence_id, sequence_aa,"
    ):
        read(tmp_path, row)


@pytest.mark.parametrize("bounds", [{"mutation_load": (0.2, 0.1)}, {"cdr3_length_light": (0, 4)}])
def test_bounds_rise(bounds: dict[str, tuple[float, float]]):
    with pytest.raises(ValueError, match="expected two rising numbers above 0"):
        RearrangementConfig.model_validate(bounds)
