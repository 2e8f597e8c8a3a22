"""Prediction in a small run: the scores of probing, from a release alone."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from helpers.writing import write_fasta
from protsae.prediction.result import Prediction
from protsae.sequences.fasta import FastaRecord


@pytest.fixture(scope="module")
def project(make_miniature, tmp_path_factory):
    project = make_miniature(tmp_path_factory.mktemp("prediction") / "project")
    project.kedro("run", "--pipelines", "probing,release")
    return project


@pytest.fixture(scope="module")
def held_out(project):
    """Test and validation proteins in an order that is not the run's."""
    proteins = pd.read_parquet(project.data / "03_primary/proteins.parquet")
    return proteins[proteins["split"].isin(["test", "validation"])].sample(frac=1, random_state=1)


def write(path, proteins):
    records = (FastaRecord(row.protein_id, "<b>odd</b>", row.sequence) for row in proteins.itertuples())
    write_fasta(path, records)
    return path


def predict(project, *params, check=True):
    return project.kedro("run", "--pipelines", "prediction", "--params", ",".join(params), check=check)


def output(project):
    return Prediction(project.data / "07_model_output/prediction")


@pytest.mark.parametrize("dictionary", ["protsae", "topk"])
def test_predictions_of_held_out_proteins_are_the_rows_of_probing(project, held_out, dictionary, tmp_path):
    fasta = write(tmp_path / "my.fasta", held_out)
    release = project.data / f"06_models/{dictionary}/release"
    predict(
        project,
        f"prediction.fasta={fasta}",
        f"prediction.release={release}",
        "prediction.proteins_per_shard=10",
    )
    found = output(project).table("concept_scores")
    assert found["protein_id"].unique().tolist() == held_out["protein_id"].tolist()
    concepts = pd.read_parquet(project.data / "03_primary/concepts.parquet")
    scores = pd.read_parquet(project.data / f"07_model_output/{dictionary}/concept_scores.parquet")
    joined = found.merge(concepts[["concept_id", "concept_idx"]], on="concept_id")
    kinds = ["predictor", "latent"] if dictionary == "protsae" else ["latent"]
    for kind in kinds:
        of = scores[scores["method"] == f"{dictionary}_{kind}"]
        both = joined.merge(of, on=["protein_id", "concept_idx"], validate="one_to_one")
        assert len(both) == len(of) == len(found) > 0
        np.testing.assert_allclose(both[f"{kind}_score"], both["score"], atol=1e-6, rtol=1e-6)
    metrics = pd.read_parquet(project.data / f"07_model_output/{dictionary}/concept_metrics.parquet")
    of_test = metrics[(metrics["split"] == "test") & (metrics["method"] == f"{dictionary}_latent")]
    worth = found.drop_duplicates("concept_id").merge(of_test, on="concept_id")
    np.testing.assert_allclose(worth["latent_auc_test"], worth["auc"])
    np.testing.assert_allclose(worth["latent_aupr_test"], worth["average_precision"])


def test_a_changed_file_of_the_same_name_is_noticed(project, held_out, tmp_path):
    fasta = write(tmp_path / "my.fasta", held_out.head(2))
    predict(project, f"prediction.fasta={fasta}")
    assert output(project).record["release"] == "protsae", "the subject's own release comes first"
    assert "1 skipped" in predict(project, f"prediction.fasta={fasta}").stdout
    write(fasta, held_out.head(3))
    again = predict(project, f"prediction.fasta={fasta}")
    assert "input prediction_proteins changed" in again.stdout
    assert len(output(project).table("proteins")) == 3
    assert (output(project).table("proteins")["description"] == "<b>odd</b>").all()


def test_a_sequence_as_text_and_its_variants(project, held_out, tmp_path):
    sequence = held_out["sequence"].iloc[0]
    table = tmp_path / "variants.csv"
    table.write_text(f"mutant\n{sequence[4]}5{'W' if sequence[4] != 'W' else 'A'}\n")
    predict(project, f"prediction.sequence={sequence}", f"prediction.variants={table}")
    assert output(project).table("proteins")["protein_id"].tolist() == ["sequence"]
    assert output(project).table("variants")["llr"].notna().all()
    table.write_text(f"mutant\n{'W' if sequence[4] != 'W' else 'A'}5C\n")
    params = f"prediction.sequence={sequence}", f"prediction.variants={table}"
    failed = predict(project, *params, check=False)
    told = " ".join((failed.stdout + failed.stderr).split())
    assert failed.returncode and "Traceback" not in told
    assert f"variants.csv:2: {'W' if sequence[4] != 'W' else 'A'}5C: sequence has {sequence[4]}" in told


def test_hostile_files_end_in_one_message(project, tmp_path):
    for text, message in [("", "my.fasta"), (">a\nMK*TAY\n", "has '*' at position 3")]:
        (tmp_path / "my.fasta").write_text(text)
        failed = predict(project, f"prediction.fasta={tmp_path / 'my.fasta'}", check=False)
        told = failed.stdout + failed.stderr
        assert failed.returncode and message in " ".join(told.split()) and "Traceback" not in told
    failed = predict(project, check=False)
    assert failed.returncode
    failed = predict(project, "prediction.accept_mismatch=false", check=False)
    assert "no protein is given" in " ".join((failed.stdout + failed.stderr).split())


def test_a_release_alone_predicts_without_any_other_data(project, held_out, tmp_path, make_miniature):
    bare = make_miniature(tmp_path / "bare")
    shutil.rmtree(bare.raw)
    release = shutil.copytree(project.data / "06_models/protsae/release", tmp_path / "release")
    fasta = write(tmp_path / "my.fasta", held_out.head(2))
    predict(bare, f"prediction.fasta={fasta}", f"prediction.release={release}")
    assert len(output(bare).table("proteins")) == 2
    assert (
        json.loads((bare.data / "07_model_output/prediction/prediction.json").read_text())["release"]
        == "protsae"
    )
