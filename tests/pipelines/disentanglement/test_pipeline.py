"""The disentanglement pipeline run whole, in memory, with latents whose meaning was planted."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.memory_store import MemoryStore

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS
from protsae.core.errors import InputError
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store, mean_activations
from protsae.encoding.run import Run
from protsae.metrics.table import METRIC_COLUMNS
from protsae.pipelines.disentanglement import create_pipeline
from protsae.pipelines.disentanglement.parameters import DisentanglementParameters
from protsae.pipelines.wiring import Wiring
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

CONF = Path(__file__).parents[3] / "conf" / "base"
HOOK = "layers.2.resid_post"
WIRING = Wiring({"protsae": "protsae", "topk": "topk"})
CONCEPT_IDS = ("GO:1", "GO:2")
N = 90


@pytest.fixture(scope="module")
def inputs():
    """Concept GO:1 is "has a W", GO:2 below it "has a W after a C"; dimension 0 marks W, 1 both."""
    generator = np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(N)]
    has_w, has_cw = np.arange(N) // 3 % 2 == 0, np.arange(N) // 3 % 4 == 0
    sequences, activations = {}, {}
    for p, w, cw in zip(ids, has_w, has_cw, strict=True):
        letters = generator.choice(list("ADEFGHIKL"), size=24)
        x = 0.05 * generator.normal(size=(24, 5))
        letters[11], letters[12] = "C" if cw else letters[11], "W" if w else letters[12]
        x[12, 0] += 3.0 * w
        x[12, 1] += 3.0 * cw
        sequences[p], activations[p] = "".join(letters), x.astype(np.float32)
    store = MemoryStore(activations, HOOK)
    store.manifest = SimpleNamespace(model=SimpleNamespace(name="tiny", sha256="ab" * 32))
    protsae = ProtSae(
        ProtSaeConfig(d_model=5, d_sae=8, k=2, concept_ids=CONCEPT_IDS), torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        protsae.W_pred.copy_(torch.eye(5)[:2])
        protsae.gate_logit.copy_(torch.tensor([1.0, 1.0]))
    topk = TopKSae(TopKConfig(d_model=5, d_sae=8, k=2), torch.Generator().manual_seed(1))
    split = np.array(["train", "validation", "test"])[np.arange(N) % 3]
    owned = [(p, "GO:1") for p, w in zip(ids, has_w, strict=True) if w]
    owned += [(p, "GO:2") for p, cw in zip(ids, has_cw, strict=True) if cw]
    owned += [(p, "GO:3") for p, w in zip(ids, has_w, strict=True) if not w]
    found = {
        "activation_shards": store,
        "raw_judge_embeddings": None,
        "mean_activations": mean_activations(store, HOOK, ids),
        "proteins": pd.DataFrame(
            {
                "protein_id": ids,
                "sequence": [sequences[p] for p in ids],
                "split": split,
                "cluster_id": [f"c{p}" for p in ids],
            }
        ),
        "concepts": pd.DataFrame(
            {
                "concept_idx": [0, 1],
                "concept_id": CONCEPT_IDS,
                "name": ["tryptophan", "with cysteine"],
                "aspect": "BPO",
                "level": "protein",
            }
        ),
        "concept_terms": pd.DataFrame(
            {
                "term_id": ["GO:0", *CONCEPT_IDS, "GO:3"],
                "aspect": "BPO",
                "level": "protein",
                "is_obsolete": False,
            }
        ),
        "concept_relations": pd.DataFrame(
            [("GO:1", "is_a", "GO:0"), ("GO:2", "is_a", "GO:1"), ("GO:3", "is_a", "GO:0")],
            columns=["child_id", "relation", "parent_id"],
        ),
        "protein_concepts": pd.DataFrame(owned, columns=["protein_id", "concept_id"]),
        "protein_labels": pd.DataFrame(
            [(p, CONCEPT_IDS.index(c)) for p, c in owned if c in CONCEPT_IDS],
            columns=["protein_id", "concept_idx"],
        ),
        "residue_labels": pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
        "labelled_aspects": pd.DataFrame({"protein_id": ids, "aspect": "BPO"}),
    }
    for sae in (protsae, topk):
        name = sae.config.architecture
        run = Run(name, 0, HOOK, 2)
        encoded, codes = encode_and_store(store, sae, run, found["proteins"], EncodingConfig())
        found[f"{name}.encoding"] = encoded.proteins
        found[f"{name}.latent_statistics"] = encoded.latent_statistics
        found[f"{name}.residue_codes"] = codes
    return found


def run(inputs):
    parameters = DisentanglementParameters(
        hook_point=HOOK,
        monosemanticity={"min_groups": 5, "min_effective": 3.0, "residues_per_protein": 24},
        absorption={"min_carriers": 5, "n_resamples": 10},
    )
    given = {
        **inputs,
        "params:disentanglement.hook_point": HOOK,
        "params:disentanglement.monosemanticity": parameters.monosemanticity,
        "params:disentanglement.absorption": parameters.absorption,
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    pipeline = create_pipeline(WIRING)
    for name in pipeline.all_outputs():
        catalog[name] = MemoryDataset()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.outputs()}


@pytest.fixture(scope="module")
def outputs(inputs):
    return run(inputs)


def test_planted_latent_matches_one_kind_of_protein_and_residue(outputs):
    table = outputs["monosemanticity"].set_index(["method", "judge", "latent"]).sort_index()
    assert set(table.index.get_level_values("method")) == {"protsae", "topk", "neurons"}
    assert len(table) == 2 * (8 + 8) + 5
    child = table.loc[("protsae", "lin", 1)]
    assert (child["kind"], child["concept_id"], child["is_judged"]) == ("defined", "GO:2", True)
    # its proteins have the same terms: nearly 1, up to the little noise that opens the gate elsewhere
    assert child["score"] > 0.9
    assert child["q_value"] < 0.01
    window = table.loc[("protsae", "windows", 1)]
    assert window["n_items"] == 30 * 24
    assert window["score"] > 2 * max(0, table.loc[("topk", "windows"), "score"].mean())
    assert window["background"] == pytest.approx(table.loc[("topk", "windows", 0), "background"])


def test_every_table_has_its_methods_and_metrics_go_to_the_one_table(outputs):
    rows = outputs["disentanglement_metrics"]
    assert tuple(rows.columns) == METRIC_COLUMNS
    assert set(rows["method"]) == {"protsae", "topk", "neurons"}
    named = rows.set_index(["method", "metric", "preset", "stratum"])["value"]
    assert named["protsae", "monosemanticity", "lin", "defined"] > 0.5
    assert ("protsae", "monosemanticity_defined_minus_free", "windows", "") in named.index
    assert named["protsae", "splitting_latents", "", "defined"] >= 1
    splitting = outputs["splitting"]
    assert splitting.groupby(["method", "kind"]).size().to_dict() == {
        ("protsae", "defined"): 2,
        ("protsae", "free"): 2,
        ("topk", "free"): 2,
    }
    absorption = outputs["absorption"].set_index(["method", "kind"])
    assert absorption.loc[("protsae", "defined"), ["child_id", "parent_id"]].tolist() == ["GO:2", "GO:1"]
    assert absorption.loc[("protsae", "defined"), "absorption"] == 0, "the parent's latent sees every W"
    assert absorption["n_carriers"].tolist() == [8, 8, 8]


def test_only_embeddings_of_another_model_may_judge(inputs, tmp_path):
    path = tmp_path / "e.parquet"
    vectors = np.eye(N)[:, :7] + 0.1
    pd.DataFrame(
        {"protein_id": inputs["mean_activations"]["protein_id"], "vector": list(vectors)}
    ).to_parquet(path)
    with pytest.raises(InputError, match="does not say which model made it"):
        run({**inputs, "raw_judge_embeddings": path})
    own = inputs["mean_activations"].rename(columns={"activation": "vector"})

    def store(frame, model):
        pq.write_table(pa.Table.from_pandas(frame).replace_schema_metadata({"model": model}), path)
        return {**inputs, "raw_judge_embeddings": path}

    with pytest.raises(InputError, match="holds the activations under study"):
        run(store(own, "another"))
    with pytest.raises(InputError, match="of the model under study, tiny"):
        run(store(own, "tiny.pt"))
    given = store(own.assign(vector=list(vectors)), "prot_t5")
    assert "embeddings:prot_t5" in set(run(given)["monosemanticity"]["judge"])


def test_without_concepts_of_proteins_windows_alone_judge(inputs):
    bare = {
        **inputs,
        "concept_terms": inputs["concept_terms"].iloc[:0],
        "concept_relations": inputs["concept_relations"].iloc[:0],
        "protein_concepts": inputs["protein_concepts"].iloc[:0],
        "protein_labels": inputs["protein_labels"].iloc[:0],
        "concepts": inputs["concepts"].assign(level="residue", aspect="motif"),
    }
    bare["concept_terms"] = pd.DataFrame(
        {"term_id": CONCEPT_IDS, "aspect": "motif", "level": "residue", "is_obsolete": False}
    )
    found = run(bare)
    assert set(found["monosemanticity"]["judge"]) == {"windows"}
    assert (len(found["absorption"]), len(found["splitting"])) == (0, 0)


def test_nested_concepts_of_residues_are_judged_residue_by_residue(inputs):
    owned = inputs["protein_labels"]
    nested = {
        **inputs,
        "concepts": inputs["concepts"].assign(level="residue"),
        "concept_terms": inputs["concept_terms"].assign(level="residue"),
        "residue_labels": owned.assign(instance=0, start=12, end=13)[list(RESIDUE_LABEL_COLUMNS)],
    }
    absorption = run(nested)["absorption"].set_index(["method", "kind"])
    assert set(absorption["level"]) == {"residue"}
    own = absorption.loc[("protsae", "defined")]
    assert (own["child_latent"], own["parent_latent"], own["n_carriers"]) == (1, 0, 8)
    assert (own["child_fires"], own["absorption"]) == (1, 0), "both latents see every such W"
    assert own["is_judged"]


def test_two_runs_give_equal_tables(inputs, outputs):
    again = run(inputs)
    for name in ("monosemanticity", "absorption", "splitting", "disentanglement_metrics"):
        pd.testing.assert_frame_equal(again[name], outputs[name], obj=name)
