"""Predictions: the user's proteins and variants on the same pages as those of the run."""

import json

import pandas as pd
import pytest

from protsae.core.files import UNSEALED, sha256_file, write_text_atomic
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.content import Given, plan_site

from .conftest import HOSTILE, TEXTS, Site

SEQUENCE = "MKTAYIAKQR"


def document(name):
    return {
        "protein": {
            "protein_id": name,
            "description": f"mine{HOSTILE}",
            "nearest_train_id": None,
            "nearest_train_identity": None,
            "fve": 0.9,
            "is_far": True,
            "note": None,
            "marks": None,
            "sequence": SEQUENCE,
        },
        "concepts": [
            {
                "concept_id": "GO:0000003",
                "name": "zinc",
                "aspect": "BPO",
                "reached": True,
                "prevalence": 0.1,
                "residues": [[2, 4], [9, 9]],
                "predictor": {"score": 0.1, "probability": 0.75, "auc_test": 0.7},
                "latent": {"id": 3, "score": 0.2, "probability": 0.5},
            },
            {
                "concept_id": "GO:9999999",
                "name": "of another run",
                "aspect": "BPO",
                "reached": False,
                "prevalence": 0.1,
                "residues": [],
                "latent": {"id": 4, "score": 0.2, "probability": 0.25},
            },
        ],
        "latents": [{"latent": 3, "strength": 0.5, "max_act": 1.0, "sentence": None}],
        "tracks": [
            {"track": "latent", "id": "3", "positions": [9, 2, 3], "values": [0.5, 1.0, 0.25]},
            {"track": "concept", "id": "GO:0000003", "positions": [2], "values": [1.0]},
        ],
    }


@pytest.fixture
def folder(tmp_path, tables):
    path = tmp_path / "prediction"
    path.mkdir()
    lines = [json.dumps(document(name)) for name in ("wt", f"other{HOSTILE[:9]}")]
    (path / "documents.jsonl").write_text("\n".join(lines) + "\n")
    named = {"protein_id": "wt", "variant": ["A4G:R10K", "M1V"]}
    variants = {"score": [1.5, None], "llr": [-1.0, 2.0], "llr_wild_type": [-2.0, 1.0], "marks": [None, None]}
    pd.DataFrame({**named, **variants}).to_parquet(path / "variants.parquet")
    latents = {
        "protein_id": "wt",
        "variant": "M1V",
        "change": ["gained", "lost"],
        "latent": [5, 6],
        "name": None,
        "peak": [4, 2],
        "sentence": None,
        "strength_wild_type": [0.0, 0.5],
        "strength_variant": [0.75, 0.0],
    }
    pd.DataFrame(latents).to_parquet(path / "variant_latents.parquet")
    concepts = {
        "protein_id": ["wt"],
        "variant": "A4G:R10K",
        "by": "predictor",
        "concept_id": "GO:0000003",
        "name": "zinc",
        "auc_test": 0.7,
        "probability_wild_type": 0.75,
        "probability_variant": 0.5,
    }
    pd.DataFrame(concepts).to_parquet(path / "variant_concepts.parquet")
    record = {
        "format": "protsae.prediction",
        "format_version": 1,
        "seal": UNSEALED,
        "release": "protsae",
        "dictionary_sha256": sha256_file(tables.of["topk"].sae_checkpoint.path),
        "files": {file.name: sha256_file(file) for file in path.iterdir()},
    }
    write_text_atomic(path / "prediction.json", json.dumps(record), sealed=True)
    return path


def site_of(tables, folder, path):
    plan_site(tables, TEXTS, ExplorerConfig(), Given(predicted=folder)).run(path)
    return Site(path)


def test_proteins_and_variants_follow_each_other(tables, folder, tmp_path):
    site = site_of(tables, folder, tmp_path / "site")
    assert site["index"]["has"]["prediction"] is True
    columns = site["prediction"]["proteins"]["columns"]
    assert columns["id"] == ["wt", "wt A4G:R10K", "wt M1V", f"other{HOSTILE[:9]}"]
    assert columns["group"] == [None, "wt", "wt", None]
    protein, double, single, _ = site["prediction-0"]
    assert double["sequence"] == "MKTGYIAKQK"
    assert double["mutations"] == ["A4G", "R10K"]
    assert (double["score"], single["score"]) == (1.5, None)
    assert double["changes"][0] | {"before": 0.75, "after": 0.5, "concept": 3} == double["changes"][0]
    shown = {"dictionary": 1, "latent": 5, "name": None, "peak": 4, "sentence": None}
    assert single["gained"] == [{**shown, "before": 0, "after": 0.75}]
    assert [row["latent"] for row in single["lost"]] == [6]
    assert protein["description"] == f"mine{HOSTILE}"


def test_tracks_and_spans_are_0_based_and_concepts_those_of_the_run(tables, folder, tmp_path):
    protein = site_of(tables, folder, tmp_path / "site")["prediction-0"][0]
    assert protein["spans"] == [{"concept": 3, "start": 1, "end": 4}, {"concept": 3, "start": 8, "end": 9}]
    assert [(row["concept"], row["probability"]) for row in protein["predicted"]] == [(3, 0.75), (-1, 0.25)]
    (track,) = protein["tracks"]
    full = tables.of["topk"].latents["max_act"].iloc[3]
    assert track["max"] == pytest.approx(max(full, 1), rel=1e-5)
    runs = [[start, [v * track["max"] / 255 for v in values]] for start, values in track["runs"]]
    assert [start for start, _ in runs] == [1, 8]
    assert [v for _, values in runs for v in values] == pytest.approx([1, 0.25, 0.5], abs=track["max"] / 255)


def test_latents_of_a_dictionary_that_is_not_in_the_run_have_no_position(tables, folder, tmp_path):
    record = json.loads((folder / "prediction.json").read_text()) | {"dictionary_sha256": "2" * 64}
    write_text_atomic(folder / "prediction.json", json.dumps(record | {"seal": UNSEALED}), sealed=True)
    protein = site_of(tables, folder, tmp_path / "site")["prediction-0"][0]
    assert (protein["tracks"][0]["dictionary"], protein["tracks"][0]["max"]) == (None, 1)


def test_unfinished_prediction_is_left_out(tables, folder, tmp_path):
    (folder / "prediction.json").unlink()
    site = site_of(tables, folder, tmp_path / "site")
    assert site["index"]["has"]["prediction"] is False
    assert not (site.data / "prediction.js").exists()
