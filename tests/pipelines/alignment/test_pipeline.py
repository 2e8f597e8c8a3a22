"""The alignment pipeline run whole, in memory, on toy proteins with planted sites."""

from pathlib import Path

import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.interpretation.toy_proteins import HOOK, ToyProteins

from protsae.core.errors import InputError
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store
from protsae.encoding.run import Run
from protsae.interpretation.align import K_SPARSE_COLUMNS
from protsae.interpretation.pairs import ALIGNMENT_COLUMNS
from protsae.interpretation.summary import SUMMARY_COLUMNS
from protsae.metrics.table import METRIC_COLUMNS
from protsae.pipelines.alignment import create_pipeline
from protsae.pipelines.alignment.parameters import AlignmentParameters
from protsae.pipelines.wiring import Wiring
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

CONF = Path(__file__).parents[3] / "conf" / "base"
DEMO = Path(__file__).parents[3] / "data/01_raw/demo"
WIRING = Wiring({"protsae": "protsae", "topk": "topk"})
CONCEPT_IDS = ("GO:1", "site", "GO:2", "loop", "nothing")


@pytest.fixture(scope="module")
def inputs():
    toy = ToyProteins()
    config = ProtSaeConfig(
        d_model=4, d_sae=12, k=2, concept_ids=CONCEPT_IDS, residue_level=("site", "loop", "nothing")
    )
    protsae = ProtSae(config, torch.Generator().manual_seed(0))
    with torch.no_grad():
        protsae.W_pred.zero_()
        protsae.W_pred[1, 0] = 1.0
        protsae.gate_logit.fill_(1.5)
    topk = TopKSae(TopKConfig(d_model=4, d_sae=8, k=2), torch.Generator().manual_seed(1))
    found = {
        "activation_shards": toy.store,
        "plm_checkpoint": DEMO / "esm2_mini.safetensors",
        "proteins": toy.proteins,
        "concepts": toy.tables.concepts,
        "protein_labels": toy.tables.protein_labels,
        "labelled_aspects": toy.tables.labelled_aspects,
        "residue_labels": toy.tables.residue_labels,
    }
    for sae in (protsae, topk):
        name = sae.config.architecture
        run = Run(name, 3, HOOK, 2)
        encoded, codes = encode_and_store(toy.store, sae, run, toy.proteins, EncodingConfig())
        found |= {f"{name}.encoding": encoded.proteins, f"{name}.residue_codes": codes}
    return found


def run(inputs, **baselines):
    parameters = AlignmentParameters(
        hook_point=HOOK,
        choice={"n_latents": 2, "n_resamples": 50},
        k_sparse={"sizes": (1, 2)},
        baselines={"n_directions": 16, "k": 4, **baselines},
    )
    names = ("hook_point", "choice", "k_sparse", "baselines")
    given = {**inputs, **{f"params:alignment.{name}": getattr(parameters, name) for name in names}}
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    pipeline = create_pipeline(WIRING)
    for name in pipeline.all_outputs():
        catalog[name] = MemoryDataset()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.outputs()}


METHODS = ["protsae", "topk", "neurons", "random_directions", "residue_windows", "residue_identity"]


def test_every_method_is_judged_and_the_planted_site_is_found(inputs):
    outputs = run(inputs)
    table = outputs["concept_alignment"]
    assert list(table.columns) == list(ALIGNMENT_COLUMNS)
    assert table["method"].unique().tolist() == METHODS
    best = table[table["rank"] == 1].set_index(["method", "level", "concept_id"])
    assert best.loc[("protsae", "domain", "site"), "latent"] == 1
    assert best.loc[("protsae", "domain", "site"), "is_found"]
    assert best.loc[("neurons", "domain", "site"), "is_found"]
    assert not best.loc[("residue_identity", "domain", "site"), "is_found"]
    assert 0.45 < best.loc[("residue_windows", "domain", "site"), "f1_test"] < 0.6, "a letter is half of it"
    identity = table.groupby(["level", "concept_id"])["f1_identity"].nunique()
    assert (identity == 1).all(), "all methods face the same baseline"
    supervision = table.groupby("method")["supervision"].first()
    assert supervision["protsae"] == "training"
    assert supervision["topk"] == "selection"

    summary = outputs["alignment_summary"]
    assert list(summary.columns) == list(SUMMARY_COLUMNS)
    metrics = outputs["alignment_metrics"]
    assert tuple(metrics.columns) == METRIC_COLUMNS
    assert set(metrics["metric"]) == {
        *("relevance_f1", "relevance_f1_top", "residue_f1", "residue_f1_top", "domain_f1", "domain_f1_top"),
        *("concept_coverage", "k_sparse_auc", "n_effective_concepts"),
    }
    row = metrics[metrics["method"] == "topk"].iloc[0]
    assert row[["seed", "hook_point", "k", "split"]].tolist() == [3, HOOK, 2, "test"]
    assert list(outputs["k_sparse_probes"].columns) == list(K_SPARSE_COLUMNS)
    assert set(outputs["k_sparse_probes"]["k"]) == {1, 2}


def test_a_random_language_model_is_one_more_method_if_asked_for(inputs):
    outputs = run(inputs, random_plm=True, epochs=2)
    table, metrics = outputs["concept_alignment"], outputs["alignment_metrics"]
    more = ["random_plm_neurons", "random_plm_topk"]
    assert [*METHODS[:4], *more, *METHODS[4:]] == table["method"].unique().tolist()
    about = metrics[metrics["method"] == "random_plm_topk"].iloc[0]
    assert about[["seed", "hook_point", "k"]].tolist() == [0, HOOK, 4]
    assert table.loc[table["method"] == "random_plm_topk", "latent"].max() < 16


def test_a_dictionary_of_other_concepts_is_refused(inputs):
    concepts = inputs["concepts"].replace("GO:2", "GO:9")
    with pytest.raises(InputError, match="GO:"):
        run({**inputs, "concepts": concepts})
