"""Forecasts of cost, against hand-made records and sizes."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro_datasets.json import JSONDataset

from protsae.caching import CachingRunner
from protsae.caching.decisions import Decision, Verdict
from protsae.caching.foresight import _LAWS, Cost, Foresight, kind_of, scaled, total
from protsae.caching.plan import show_plan
from protsae.caching.records import Record, read_record, write_record
from protsae.caching.sizes import sizes
from protsae.datasets import PlmCheckpointDataset, SourceFileDataset
from protsae.pipeline_registry import register_pipelines

LATER = {"find_clonotypes", "name_sources"}
"""Kinds that the measured demo did not have; they take a moment."""
SMALL = {
    "proteins": 100.0,
    "residues": 20_000.0,
    "layers": 2,
    "d_model": 10,
    "d_sae": 50,
    "drawn": 1000.0,
    "audited": 40.0,
    "spliced": 500.0,
    "resamples": 200,
    "dictionaries": 2,
    "pages": 100,
}
LARGE = {
    **SMALL,
    "proteins": 300.0,
    "audited": 80.0,
    "residues": 80_000.0,
    "layers": 3,
    "d_model": 20,
    "d_sae": 100,
    "dictionaries": 3,
    "pages": 150,
}
FIGURES = {
    "machine": "an abacus",
    "off_from": "5 proteins",
    "off": {"seconds": 0.25, "n_bytes": 0.04, "peak_mb": 0.111},
    "sizes": SMALL,
    "nodes": {"extract_activations": [10.0, 1000, 500], "plot_data": [2.0, 70, 600]},
}


def record(node: str, seconds: float, of: dict[str, float] | None = None) -> Record:
    return Record(
        node,
        {},
        {},
        seconds=seconds,
        peak_memory_mb=900.0,
        bytes_written=40,
        finished_at="2026",
        run_id=None,
        sizes=of or {},
    )


@pytest.mark.parametrize(
    ("node", "seconds", "n_bytes"),
    [
        ("extraction.extract_activations", 10 * 4 * 1.5 * 2**2, 100 * 4 * 2),
        ("training.topk.plan_training", 10 * 2 * 2, 100 * 2 * 2),  # as many residues drawn
        ("splitting.audit_splits", 10 * 3 * 2, 100 * 3),
        ("probing.find_neighbours", 10 * 3**2, 100 * 3),  # all against all
        ("labelling.label_proteins", 10 * 3, 100 * 3),  # of no law of its own
        ("reporting.plot_data", 10, 100),
        # 2 x (7 kB x 100 pages + 9 kB x 50 latents), then 3 x (7 kB x 150 + 9 kB x 100)
        ("explorer.build_explorer", 10 * 5850 / 2300, 100 * 5850 / 2300),
    ],
)
def test_costs_grow_with_the_work(node, seconds, n_bytes):
    found = scaled(node, Cost(10, 100, 500), SMALL, LARGE)
    assert (found.seconds, found.n_bytes) == (pytest.approx(seconds), pytest.approx(n_bytes))
    assert scaled(node, Cost(10, 100, 500), LARGE, LARGE) == Cost(10, 100, 500)


def test_memory_grows_with_proteins_and_after_extraction_with_latents_and_activations():
    assert scaled("ingestion.parse_sequences", Cost(1, 1, 500), SMALL, LARGE).peak_mb == pytest.approx(504)
    # 210 B for each of 300 x 100 - 100 x 50 pairs; two bytes for each of 80,000 x 20 - 20,000 x 10 values
    dense = scaled("probing.topk.score_dictionary", Cost(1, 1, 500), SMALL, LARGE)
    assert dense.peak_mb == pytest.approx(500 + 210e-6 * 25_000 + 2e-6 * 1_400_000)


def test_sources_are_own_run_then_kind_here_then_the_folder_above_then_the_demo(tmp_path):
    own, above = tmp_path / "data" / "mine" / ".cache", tmp_path / "data" / ".cache"
    for folder, name, seconds in (
        (own, "training.kept.plan_training", 0.1),  # its checkpoint was there
        (own, "training.topk.plan_training", 8.0),
        (above, "extraction.pool_activations", 5.0),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder / f"node-{name}.json", record(name, seconds, SMALL))
    foresight = Foresight(LARGE, [own], FIGURES)

    def seconds(node: str, last: Record | None = None) -> Any:
        found = foresight.cost(node, last)
        return found and (pytest.approx(found.seconds), found.of_demo)

    assert seconds("training.gated.plan_training", record("x.plan_training", 3, SMALL)) == (3 * 4, False)
    assert seconds("training.gated.plan_training", record("x.plan_training", 3)) == (
        3,
        False,
    )  # sizes unknown
    assert seconds("training.gated.plan_training") == (8 * 4, False)
    assert seconds("extraction.pool_activations") == (5 * 4 * 2, False)
    assert seconds("extraction.extract_activations") == (240, True)
    assert seconds("sweeps.plan_sweep") is None
    unknown = Foresight({}, [own], FIGURES)
    assert unknown.cost("training.gated.plan_training", None) is None
    assert unknown.cost("training.gated.plan_training", record("x", 3, SMALL)) == Cost(3, 40, 900)


def test_nodes_run_one_after_another():
    assert total([Cost(1, 20, 300), Cost(2, 5, 700)]) == Cost(3, 25, 700)
    assert total([]) == Cost(0, 0, 0)


def test_plan_prints_stages_total_basis_and_error(capsys):
    def planned(name: str, verdict: Verdict, last: Record | None = None) -> tuple[str, Decision]:
        return name, Decision(verdict, "never run", last)

    show_plan(
        [
            planned("extraction.extract_activations", Verdict.RUN),
            planned("sweeps.plan_sweep", Verdict.RUN),
            planned("reporting.plot_data", Verdict.MAYBE),
            planned("ingestion.parse_sequences", Verdict.SKIP, record("ingestion.parse_sequences", 1, SMALL)),
        ],
        Foresight(LARGE, [], FIGURES),
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("never run  [4.0 min, 8.0 kB, 504.0 MB of memory]")
    assert lines[1].endswith("never run  [time, disk and memory unknown]")
    assert lines[4:7] == [
        "  extraction       4.0 min, 8.0 kB, 504.0 MB of memory",
        "  sweeps           0.0 s, 0 B, 1 unknown",
        "  reporting        2.0 s, 70 B, 608.0 MB of memory",
    ]
    assert (
        "plan: 2 to run (4.0 min, 8.0 kB, 504.0 MB of memory, 1 unknown), 1 perhaps (2.0 s, 70 B" in lines[7]
    )
    assert lines[8] == (
        "foreseen for 300 proteins, 80,000 residues; 2 nodes from the demo's figures (an abacus); the demo "
        "itself, foreseen from 5 proteins, was off by 25% in time, 4% in disk space, 11% in memory"
    )


def safetensors_header(path: Path) -> None:
    header = json.dumps({"__metadata__": {"num_layers": "4", "embed_dim": "16"}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)


@pytest.fixture
def given(tmp_path: Path) -> DataCatalog:
    """Three proteins of 10, 20 and 60 residues, and the settings that sizes depend on."""
    fasta, plm = tmp_path / "proteins.fasta", tmp_path / "plm.safetensors"
    fasta.write_text("".join(f">P{n}\n{'ACDEFGHIKL' * n}\n" for n in (1, 2, 6)))
    safetensors_header(plm)
    parameters = {
        "shared": {"n_resamples": 7},
        "ingestion": {"sequences": {"n_sampled": None}},
        "splitting": {
            "split": {"fractions": {"train": 0.5, "test": 0.25}},
            "audit": {"n_sampled": None, "complete_up_to": 2},
        },
        "extraction": {
            "hook_point": "layers.1.resid_post",
            "hook_points": ["layers.0.mlp_out"],
            "residues_per_protein": None,
        },
        "training": {"d_sae": 64, "trainer": {"epochs": 3, "residues_per_protein": 8}},
        "fidelity": {"sequences": {"max_proteins": None}},
        "dictionaries": {"a": {"architecture": "topk"}, "b": {"architecture": "topk", "k": 3}, "c": None},
        "explorer": {"proteins": None},
    }
    report = JSONDataset(filepath=str(tmp_path / "sequence_report.json"))
    return DataCatalog(
        datasets={
            "parameters": MemoryDataset(parameters),
            "params:ingestion.sequences": MemoryDataset(parameters["ingestion"]["sequences"]),
            "raw_sequences": SourceFileDataset(filepath=str(fasta)),
            "plm_checkpoint": PlmCheckpointDataset(filepath=str(plm)),
            "sequence_report": report,
        }
    )


def test_sizes_come_from_the_files_and_the_settings(given):
    expected = {
        "proteins": 3,
        "residues": 90,
        "layers": 2,
        "d_model": 16,
        "d_sae": 64,
        "drawn": 8 * 3 * 1.5,
        "audited": 1.5,
        "spliced": 0.75 * 30,
        "resamples": 7,
        "dictionaries": 2,
        "pages": 3,
    }
    assert sizes(given, ingested=False) == pytest.approx(expected)
    assert sizes(given, ingested=True) == {}  # the report is not there
    given["sequence_report"].save({"n_proteins": 2, "n_residues": 30})
    assert sizes(given, ingested=True)["residues"] == 30


@pytest.mark.parametrize(
    ("settings", "proteins", "residues"),
    [({"n_sampled": 2}, 2, 60), ({"max_residues": 20}, 2, 30), ({"min_residues": 15, "n_sampled": 1}, 1, 40)],
)
def test_sizes_follow_sampling_and_limits(given, settings, proteins, residues):
    given["params:ingestion.sequences"] = MemoryDataset(settings)
    found = sizes(given, ingested=False)
    assert (found["proteins"], found["residues"]) == (proteins, residues)


@pytest.mark.parametrize(
    ("complete_up_to", "n_sampled", "n"), [(30, 1, 15), (29, 1, 2), (29, 9, 15), (29, None, 15)]
)
def test_audit_searches_all_that_is_held_out_of_little_data(given, complete_up_to, n_sampled, n):
    parameters = given.load("parameters")
    parameters["splitting"]["audit"] = {"n_sampled": n_sampled, "complete_up_to": complete_up_to}
    given["parameters"] = MemoryDataset(parameters)
    given["sequence_report"].save({"n_proteins": 30, "n_residues": 300})
    assert sizes(given, ingested=True)["audited"] == n


def test_layers_end_at_the_deepest_hook_point(given):
    parameters = given.load("parameters")
    parameters["extraction"]["hook_points"] = ["final_norm"]
    given["parameters"] = MemoryDataset(parameters)
    assert sizes(given, ingested=False)["layers"] == 4


def test_shape_of_other_models_is_read_without_weights(given, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_text('{"num_hidden_layers": 5, "hidden_size": 24}')
    for place, width in ((folder, 24), (tmp_path / "esm2_t33_650M_UR50D.pt", 1280)):
        given["plm_checkpoint"] = PlmCheckpointDataset(filepath=str(place))
        assert sizes(given, ingested=False)["d_model"] == width


@pytest.mark.parametrize("damage", ["no model", "no proteins", "no fasta", "no parameters"])
def test_sizes_are_unknown_rather_than_wrong(given, tmp_path, damage):
    if damage == "no model":
        (tmp_path / "plm.safetensors").write_bytes(b"\0" * 40)
    elif damage == "no proteins":
        (tmp_path / "proteins.fasta").unlink()
    elif damage == "no fasta":
        (tmp_path / "proteins.fasta").write_text("Dear Sir\n")
    else:
        given["parameters"] = MemoryDataset({})
    assert sizes(given, ingested=False) == {}


def report_sequences(path: Path) -> dict[str, int]:
    text = path.read_text()
    return {"n_proteins": text.count(">"), "n_residues": text.count("\n") * 10}


def test_runner_records_sizes_and_plans_with_those_of_the_present_file(given, tmp_path, capsys):
    node = Node(report_sequences, "raw_sequences", "sequence_report", name="parse_sequences")
    CachingRunner().run(Pipeline([node]), given)
    (kept,) = (tmp_path / ".cache").glob("node-*.json")
    assert read_record(kept).sizes["proteins"] == 3
    with (tmp_path / "proteins.fasta").open("a") as file:
        file.write(">P9\nACDE\n")
    CachingRunner(plan=True).run(Pipeline([node]), given)
    assert "foreseen for 4 proteins, 94 residues, from runs on this machine" in capsys.readouterr().out


def test_every_node_of_the_default_run_has_figures_of_the_demo():
    kinds = {kind_of(node.name) for node in register_pipelines()["__default__"].nodes}
    figures = Foresight({}, []).figures
    assert kinds <= figures["nodes"].keys() | LATER
    assert set(_LAWS) <= kinds
    assert figures["sizes"]["proteins"] == 939
