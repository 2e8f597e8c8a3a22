"""The release pipeline: what goes into each dictionary's folder."""

import pandas as pd
import pytest
from tests.plm.tiny_esm2 import tiny_model
from tests.release.small_release import D_SAE, SEQUENCES, small_checkpoint

from protsae.core.errors import InputError
from protsae.datasets import ReleaseDataset
from protsae.pipelines.release import create_pipeline
from protsae.pipelines.release.nodes import assemble_release
from protsae.pipelines.wiring import Wiring
from protsae.release.assembly import training_sequences, with_explanations
from protsae.release.config import ReleaseConfig
from protsae.release.record import TABLES
from protsae.reporting.config import ReportTexts

PROTEINS = pd.DataFrame(
    {"protein_id": ["a", "b", "c"], "sequence": SEQUENCES, "split": ["train", "test", "train"]}
)
SOURCES = {"sequences": {"file": "mine.fasta", "sha256": "ab" * 32}}


@pytest.fixture
def assembled(tmp_path):
    model = tiny_model(tmp_path)
    checkpoint = small_checkpoint(tmp_path, model)

    def assemble(texts=(), **config):
        return assemble_release(
            checkpoint,
            tmp_path / "tiny_0.safetensors",
            PROTEINS,
            {"salt": "s7"},
            SOURCES,
            texts=ReportTexts(title="t", attribution=texts),
            config=ReleaseConfig(**config),
            latents=pd.DataFrame({"latent": range(D_SAE)}),
        )

    return assemble


def test_what_is_known_of_a_run_goes_in(assembled):
    content = assembled(texts=("From my freezer.",))
    assert content.data.model_dump() == {
        "description": "sequences: mine.fasta",
        "n_proteins": 2,
        "split_salt": "s7",
    }
    assert content.attribution[0] == "From my freezer." and "mine.fasta" in content.attribution[1]
    assert content.tables["train_sequences"].to_dict("list") == {
        "protein_id": ["a", "c"],
        "sequence": [SEQUENCES[0], SEQUENCES[2]],
    }
    assert assembled(description="yeast").data.description == "yeast"


def test_a_large_language_model_stays_out(assembled, tmp_path):
    size_mb = (tmp_path / "tiny_0.safetensors").stat().st_size / 1e6
    assert assembled(max_plm_mb=size_mb).plm == tmp_path / "tiny_0.safetensors"
    assert assembled(max_plm_mb=size_mb - 1e-5).plm is None


def test_a_cap_keeps_some_training_sequences_and_always_the_same():
    many = pd.DataFrame({"protein_id": [f"P{i}" for i in range(50)], "sequence": "MK", "split": "train"})
    kept = [set(training_sequences(many, ReleaseConfig(max_train_sequences=n)).protein_id) for n in (10, 20)]
    assert (len(kept[0]), len(kept[1])) == (10, 20) and kept[0] < kept[1]
    assert kept[0] != {f"P{i}" for i in range(10)}
    assert len(training_sequences(many, ReleaseConfig(max_train_sequences=60))) == 50


def test_explanations_join_latents_and_those_of_an_llm_come_second():
    latents = pd.DataFrame({"latent": [0, 1, 2], "concept_id": ["GO:1", "", ""]})
    explanations = pd.DataFrame(
        {
            "latent": [1, 0, 1],
            "author": ["some-llm", "rules", "rules"],
            "is_generated": [True, False, False],
            "sentence": ["perhaps zinc", "kinase", "zinc"],
            "concept_id": ["GO:9", "GO:1", "GO:8"],
        }
    )
    joined = with_explanations(latents, explanations)
    assert joined["latent"].tolist() == [0, 1, 2]
    assert joined["sentence"].fillna("").tolist() == ["kinase", "zinc", ""]
    assert joined["author"].fillna("").tolist() == ["rules", "rules", ""]
    assert joined["concept_id"].tolist() == ["GO:1", "", ""]
    assert joined["concept_id_explained"].fillna("").tolist() == ["GO:1", "GO:8", ""]


def test_the_dataset_saves_and_opens_a_release_and_passes_errors(assembled, tmp_path):
    dataset = ReleaseDataset(filepath=str(tmp_path / "made" / "release"))
    assert not dataset.exists()
    with pytest.raises(InputError, match="is no folder"):
        dataset.load()
    dataset.save(assembled())
    assert dataset.exists() and dataset.load().latents["latent"].tolist() == list(range(D_SAE))
    (tmp_path / "made/release/release.json").unlink()
    assert not dataset.exists()
    with pytest.raises(InputError, match="holds something else than a release"):
        dataset.save(assembled())


def test_every_dictionary_has_a_release():
    wiring = Wiring({"protsae": "protsae", "topk": "topk"})
    nodes = {node.outputs[0]: node for node in create_pipeline(wiring).nodes}
    assert nodes.keys() == {"protsae.release", "topk.release"}
    inputs = nodes["topk.release"]._inputs
    assert inputs["latents"] == "topk.latent_cards" and inputs.keys() & set(TABLES) >= {"concepts", "latents"}
