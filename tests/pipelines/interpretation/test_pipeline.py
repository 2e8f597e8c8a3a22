"""The interpretation pipeline run whole, in memory, with one concept planted in one amino acid."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.memory_store import MemoryStore

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store
from protsae.encoding.run import Run
from protsae.pipelines.interpretation import create_pipeline
from protsae.pipelines.interpretation.parameters import InterpretationParameters
from protsae.pipelines.wiring import Wiring
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

CONF = Path(__file__).parents[3] / "conf" / "base"
HOOK = "layers.2.resid_post"
WIRING = Wiring({"protsae": "protsae", "topk": "topk"})
CONCEPT_IDS = ("GO:1", "GO:2")
N = 60


@pytest.fixture
def inputs():
    """Concept GO:1 is "has a W"; the first defined latent reads the dimension that marks W."""
    generator = np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(N)]
    sequences = {p: "".join(generator.choice(list("ACDEFGHIKL"), size=30)) for p in ids}
    has_w = generator.random(N) < 0.4
    for p, has in zip(ids, has_w, strict=True):
        if has:
            sequences[p] = sequences[p][:20] + "W" + sequences[p][21:]
    activations = {}
    for p, sequence in sequences.items():
        x = 0.1 * generator.normal(size=(30, 5))
        x[:, 0] += [3.0 * (a == "W") for a in sequence]
        activations[p] = x.astype(np.float32)
    store = MemoryStore(activations, HOOK)
    tossed = [p for p in ids[:30] if generator.random() < 0.5]  # the others of these are not labelled
    protsae = ProtSae(
        ProtSaeConfig(d_model=5, d_sae=10, k=2, concept_ids=CONCEPT_IDS), torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        protsae.W_pred.copy_(torch.tensor([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]]))
        protsae.gate_logit.copy_(torch.tensor([1.0, 0.0]))
    topk = TopKSae(TopKConfig(d_model=5, d_sae=8, k=2), torch.Generator().manual_seed(1))
    split = np.array(["train", "validation", "test"])[np.arange(N) % 3]
    found = {
        "activation_shards": store,
        "proteins": pd.DataFrame(
            {
                "protein_id": ids,
                "sequence": [sequences[p] for p in ids],
                "description": [f"about {p}" for p in ids],
                "split": split,
                "cluster_id": ids,
            }
        ),
        "concepts": pd.DataFrame(
            {
                "concept_idx": [0, 1],
                "concept_id": CONCEPT_IDS,
                "name": ["tryptophan", "coin"],
                "aspect": ["motif", "coin"],
                "level": "protein",
            }
        ),
        "protein_labels": pd.DataFrame(
            [(p, 0) for p, has in zip(ids, has_w, strict=True) if has] + [(p, 1) for p in tossed],
            columns=["protein_id", "concept_idx"],
        ),
        "residue_labels": pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)).astype({"concept_idx": "int64"}),
        "labelled_aspects": pd.DataFrame(
            [(p, "motif") for p in ids] + [(p, "coin") for p in [*tossed, *ids[30:]]],
            columns=["protein_id", "aspect"],
        ),
    }
    for sae in (protsae, topk):
        name = sae.config.architecture
        run = Run(name, 0, HOOK, 2)
        encoded, codes = encode_and_store(store, sae, run, found["proteins"], EncodingConfig())
        found[f"{name}.encoding"] = encoded.proteins
        found[f"{name}.latent_statistics"] = encoded.latent_statistics
        found[f"{name}.residue_codes"] = codes
    return found


def run(inputs, pooling="mean"):
    parameters = InterpretationParameters(
        matching={"pooling": pooling}, examples={"n_proteins": 4, "n_free": 3, "flank": 5}
    )
    given = {
        **inputs,
        "params:interpretation.matching": parameters.matching,
        "params:interpretation.examples": parameters.examples,
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    pipeline = create_pipeline(WIRING)
    for name in pipeline.all_outputs():
        catalog[name] = MemoryDataset()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.outputs()}


def test_planted_latent_has_its_concept_residue_and_window(inputs):
    outputs = run(inputs)
    latents = outputs["latents"]
    assert len(latents) == 10 + 8
    first = latents.iloc[0]
    assert (first["method"], first["kind"], first["concept_id"], first["name"]) == (
        "protsae",
        "defined",
        "GO:1",
        "tryptophan",
    )
    assert (first["best_concept_id"], first["f1_validation"], first["f1_test"]) == ("GO:1", 1.0, 1.0)
    assert 0.3 < first["f1_test_always_on"] < 0.9
    assert first["top_residues"].startswith("W ")
    assert (latents.loc[latents["kind"] == "free", "concept_id"] == "").all()

    summary = outputs["latent_summary"].set_index(["method", "kind"])
    assert summary["n_latents"].to_dict() == {
        ("protsae", "defined"): 2,
        ("protsae", "free"): 8,
        ("topk", "free"): 8,
    }
    assert summary.loc[("protsae", "defined"), "n_above_always_on"] >= 1

    examples = outputs["latent_examples"]
    top = examples[(examples["method"] == "protsae") & (examples["latent"] == 0)]
    assert top["rank"].tolist() == [1, 2, 3, 4]
    assert set(top["split"]) <= {"validation", "test"}
    assert (top["peak_index"] == 20).all()
    assert (top["window_start"] == 15).all()
    assert all(sequence[5] == "W" and len(sequence) == 11 for sequence in top["window_sequence"])
    np.testing.assert_allclose([acts[5] for acts in top["window_acts"]], top["max_act"])
    assert top["has_concept"].all()
    assert top["pooled_act"].is_monotonic_decreasing
    assert examples.groupby("method")["latent"].nunique().to_dict() == {"protsae": 5, "topk": 3}


def test_concepts_are_matched_by_the_pooling_asked_for(inputs):
    encoding = inputs["protsae.encoding"]
    silent = [np.zeros_like(latents) for latents in encoding["mean_latents"]]
    spoilt = {**inputs, "protsae.encoding": encoding.assign(mean_latents=silent)}
    assert run(spoilt, "max")["latents"].loc[0, "f1_test"] == 1.0
    assert not run(spoilt, "mean")["latents"].loc[0, "f1_test"] > 0


def test_a_defined_latents_own_concept_is_listed_whatever_its_rank(inputs):
    tables = run(inputs)
    concepts = tables["latent_concepts"]
    firing = tables["latents"].set_index(["method", "latent"])["f1_validation"].notna()
    assert firing["protsae", 1]
    own = concepts[(concepts["method"] == "protsae") & (concepts["latent"] == 1)]
    assert "GO:2" in own["concept_id"].tolist()
    assert own["rank"].is_monotonic_increasing
    assert own["rank"].tolist() == list(range(1, len(own) + 1))


def with_residue_level(inputs):
    """The same proteins, but the first defined latent reads a concept of residues: the W itself."""
    mixed = inputs["concepts"].assign(level=["residue", "protein"])
    return {**inputs, "concepts": mixed}


def test_residue_level_latents_keep_their_name_and_match_proteins(inputs):
    before, tables = run(inputs), run(with_residue_level(inputs))
    latents = tables["latents"]
    assert latents.loc[0, ["kind", "concept_id", "name"]].tolist() == ["defined", "GO:1", "tryptophan"]
    assert latents.loc[1, ["kind", "concept_id", "name"]].tolist() == ["defined", "GO:2", "coin"]
    assert set(latents["best_concept_id"]) <= {"GO:2", ""}
    concepts = tables["latent_concepts"]
    assert set(concepts["concept_id"]) == {"GO:2"}
    own = concepts[(concepts["method"] == "protsae") & (concepts["latent"] == 0)]
    assert "GO:1" not in own["concept_id"].tolist()

    keys = ["method", "latent"]
    columns = ["threshold", "f1_validation", "f1_test", "precision_test", "recall_test"]
    expected = before["latent_concepts"].query("concept_id == 'GO:2'").set_index(keys)[columns]
    pd.testing.assert_frame_equal(concepts.set_index(keys).loc[expected.index, columns], expected)

    examples = tables["latent_examples"]
    top = examples[(examples["method"] == "protsae") & (examples["latent"] == 0)]
    assert top["has_concept"].all(), "a defined latent is shown with its own concept, of whatever level"
    assert (top["peak_index"] == 20).all()
    free = examples[examples["method"] == "topk"]
    labels, known = inputs["protein_labels"], inputs["labelled_aspects"]
    positive = set(labels.loc[labels["concept_idx"] == 1, "protein_id"])
    labelled = set(known.loc[known["aspect"] == "coin", "protein_id"])
    assert len(free) > 0
    for row in free.itertuples():
        if row.protein_id in labelled:
            assert row.has_concept == (row.protein_id in positive)
        else:
            assert pd.isna(row.has_concept)


def test_two_runs_give_equal_tables(inputs):
    first, second = run(inputs), run(inputs)
    for name, table in first.items():
        pd.testing.assert_frame_equal(table, second[name], obj=name)
