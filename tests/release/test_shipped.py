"""The releases that come with the package: small, whole, and of the models that the repository holds."""

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from protsae.release import open_release
from protsae.release.folder import SHIPPED

ROOT = Path(__file__).parents[2]
MODELS = {
    "demo": "data/01_raw/demo/esm2_mini.safetensors",
    "antibody": "data/01_raw/antibody/esm2_antibody.safetensors",
}


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_release_is_whole_and_small(name):
    release = open_release(name)
    for file in release.record.files:
        release.file(file)
    sae = release.load_sae()
    assert sae.n_defined == (0 if name == "demo_topk" else len(release.concepts))
    assert sum(path.stat().st_size for path in release.path.iterdir()) < 8e6
    assert release.record.activations.fve > 0.9
    assert release.latents["latent"].is_unique and len(release.latents) == sae.config.d_sae


@pytest.mark.parametrize("name", MODELS)
def test_its_language_model_is_that_of_the_raw_data_byte_for_byte(name):
    release = open_release(name)
    assert (release.path / "plm.safetensors").read_bytes() == (ROOT / MODELS[name]).read_bytes()
    assert release.check_model(release.load_plm(), hook_point="layers.2.resid_post") == []


def test_both_dictionaries_of_the_demo_are_of_one_run():
    demo, topk = open_release("demo").record, open_release("demo_topk").record
    assert (demo.language_model.sha256, demo.hook_point) == (topk.language_model.sha256, topk.hook_point)
    assert demo.data == topk.data and not topk.language_model.is_inside


@pytest.mark.parametrize("name", SHIPPED)
def test_sources_and_licences_are_inside(name):
    text = " ".join(open_release(name).record.attribution)
    named = ["GenAIRR", "OGRDB"] if name == "antibody" else ["UniProt", "Gene Ontology", "CC BY 4.0"]
    assert all(source in text for source in named), text


def test_training_sequences_are_few_and_residues():
    sizes = {name: len(open_release(name).train_sequences) for name in SHIPPED}
    assert sizes == {"demo": 573, "demo_topk": 573, "antibody": 1000}
    sequences = pd.concat(open_release(name).train_sequences for name in SHIPPED)["sequence"]
    assert sequences.str.fullmatch("[ACDEFGHIKLMNPQRSTVWYXBUZO]+").all()


def test_they_are_package_data():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert declared["protsae.release"] == ["shipped/*/*"] and "*.pyi" in declared["protsae"]
    inside = {path.name for path in (ROOT / "src/protsae/release/shipped").iterdir()}
    assert inside == set(SHIPPED)
