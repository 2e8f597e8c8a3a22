"""The pipelines annotation and labelling from files to tables, value by value, without a Kedro project."""

from pathlib import Path

import pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from protsae.pipelines import annotation, labelling
from protsae.pipelines.annotation.parameters import AnnotationParameters
from protsae.pipelines.labelling.parameters import LabellingParameters

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "ontology" / "data"
SPLITS = {
    "P1": "train",
    "P2": "validation",
    "P3": "excluded",
    "P4": "train",
    "P5": "test",
    "P6": "test",
    "P7": "train",
}
SEQUENCES = pd.DataFrame(
    {
        "protein_id": list(SPLITS),
        "aliases": ["", "", "", "P4b", "", "", ""],
        "sequence": ["MRGDWW", "ARGDA", "AAAA", "RGDRGD", "AAARGDA", "AAAA", "AAAA"],
        "length": [6, 5, 4, 6, 7, 4, 4],
    }
)
PROTEINS = SEQUENCES.assign(split=SPLITS.values(), cluster_id=[f"c{i}" for i in range(len(SPLITS))])
PARAMETERS = AnnotationParameters.model_validate({"join": {"max_unknown_share": 0.2}})
LABELLING = LabellingParameters.model_validate(
    {
        "vocabulary": {
            "min_positives": {"train": 1, "validation": 1, "test": 1},
            "min_clusters": {"train": 1, "validation": 1, "test": 1},
            "max_prevalence": 1.0,
        },
    }
)


class KeptDataset(MemoryDataset):
    """A memory dataset that the runner does not empty once it was used."""

    def _release(self) -> None:
        pass


def run(
    tmp_path: Path,
    parameters: AnnotationParameters = PARAMETERS,
    raw_axioms: Path | None = None,
    **more: object,
) -> dict[str, object]:
    rows = (
        DATA / "toy_annotations.tsv"
    ).read_text() + "P6\tx\tGO:1000003\nP7\tx\tGO:1000005\nP6\tx\tGO:1000004\n"
    (tmp_path / "annotations.tsv").write_text(rows)
    given = {
        "raw_ontology": DATA / "toy.obo",
        "raw_axioms": raw_axioms,
        "raw_annotations": tmp_path / "annotations.tsv",
        "sequences": SEQUENCES,
        "proteins": PROTEINS,
        "raw_concept_tables": {},
        "raw_concept_parents": {},
        "raw_features": None,
        "raw_binding_sites": {},
        "raw_motifs": None,
        "raw_rearrangements": None,
        "params:annotation.preset": parameters.preset,
        "params:annotation.sources": parameters.sources,
        "params:annotation.annotations": parameters.annotations,
        "params:annotation.join": parameters.join,
        "params:labelling.vocabulary": LABELLING.vocabulary,
        "params:labelling.axioms": LABELLING.axioms,
        "params:dictionaries": {"protsae": {"architecture": "protsae"}},
        **more,
    }
    pipeline = annotation.create_pipeline() + labelling.create_pipeline()
    kept = {name: KeptDataset() for name in pipeline.all_outputs()}
    SequentialRunner().run(pipeline, DataCatalog({n: MemoryDataset(v) for n, v in given.items()} | kept))
    return {name: dataset.load() for name, dataset in kept.items()}


def test_every_table_holds_exactly_these_values(tmp_path: Path):
    outputs = run(tmp_path)
    concepts, left_out = outputs["concepts"], outputs["concepts_left_out"]
    # Terms two and three have the same proteins P1, P2 and P6.
    assert concepts[
        ["concept_idx", "concept_id", "n_train", "n_validation", "n_test"]
    ].to_numpy().tolist() == [[0, "GO:1000003", 1, 1, 1]]
    assert left_out[["concept_id", "reason"]].to_numpy().tolist() == [
        ["GO:1000002", "same positives as GO:1000003"],
        ["GO:1000004", "fewer than 1 positives in train"],
        ["GO:1000005", "fewer than 1 positives in validation"],
        ["GO:2000002", "fewer than 1 positives in validation"],
    ]
    assert outputs["protein_labels"].to_numpy().tolist() == [["P1", 0], ["P2", 0], ["P6", 0]]
    labelled = outputs["labelled_aspects"]
    assert labelled.loc[labelled["aspect"] == "BPO", "protein_id"].tolist() == ["P1", "P2", "P3", "P6", "P7"]
    assert outputs["axioms"][["normal_form", "c", "d", "d_id"]].to_numpy().tolist() == [
        ["NF1", 0, 2, "GO:1000002"],
        ["NF1", 2, 1, "GO:1000001"],
    ]
    assert outputs["annotation_report"]["n_rows"] == 16
    assert outputs["annotation_report"]["n_proteins_without_annotation"] == 1
    assert outputs["ontology_report"]["data_version"] == "toy/2024-01-01"
    ids = outputs["annotation_ids"].set_index("term_id")
    assert ids.loc["GO:9000001", ["status", "resolved_id"]].tolist() == ["replaced", "GO:1000003"]
    assert len(outputs["ontology_terms"]) == 15
    assert len(outputs["ontology_relations"]) == 8
    assert outputs["protein_concepts"]["is_direct"].sum() == 8


def test_the_preset_reaches_the_join(tmp_path: Path):
    deepgo = run(tmp_path, PARAMETERS.model_copy(update={"preset": "deepgo"}))
    pairs = deepgo["protein_concepts"]
    assert pairs.loc[pairs["protein_id"] == "P7", "concept_id"].tolist() == [
        "GO:1000002",
        "GO:1000003",
        "GO:1000005",
    ]


def test_a_second_run_writes_the_same_bytes(tmp_path: Path):
    for name in ("a", "b"):
        for table, value in run(tmp_path).items():
            if isinstance(value, pd.DataFrame):
                value.to_parquet(tmp_path / f"{table}.{name}")
    tables = sorted(path.stem for path in tmp_path.glob("*.a"))
    assert len(tables) == 21
    assert all((tmp_path / f"{t}.a").read_bytes() == (tmp_path / f"{t}.b").read_bytes() for t in tables)


def test_axioms_of_the_users_take_the_place_of_the_ontologys(tmp_path: Path):
    own = run(tmp_path)
    assert own["go_norm"].splitlines()[:2] == [
        "GO_1000003 and GO_1000005 SubClassOf Nothing",
        "GO_1000002 SubClassOf GO_1000001",
    ]
    assert own["ontology_report"]["axioms_from"] == "ontology"
    assert own["ontology_report"]["n_axioms"]["DISJOINT"] == 1
    (tmp_path / "mine.norm").write_text("GO_1000003 SubClassOf GO_1000001\nGO_5 SubClassOf GO_6\n")
    given = run(tmp_path, raw_axioms=tmp_path / "mine.norm")
    assert given["axioms"][["normal_form", "c_id", "d_id"]].to_numpy().tolist() == [
        ["NF1", "GO:1000003", "GO:1000001"]
    ]
    assert given["ontology_report"]["axioms_from"] == "mine.norm"
    assert given["ontology_report"]["n_axiom_classes_unknown"] == 2
    assert len(given["ontology_axioms"]) == 2


def test_concepts_of_all_sources_meet_in_one_vocabulary(tmp_path: Path):
    (tmp_path / "ec.tsv").write_text(
        "accession\tconcept_id\nP1\tEC:1.1\nP2\tEC:1.2\nP5\tEC:1.2\nP4\tEC:2\nP9\tEC:2\n"
    )
    (tmp_path / "parents.tsv").write_text("concept_id\tparent_id\nEC:1.1\tEC:1\nEC:1.2\tEC:1\nEC:2\t\n")
    (tmp_path / "metal.txt").write_text("P1\t2,4\nP2\t1\nP6\t3\nQ1\t7\n")
    (tmp_path / "zinc.txt").write_text("P4b\t1\n")
    (tmp_path / "motifs.tsv").write_text("id\tname\tpattern\nmotif:rgd\tRGD\tR-G-D\n")
    outputs = run(
        tmp_path,
        raw_concept_tables={"EC": tmp_path / "ec.tsv"},
        raw_concept_parents={"EC": tmp_path / "parents.tsv"},
        raw_binding_sites={"metal": tmp_path / "metal.txt", "zinc": tmp_path / "zinc.txt"},
        raw_motifs=tmp_path / "motifs.tsv",
    )
    concepts = outputs["concepts"]
    assert concepts[["concept_idx", "concept_id", "aspect", "level"]].to_numpy().tolist() == [
        [0, "GO:1000003", "BPO", "protein"],
        [1, "EC:1", "EC", "protein"],
        [2, "binding:metal", "binding", "residue"],
        [3, "motif:rgd", "motif", "residue"],
    ]
    # P3 is excluded; P1 and P4 are the training proteins listed for binding, with 6 residues each.
    assert concepts["prevalence_train"].tolist() == [1 / 2, 1 / 2, 2 / 12, 9 / 16]
    assert outputs["residue_labels"].to_numpy().tolist() == [
        ["P1", 2, 0, 1, 2],
        ["P1", 2, 0, 3, 4],
        ["P1", 3, 0, 1, 4],
        ["P2", 2, 0, 0, 1],
        ["P2", 3, 0, 1, 4],
        ["P4", 3, 0, 0, 3],
        ["P4", 3, 1, 3, 6],
        ["P5", 3, 0, 3, 6],
        ["P6", 2, 0, 2, 3],
    ]
    labels = outputs["protein_labels"]
    assert labels[labels["concept_idx"] == 1]["protein_id"].tolist() == ["P1", "P2", "P5"]
    reasons = dict(outputs["concepts_left_out"][["concept_id", "reason"]].to_numpy().tolist())
    assert reasons["EC:1.2"] == "fewer than 1 positives in train"
    assert reasons["binding:zinc"] == "fewer than 1 positives in validation"
    assert outputs["axioms"].query("c == 1").empty  # EC:1 has no parent, and EC:1.1 is no concept
    report = outputs["source_report"]
    assert (report["EC"]["n_rows"], report["EC"]["n_proteins"]) == (5, 4)
    ids = outputs["source_ids"]
    assert ids[ids["status"] != "at hand"][["source", "accession", "n_rows"]].to_numpy().tolist() == [
        ["EC", "P9", 1],
        ["binding", "Q1", 1],
    ]
