"""The project in fresh processes, on the miniature: run, skip, rerun what depends, refuse what is wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.activations.test_parquet import write

from protsae.metrics.table import METRIC_COLUMNS
from protsae.pipeline_registry import register_pipelines

pytestmark = pytest.mark.end_to_end

ROOT = Path(__file__).parents[1]
METHODS = {
    "protsae_latent": "training",
    "protsae_gate": "training",
    "protsae_predictor": "training",
    "gated_linear_probe": "probe",
    "topk_latent": "selection",
    "protsae_probe": "probe",
    "topk_probe": "probe",
    "linear_probe": "probe",
    "prevalence": "none",
    "shuffled_labels": "probe",
    "nearest_neighbour": "transfer",
    "composition_probe": "probe",
    "random_plm_probe": "probe",
    "neurons_latent": "selection",
    "random_directions_latent": "selection",
    **{f"{name}_k{k}": "probe" for name in ("protsae", "topk", "neurons") for k in (1, 5, 20)},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, make_miniature):
    """Return a miniature after its first `kedro run`, and what that run said."""
    project = make_miniature(tmp_path_factory.mktemp("finished") / "project")
    return project, project.kedro("run")


def decisions(done) -> dict[str, str]:
    """Return what the runner decided per node: run or skip."""
    said = re.findall(r"\b(run|skip)\s+([a-z_]+(?:\.[a-z_]+)+)", done.stdout + done.stderr)
    return {name: verdict for verdict, name in said}


def ran(done) -> set[str]:
    return {name for name, verdict in decisions(done).items() if verdict == "run"}


def test_first_run_runs_every_node_and_makes_what_the_readme_names(finished):
    project, done = finished
    assert ran(done) == {node.name for node in register_pipelines()["__default__"].nodes}
    for path in (
        "08_reporting/metrics.csv",
        "08_reporting/explorer/index.html",
        "08_reporting/report/index.html",
        "08_reporting/run.json",
        "04_feature/activations/manifest.json",
        "06_models/protsae/sae.safetensors",
        "06_models/topk/sae.safetensors",
    ):
        assert (project.data / path).stat().st_size > 100, path


def test_shards_hold_one_row_per_residue(finished):
    project, _ = finished
    proteins = pd.read_parquet(project.data / "03_primary/proteins.parquet")
    expected = proteins.loc[proteins["split"] != "excluded", "length"].sum()
    shards = sorted((project.data / "04_feature/activations").glob("*.parquet"))
    tables = [pq.read_table(path) for path in shards]
    assert sum(len(t) for t in tables if "residue_index" in t.column_names) == expected


def test_metrics_have_the_promised_columns_methods_and_figures(finished):
    project, _ = finished
    metrics = pd.read_csv(project.data / "08_reporting/metrics.csv")
    assert tuple(metrics.columns) == tuple(METRIC_COLUMNS)
    named = "auc aupr fmax fve l0 dead_share defined_participation gate_rate subsumption_auc"
    assert set(named.split()) <= set(metrics["metric"])
    everything = metrics[(metrics["split"] == "test") & (metrics["aspect"] == "all")]
    test = everything[everything["stratum"].isna()].set_index(["method", "metric"])
    of_residues = everything[(everything["stratum"] == "residues") & (everything["metric"] == "auc")]
    assert set(of_residues["method"]) == {
        "protsae_latent",
        "protsae_predictor",
        "residue_identity",
        "position",
        "prevalence",
    }
    assert {m: test.loc[(m, "auc"), "supervision"] for m in METHODS} == METHODS
    assert test.loc[("prevalence", "auc"), "value"] == 0.5
    floor = test.loc[("shuffled_labels", "aupr")]
    assert floor["low"] < floor["value"] < floor["high"]
    assert floor["value"] - floor["low"] == pytest.approx(floor["high"] - floor["value"])
    assert set(metrics["split"].dropna()) == {"train", "validation", "test"}


def test_run_record_names_versions_inputs_seeds_and_costs(finished):
    project, _ = finished
    record = json.loads((project.data / "08_reporting/run.json").read_text())
    text = json.dumps(record)
    for needle in ("torch", "kedro", "pyarrow", "numpy", "seconds", "peak_memory", "seed", "raw_sequences"):
        assert needle in text, needle


def test_second_run_skips_every_node(finished):
    project, _ = finished
    assert set(decisions(project.kedro("run")).values()) == {"skip"}


def test_training_parameter_reruns_training_but_not_extraction(finished):
    project, _ = finished
    done = project.kedro("run", "--params", "training.k=3")
    assert {"training.topk.plan_training", "training.protsae.plan_guided_training"} <= ran(done)
    assert "parameter training.k 4 -> 3" in done.stdout + done.stderr
    upstream = {n.name for n in register_pipelines()["extraction"].nodes} | {
        "annotation.join_annotations",
        "extraction.pool_activations",
    }
    assert not ran(done) & upstream


def test_plan_says_what_would_run_and_writes_nothing(finished):
    project, _ = finished
    project.kedro("run")
    before = {p: p.stat().st_mtime_ns for p in project.data.rglob("*") if p.is_file()}
    done = project.kedro("run", "--plan", "--params", "training.k=2")
    assert "parameter training.k 4 -> 2" in done.stdout + done.stderr
    assert {p: p.stat().st_mtime_ns for p in project.data.rglob("*") if p.is_file()} == before


def test_one_parameter_moves_the_hook_point_of_every_pipeline(finished):
    project, _ = finished
    done = project.kedro("run", "--plan", "--params", "extraction.hook_point=layers.0.resid_post")
    for pipeline in ("extraction", "training", "probing"):
        assert f'{pipeline}.hook_point "layers.2.resid_post" -> "layers.0.resid_post"' in done.stdout


@pytest.mark.parametrize("spelling", ["--pipelines", "--pipeline"])
def test_a_named_pipeline_takes_its_ancestors_along_in_both_spellings(finished, spelling):
    project, _ = finished
    done = project.kedro("run", spelling, "probing", "--plan")
    named = set(decisions(done))
    wanted = {"ingestion.parse_sequences", "extraction.extract_activations", "probing.compare_methods"}
    assert {*wanted, "reporting.collect_metrics"} <= named
    assert "reporting.render_report" not in named


def test_a_dictionary_stands_for_its_namespace_in_every_stage(finished):
    project, _ = finished
    named = set(decisions(project.kedro("run", "--namespaces", "topk", "--plan")))
    assert {"training.topk.plan_training", "probing.topk.score_dictionary"} <= named
    assert all(".topk." in name for name in named)
    stage = set(decisions(project.kedro("run", "--namespaces", "fidelity", "--plan")))
    assert "fidelity.protsae.splice_dictionary" in stage
    assert all(name.startswith("fidelity.") for name in stage)


def test_a_node_can_be_named_as_it_is_printed(finished):
    project, _ = finished
    done = project.kedro("run", "--nodes", "annotation.parse_ontology", "--plan")
    assert set(decisions(done)) == {"annotation.parse_ontology"}


def test_an_unknown_pipeline_is_answered_with_the_nearest(finished):
    project, _ = finished
    done = project.kedro("run", "--pipelines", "probbing", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "--pipelines: unknown pipeline 'probbing', did you mean 'probing'?" in done.stderr


def test_a_deleted_output_is_rebuilt_and_nothing_else_runs(finished):
    project, _ = finished
    project.kedro("run")
    report = project.data / "08_reporting/report/index.html"
    before = report.read_bytes()
    report.unlink()
    assert ran(project.kedro("run")) == {"reporting.render_report"}
    assert report.read_bytes() == before


def fasta(text: str):
    return lambda project: (project.raw / "proteins.fasta").write_text(text)


def edit(name: str, old: str, new: str):
    def apply(project) -> None:
        path = project.raw / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new, 1))

    return apply


def make_cycle(project) -> None:
    """Let a parent be a child of its own child."""
    path = project.raw / "go_slice.obo"
    child, parent = re.search(r"id: (GO:\d+)\n(?:[^\[]*?\n)??is_a: (GO:\d+)", path.read_text()).groups()
    path.write_text(
        path.read_text().replace(f"[Term]\nid: {parent}\n", f"[Term]\nid: {parent}\nis_a: {child}\n")
    )


def strangers(project) -> None:
    (project.raw / "annotations.tsv").write_text("accession\tgo_id\nQ00000\tGO:0005524\n")


BAD_INPUT = {
    "missing file": (lambda p: (p.raw / "proteins.fasta").unlink(), [], ["proteins.fasta", "does not exist"]),
    "empty FASTA": (fasta(""), [], ["proteins.fasta", "empty"]),
    "HTML page": (fasta("<!DOCTYPE html>\n<html></html>\n"), [], ["proteins.fasta:1", "web page"]),
    "duplicate id": (fasta(">sp|P1\nACDE\n>sp|P1\nACDF\n"), [], ["proteins.fasta:3", "P1"]),
    "stop inside": (fasta(">sp|P1\nAC*DE\n"), [], ["proteins.fasta:2", "P1", "*"]),
    "cycle": (make_cycle, [], ["go_slice.obo", "cycle", "GO:"]),
    "no dictionary": (
        lambda p: None,
        ["--params", "comparison.rival=topk2"],
        ["comparison.rival: no dictionary is called 'topk2', there are protsae, topk"],
    ),
    "unknown architecture": (
        lambda p: None,
        ["--params", "dictionaries.other.architecture=top_k"],
        ["dictionaries: other: architecture 'top_k' is not known", "topk"],
    ),
    "no match": (strangers, [], ["annotations.tsv", "Q00000"]),
    "k too large": (lambda p: None, ["--params", "training.k=65"], ["k 65", "d_sae 64"]),
    "unknown parameter": (lambda p: None, ["--params", "training.kk=3"], ["kk", "did you mean 'k'"]),
    "unknown block": (lambda p: None, ["--params", "trainin.k=3"], ["trainin", "did you mean 'training'"]),
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_ends_in_one_clear_error_and_nothing_half_written(case, tmp_path, make_miniature):
    spoil, arguments, expected = BAD_INPUT[case]
    project = make_miniature(tmp_path / "project")
    spoil(project)
    done = project.kedro("run", "--pipelines", "annotation", *arguments, check=False)
    said = re.sub(r"\s+", " ", done.stdout + done.stderr)
    assert done.returncode != 0
    assert "Traceback" not in said
    for words in expected:
        assert words in said
    assert not list(project.data.rglob("*.tmp"))
    for table in project.data.glob("0[2-8]*/**/*.parquet"):
        pq.read_table(table)


def test_a_third_dictionary_takes_one_line_of_configuration(finished):
    project, _ = finished
    local = project.root / "conf/test/parameters_more.yml"
    local.write_text("dictionaries:\n  gated: {architecture: gated, k: 3}\n")
    try:
        done = project.kedro("run")
        made = {name for name in ran(done) if ".gated." in name}
        assert {"training.gated.plan_training", "alignment.gated.align_dictionary"} <= made
        assert "training.topk.plan_training" not in ran(done)  # the others are not trained again
        metrics = pd.read_csv(project.data / "08_reporting/metrics.csv")
        own = metrics[metrics["method"].isin(["gated_latent", "gated_probe", "gated"])]
        assert set(own["metric"]) >= {"auc", "aupr", "fmax", "fve", "l0", "loss_recovered"}
        for table in ("latents", "latent_examples", "concept_alignment", "monosemanticity"):
            path = project.data / f"08_reporting/{table}.parquet"
            assert "gated" in set(pd.read_parquet(path)["method"]), table
        assert "Gated SAE" in (project.data / "08_reporting/report/index.html").read_text()
        project.kedro("viz", "build")
        assert "training.gated" in (project.root / "build/api/main").read_text()
        assert set(decisions(project.kedro("run")).values()) == {"skip"}
    finally:
        local.unlink()
        shutil.rmtree(project.root / "build", ignore_errors=True)


@pytest.mark.parametrize("kept", ["protsae", "topk"])
def test_one_dictionary_alone_is_enough(kept, tmp_path, make_miniature):
    project = make_miniature(tmp_path / "project")
    other = {"protsae": "topk", "topk": "protsae"}[kept]
    lines = f"dictionaries:\n  {other}: null\ncomparison: {{subject: {kept}, rival: null}}\n"
    (project.root / "conf/test/parameters_more.yml").write_text(lines)
    done = project.kedro("run")
    assert not any(f".{other}." in name for name in ran(done))
    metrics = pd.read_csv(project.data / "08_reporting/metrics.csv")
    assert f"{kept}_latent" in set(metrics["method"])
    assert not metrics["method"].str.startswith(other).any()
    page = (project.data / "08_reporting/report/index.html").read_text()
    assert ("defined latents" in page) == (kept == "protsae")


def test_files_of_any_origin_take_the_place_of_extraction(make_miniature, tmp_path):
    rng = np.random.default_rng(0)
    proteins = {f"Q{i:02d}": rng.normal(size=(12, 8)).astype(np.float32) for i in range(30)}
    labels = {name: ["even"] if i % 2 == 0 else ["odd"] for i, name in enumerate(proteins)}
    (tmp_path / "files").mkdir()
    write(tmp_path / "files/a.parquet", proteins, labels=labels)
    miniature = make_miniature(tmp_path / "project")
    (
        miniature.root / "conf/parquet/parameters.yml"
    ).write_text(  # one file: Kedro merges several in any order
        "dictionaries:\n  protsae: {architecture: protsae}\n"
        "training: {source: parquet, d_sae: 16, k: 2, trainer: {epochs: 2}, parquet: {min_proteins: 3}}\n"
    )
    arguments = ["run", "--env", "parquet", "--pipelines", "training"]
    miniature.kedro(*arguments, "--params", f"training.manifest={tmp_path / 'files'}")
    made = miniature.root / "data/parquet/06_models"
    for name in ("protsae", "topk"):
        assert (made / name / "sae.safetensors").is_file()
        assert len((made / name / "training_log.csv").read_text().splitlines()) > 10
    concepts = pd.read_parquet(miniature.root / "data/parquet/03_primary/concepts.parquet")
    assert concepts["concept_id"].tolist() == ["even", "odd"]
    done = miniature.kedro(*arguments, check=False)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert "no folder of Parquet files is given" in done.stdout + done.stderr


def test_kedro_viz_builds_offline_with_every_layer(finished):
    project, _ = finished
    done = project.kedro("viz", "build", "--include-previews")
    assert "warn" not in (done.stdout + done.stderr).lower()
    text = (project.root / "build/api/main").read_text()
    for layer in (
        "raw",
        "intermediate",
        "primary",
        "feature",
        "model_input",
        "models",
        "model_output",
        "reporting",
    ):
        assert f'"{layer}"' in text
    shutil.rmtree(project.root / "build")


def test_a_fasta_file_alone_is_enough(tmp_path, make_miniature):
    """Without ontology, annotations and clusters, motifs are the concepts and a search makes the clusters."""
    project = make_miniature(tmp_path / "project")
    catalog = "".join(
        f"{name}:\n  type: protsae.datasets.SourceFileDataset\n  filepath: null\n"
        for name in ("raw_annotations", "raw_ontology", "raw_clusters")
    )
    (project.root / "conf/test/catalog_raw.yml").write_text(catalog)
    for name in ("annotations.tsv", "go_slice.obo", "clusters.tsv"):
        (project.raw / name).unlink()
    project.kedro("run")
    concepts = pd.read_parquet(project.data / "03_primary/concepts.parquet")
    assert set(concepts["aspect"]) == {"motif"}
    metrics = pd.read_csv(project.data / "08_reporting/metrics.csv")
    assert set(metrics["metric"]) >= {"fve", "auc"}
    assert set(metrics.loc[metrics["metric"] == "auc", "stratum"]) == {"residues"}
    latents = pd.read_parquet(project.data / "08_reporting/latents.parquet")
    defined = latents[latents["kind"] == "defined"]
    assert defined["concept_id"].tolist() == concepts["concept_id"].tolist()
    assert "motif:" in (project.data / "08_reporting/report/index.html").read_text()
    report = json.loads((project.data / "03_primary/split_report.json").read_text())
    assert report["clusters"]["method"] in ("builtin", "mmseqs")
    assert set(decisions(project.kedro("run")).values()) == {"skip"}
