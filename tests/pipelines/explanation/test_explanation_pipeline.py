"""The explanation pipeline run whole, on a planted dictionary, without and with a large language model."""

import json

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro_datasets.pandas import ParquetDataset
from tests.explanation.chat_server import ChatServer, serve
from tests.explanation.planted import PlantedDictionary

from protsae.datasets import LlmAnswersDataset
from protsae.explanation.summary import SUMMARY_COLUMNS
from protsae.explanation.tables import COLUMNS
from protsae.pipelines.explanation import create_pipeline
from protsae.pipelines.explanation.parameters import ExplanationParameters
from protsae.pipelines.wiring import Wiring

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")
FOLDERS = ("llm_explanations", "llm_answers")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("planted") / "codes"
    return PlantedDictionary(folder, n=240, n_protein=4, n_residue=2, n_noise=2)


def run(planted, folder, **llm):
    parameters = ExplanationParameters(llm=llm)
    given = {
        "proteins": planted.table,
        **planted.labels,
        "planted.residue_codes": planted.codes,
        "planted.latent_cards": planted.latents,
        "planted.latents": planted.latents,
        "params:explanation.rules": parameters.rules,
        "params:explanation.llm": parameters.llm,
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    for name in FOLDERS:
        catalog[f"planted.{name}"] = LlmAnswersDataset(filepath=str(folder / name))
    pipeline = create_pipeline(Wiring({"planted": "topk"}))
    catalog["planted.explanations"] = ParquetDataset(filepath=str(folder / "explanations.parquet"))
    for name in ("planted.rule_explanations", "explanation_summary"):
        catalog[name] = MemoryDataset()
    SequentialRunner().run(pipeline, catalog)
    return catalog.load("planted.explanations"), catalog.load("explanation_summary")


def test_every_latent_gets_a_sentence_and_scores(planted, tmp_path):
    table, summary = run(planted, tmp_path)
    assert list(table.columns) == list(COLUMNS)
    assert table["latent"].tolist() == planted.latents["latent"].tolist()
    assert not table["is_generated"].any()
    for latent, concept in planted.concept_of.items():
        row = table.loc[latent]
        assert row["concept_id"] == f"C:{concept}"
        assert row["detection"] > row["detection_floor"] + 0.2
    assert (table.loc[planted.noise, "confidence"] == "low").all()
    assert list(summary.columns) == list(SUMMARY_COLUMNS)
    assert summary["n_latents"].tolist() == [8] and summary["n_scored"].tolist() == [8]
    expected = table["rule"].str.contains('"kind": "concept"').mean()
    assert summary.loc[0, "share_concept"] == pytest.approx(expected) and expected > 0
    assert summary.loc[0, "detection"] == pytest.approx(table["detection"].mean())


def test_what_a_model_writes_is_added_and_marked(planted, tmp_path):
    def answer(question):
        if "Say in one plain sentence" in question:
            return json.dumps({"explanation": f"said {hash(question)}"})
        return json.dumps({"answers": [1] * (len(question.split("\n")) - 2)})

    server = ChatServer(answer)
    settings = {"use": "explain_and_score", "model": "big", "n_latents": 3, "n_examples": 4, "backoff_s": 0}
    with serve(server) as url:
        table, summary = run(planted, tmp_path, base_url=url, **settings)
        n_asked = sum(server.requests.values())
        again, _ = run(planted, tmp_path, base_url=url, **settings)
    assert sum(server.requests.values()) == n_asked == 3 + 3 * 6
    written = table[table["is_generated"]]
    assert len(table) == 8 + 3 and len(written) == 3
    assert set(written["author"]) == {"big"}
    assert written["sentence"].str.startswith("said ").all()
    assert (written["detection"] == 0.5).all() and (written["n_scored"] == 4).all()
    assert summary["is_generated"].tolist() == [True, False] and summary["author"].tolist() == [
        "big",
        "rules",
    ]
    assert again.equals(table)
