"""Ingestion and splitting of hand-made proteins: every output by value, the same bytes on a second run."""

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import ParquetDataset
from pydantic import ValidationError
from tests.sequences.rearrangements import heavy, table

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.pipelines import ingestion, splitting
from protsae.pipelines.ingestion.parameters import IngestionParameters
from protsae.pipelines.splitting.parameters import SplittingParameters

TABLES = ("sequences", "protein_clusters", "split_assignment", "proteins")
ROOT = Path(__file__).parents[3]
RNG = numpy_generator(0, "ingestion")
S = ["".join(RNG.choice(list(AMINO_ACIDS), 80)) for _ in range(7)]
# The default salt deals cluster0 to train, cluster2 to validation and cluster6 to test (see test_split).
CLUSTERS = "accession\tcluster_id\n" + "".join(
    f"{name}\t{cluster}\n"
    for name, cluster in [
        ("P1", "cluster0"),
        ("P2", "cluster0"),
        ("P3", "cluster2"),
        ("P4", "cluster6"),
        ("P5", "cluster6"),
        ("P6", "cluster6"),
        ("P9", "cluster2"),
        ("gone", "cluster0"),
    ]
)
FASTA = (
    f">sp|P2|TWO second\n{S[1]}\n>sp|P1|ONE first\n{S[0][:40].lower()}\n{S[0][40:]}*\n>P3\n{S[2]}\n"
    f">P7 held back\n{S[6]}\n"
    f">P4\n{S[3]}\n>P5 leaks\n{S[1][:76]}{S[4][:4]}\n>P6\n{S[5]}\n>P9 copy\n{S[2]}\n>P1 again\n{S[0]}\n"
)


CONCEPTS = pd.DataFrame({"protein_id": ["P1", "P2", "P3", "P4", "P5"], "concept_id": ["T"] * 5})


def _run(
    folder: Path,
    fasta: str = FASTA,
    rearrangements: Path | None = None,
    method: str = "auto",
    **audit: object,
) -> dict[str, object]:
    (folder / "proteins.fasta").write_text(fasta)
    (folder / "clusters.tsv").write_text(CLUSTERS)
    (folder / "held_back.tsv").write_text("accession\nP7\n")
    parameters = IngestionParameters.model_validate({"clusters": {"method": method}})
    split = {"min_positives_stratified": 5, "n_salts": 1 if method == "auto" else 30}
    own = SplittingParameters.model_validate({"audit": audit, "split": split})
    pipeline = ingestion.create_pipeline() + splitting.create_pipeline()
    catalog = DataCatalog(
        {
            "raw_sequences": MemoryDataset(folder / "proteins.fasta"),
            "raw_clusters": MemoryDataset(folder / "clusters.tsv"),
            "raw_rearrangements": MemoryDataset(rearrangements),
            "raw_held_back": MemoryDataset(folder / "held_back.tsv"),
            "params:ingestion.sequences": MemoryDataset(parameters.sequences),
            "protein_concepts": MemoryDataset(CONCEPTS),
            "params:ingestion.clusters": MemoryDataset(parameters.clusters),
            "params:splitting.split": MemoryDataset(own.split),
            "params:splitting.audit": MemoryDataset(own.audit),
            **{name: ParquetDataset(filepath=str(folder / f"{name}.parquet")) for name in TABLES},
        }
    )
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs() - {"cluster_report", "clonotypes"}}


@pytest.mark.parametrize(("method", "named"), [("clonotype", "P1"), ("v_subgroup", "IGHV1")])
def test_clusters_by_rearrangement_are_audited_by_clonotype(tmp_path: Path, method: str, named: str) -> None:
    calls = {
        "P1": "IGHV1-2",
        "P2": "IGHV1-2",
        "P3": "IGHV3-23",
        "P4": "IGHV4-4",
        "P5": "IGHV5-51",
        "P6": "IGHV6-1",
    }
    rows = [heavy(name, v_call=call, sequence_aa="M") for name, call in calls.items()]
    out = _run(tmp_path, rearrangements=table(tmp_path / "airr.tsv", rows), method=method, n_sampled=None)
    proteins = out["proteins"].set_index("protein_id")
    assert proteins.loc[["P1", "P2"], "cluster_id"].tolist() == [named, named]
    assert set(proteins.loc["P3":"P6", "nearest_train_id"]) == {""}  # P5 is like P2 by sequence
    assert set(out["split_audit"]["method"]) == {"clonotype"}
    assert out["split_report"]["clusters"]["method"] == method


def test_the_pipeline_gives_these_values(tmp_path: Path) -> None:
    out = _run(tmp_path)
    expected = pd.DataFrame(
        {
            "protein_id": ["P1", "P2", "P3", "P4", "P5", "P6"],
            "sequence": [S[0], S[1], S[2], S[3], S[1][:76] + S[4][:4], S[5]],
            "length": pd.Series([80] * 6, dtype="int32"),
            "description": ["ONE first", "TWO second", "", "", "leaks", ""],
            "aliases": ["", "", "P9", "", "", ""],
            "cluster_id": ["cluster0", "cluster0", "cluster2", "cluster6", "cluster6", "cluster6"],
            "split": ["train", "train", "validation", "test", "excluded", "test"],
            "is_audited": [False, False, True, True, True, True],
            "nearest_train_id": ["", "", "", "", "P2", ""],
        }
    )
    proteins = out["proteins"]
    pd.testing.assert_frame_equal(
        proteins.drop(columns=["nearest_train_identity", "nearest_train_coverage"]), expected
    )
    assert proteins["nearest_train_identity"].notna().tolist() == [False] * 4 + [True, False]
    assert 76 / 80 <= proteins["nearest_train_identity"][4] <= 1
    report = out["sequence_report"]
    assert (report["n_records"], report["n_merged_by_id"], report["n_merged_by_sequence"]) == (9, 1, 1)
    assert report["n_held_back"] == 1
    assert report["residue_policy"] == {"n_lower_case": 40, "n_trailing_stops": 1}
    assert out["split_report"] == {
        "clusters": {
            "method": "given",
            "file": "clusters.tsv",
            "n_without_cluster": 0,
            "n_cluster_rows_unused": 1,
            "n_clusters_united": 0,
            "n_clusters": 3,
            "n_alone": 1,
            "n_in_largest": 3,
        },
        "salt": "protsae",
        "n_salts_tried": 1,
        "n_concepts_stratified": 1,
        # 2, 1 and 2 of 5 positives where .6, .2 and .2 are wanted.
        "imbalance": pytest.approx(0.2),
        "imbalance_of_first_salt": pytest.approx(0.2),
        "n_proteins": 6,
        "n_clusters": 3,
        "n_proteins_by_split": {"train": 2, "validation": 1, "test": 3},
        "n_clusters_by_split": {"train": 1, "validation": 1, "test": 1},
    }
    audit = out["split_audit"]
    assert audit[["split", "against", "n_proteins", "n_with_relative", "n_excluded"]].values.tolist() == [
        ["validation", "train", 1, 0, 0],
        ["test", "train", 3, 1, 1],
        ["test", "validation", 2, 0, 0],
    ]


def test_a_second_run_over_shuffled_records_writes_the_same_bytes(tmp_path: Path) -> None:
    first = _run(tmp_path)["split_audit"]
    before = {name: (tmp_path / f"{name}.parquet").read_bytes() for name in TABLES}
    records = [f">{part}" for part in FASTA.split(">")[1:] if "again" not in part]
    second = _run(tmp_path, "".join(reversed(records)))
    assert {name: (tmp_path / f"{name}.parquet").read_bytes() for name in TABLES} == before
    assert first.to_csv() == second["split_audit"].to_csv()


def test_bad_input_stops_the_run_with_file_and_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"proteins\.fasta:2: record 'P1' has '\*' at position 3"):
        _run(tmp_path, ">P1\nMK*V\n")
    with pytest.raises(InputError, match=r"^1 of 3 searched test proteins .* have a relative in train"):
        _run(tmp_path, on_leak="fail")


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="unknown key 'min_identty', did you mean 'min_identity'"):
        SplittingParameters.model_validate({"audit": {"relatives": {"min_identty": 0.2}}})
