"""The probing pipeline run whole, in memory, on proteins whose concepts are planted in their activations."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.memory_store import MemoryStore

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS
from protsae.encoding.config import BatchConfig
from protsae.encoding.reading import encode, mean_activations
from protsae.encoding.reconstruction import split_rows
from protsae.encoding.run import Run
from protsae.metrics.table import METRIC_COLUMNS, concat_metrics, metrics_table
from protsae.pipelines import encoding, reporting
from protsae.pipelines.encoding.parameters import EncodingParameters
from protsae.pipelines.probing import create_pipeline
from protsae.pipelines.probing.nodes import evaluate_references, score_references
from protsae.pipelines.probing.parameters import ProbingParameters
from protsae.pipelines.wiring import LABELLED, Wiring
from protsae.probing.config import DIFFERENCES, ComparisonConfig
from protsae.probing.scores import REFERENCES, UNTRAINED
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

CONF = Path(__file__).parents[3] / "conf" / "base"
HOOK = "layers.2.resid_post"
WIRING = Wiring({"protsae": "protsae", "topk": "topk"})
CONCEPT_IDS = ("GO:1", "GO:2", "GO:3", "GO:4")
ASPECTS = ("BPO", "MFO", "MFO", "CCO")


class Kept(MemoryDataset):
    """A memory dataset that a runner does not release after its last use."""

    def _release(self):
        pass


def checkpoint(sae, architecture):
    return SimpleNamespace(
        name=architecture,
        config={"architecture": architecture, "k": sae.config.k},
        metadata={"seed": 7, "hook_point": HOOK},
        concept_ids=sae.concept_ids,
        n_defined=sae.n_defined,
        load=lambda: sae,
    )


@pytest.fixture
def inputs():
    """150 proteins; dimension c of the activations is raised where the protein has concept c."""
    generator = np.random.default_rng(0)
    ids = [f"P{i:03d}" for i in range(150)]
    labels = generator.random((150, 4)) < 0.3
    labels[:, 1] |= labels[:, 2]
    activations = {
        p: (generator.normal(size=(generator.integers(5, 12), 6)) + np.r_[1.5 * labels[i], 0, 0]).astype(
            np.float32
        )
        for i, p in enumerate(ids)
    }
    protsae = ProtSae(
        ProtSaeConfig(d_model=6, d_sae=16, k=3, concept_ids=CONCEPT_IDS), torch.Generator().manual_seed(0)
    )
    with torch.no_grad():
        protsae.W_pred.copy_(torch.eye(4, 6))
    topk = TopKSae(TopKConfig(d_model=6, d_sae=12, k=3), torch.Generator().manual_seed(1))
    split = np.array(["train", "train", "train", "validation", "test"])[np.arange(150) % 5]
    split[149] = "excluded"
    letters = np.random.default_rng(1).choice(list("ACDEFGHIKLMNPQRSTVWY"), size=(150, 12))
    sequences = ["".join(letters[i, : len(activations[p])]) for i, p in enumerate(ids)]
    found = {
        "plm_checkpoint": CONF.parents[1] / "data/01_raw/demo/esm2_mini.safetensors",
        "extraction_sequences": pd.DataFrame(
            {"protein_id": ids, "sequence": sequences, "is_excluded": split == "excluded"}
        ),
        "activation_shards": MemoryStore(activations, HOOK),
        "protsae.sae_checkpoint": checkpoint(protsae, "protsae"),
        "topk.sae_checkpoint": checkpoint(topk, "topk"),
        "proteins": pd.DataFrame(
            {
                "protein_id": ids,
                "split": split,
                "cluster_id": [f"c{i // 2}" for i in range(150)],
                "sequence": sequences,
                "is_audited": [i < 145 for i in range(150)],
                "nearest_train_identity": np.nan,
                "nearest_train_coverage": np.nan,
            }
        ),
        "concepts": pd.DataFrame(
            {
                "concept_idx": range(4),
                "concept_id": CONCEPT_IDS,
                "name": list("wxyz"),
                "aspect": ASPECTS,
                "level": "protein",
                "information_content": 1.0,
                "information_content_deepgo": 1.0,
            }
        ),
        "protein_labels": pd.DataFrame(
            [(p, c) for i, p in enumerate(ids) for c in range(4) if labels[i, c]],
            columns=["protein_id", "concept_idx"],
        ),
        "labelled_aspects": pd.DataFrame(
            [(p, aspect) for p in ids for aspect in sorted(set(ASPECTS))], columns=["protein_id", "aspect"]
        ),
        "residue_labels": pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)),
        "concept_terms": pd.DataFrame({"term_id": CONCEPT_IDS, "aspect": ASPECTS, "is_obsolete": False}),
        "concept_relations": pd.DataFrame(
            [("GO:3", "is_a", "GO:2")], columns=["child_id", "relation", "parent_id"]
        ),
        "alignment_metrics": metrics_table([]),
        "axioms": pd.DataFrame({"normal_form": ["NF1"], "c": [2], "relation": [-1], "d": [1]}),
        "disentanglement_metrics": metrics_table([]),
        "mean_activations": mean_activations(MemoryStore(activations, HOOK), HOOK, ids[:149]),
    }
    proteins = found["proteins"].query("split != 'excluded'")
    found["fidelity_metrics"] = []
    for sae in (protsae, topk):
        run = Run(sae.config.architecture, 7, HOOK, sae.config.k)
        encoded = encode(found["activation_shards"], sae, run, proteins, BatchConfig())
        rows = split_rows(encoded.reconstruction_sums, encoded.latent_statistics, 6, run)
        found["fidelity_metrics"].append(rows)
    found["fidelity_metrics"] = concat_metrics(found["fidelity_metrics"])
    return found


def run(inputs, **scoring):
    parameters = ProbingParameters(hook_point=HOOK, evaluation={"n_resamples": 20}, scoring=scoring)
    pipeline = encoding.create_pipeline(WIRING) + create_pipeline(WIRING)
    pipeline += reporting.create_pipeline(WIRING).only_nodes("collect_metrics")
    names = {"hook_point", "scoring", "gated_probe", "neighbours", "random_plm", "evaluation", "differences"}
    given = {**inputs, **{f"params:probing.{name}": getattr(parameters, name) for name in names}}
    given["params:encoding"] = EncodingParameters()
    given["params:comparison"] = ComparisonConfig(subject="protsae", rival="topk")
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in given.items()})
    for name in pipeline.all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog.load(name) for name in pipeline.all_outputs()}


def test_planted_concepts_are_found_and_floors_stay_floors(inputs):
    outputs = run(inputs)
    metrics = outputs["metrics"]
    assert tuple(metrics.columns) == METRIC_COLUMNS
    of_auc = metrics[(metrics["metric"] == "auc") & (metrics["split"] == "test")]
    assert set(of_auc["stratum"]) == {"", "no hit"}
    auc = of_auc[of_auc["stratum"] == ""].set_index(["method", "aspect"])["value"]
    for method in ("protsae_latent", "protsae_predictor", "protsae_probe", "linear_probe"):
        assert auc[method, "mean"] > 0.9, method
    assert auc["prevalence", "mean"] == 0.5
    assert abs(auc["shuffled_labels", "mean"] - 0.5) < 0.3
    of_dictionaries = {"protsae_latent", "protsae_predictor", "protsae_probe", "topk_latent", "topk_probe"}
    few = {f"{name}_k{k}" for name in ("protsae", "topk", *UNTRAINED) for k in (1, 5, 20)}
    of_dictionaries |= {"protsae_gate", *few, *(f"{name}_latent" for name in UNTRAINED)}
    assert {*REFERENCES, *of_dictionaries, "protsae", "topk"} == set(metrics["method"])
    names = {"subject": "protsae", "rival": "topk"}
    assert set(outputs["method_differences"]["method"]) == {
        f"{one} - {other}".format(**names) for one, other in DIFFERENCES
    }
    probe = metrics[metrics["method"] == "linear_probe"].iloc[0]
    assert probe["hook_point"] == HOOK and pd.isna(probe["seed"]) and pd.isna(probe["k"])
    own = metrics[metrics["method"] == "protsae_probe"].iloc[0]
    assert (own["hook_point"], own["seed"], own["k"]) == (HOOK, 7, 3)
    wanted = {
        "wfmax",
        "smin",
        "coverage",
        "aupr_micro",
        "auc",
        "aupr",
        "fmax",
        "fve",
        "l0",
        "dead_share",
        "defined_participation",
        "gate_rate",
        "subsumption_auc",
    }
    assert wanted <= set(metrics["metric"])
    topk = metrics[(metrics["method"] == "topk") & (metrics["metric"] == "l0") & (metrics["split"] == "test")]
    assert topk[["value", "seed", "k"]].iloc[0].tolist() == [3.0, 7, 3]
    assert topk["n"].iloc[0] == sum(
        len(inputs["activation_shards"].proteins[p])
        for p in inputs["proteins"].query("split == 'test'")["protein_id"]
    )
    assert "P149" not in set(outputs["protsae.encoding"]["protein_id"])


SITE = 4


def with_sites(inputs):
    """The same proteins with a fifth concept, of residues: one in five, marked by dimension 4."""
    generator = np.random.default_rng(3)
    ids = inputs["proteins"]["protein_id"].tolist()
    store = inputs["activation_shards"].proteins
    at = {p: generator.random(len(store[p])) < 0.2 for p in ids}
    raised = np.eye(6)[SITE] * 3
    x = {p: (store[p] + at[p][:, None] * raised).astype(np.float32) for p in ids}
    protsae = ProtSae(
        ProtSaeConfig(d_model=6, d_sae=16, k=3, concept_ids=(*CONCEPT_IDS, "site"), residue_level=("site",)),
        torch.Generator().manual_seed(0),
    )
    with torch.no_grad():
        protsae.W_pred.copy_(torch.eye(5, 6))
    site = {"concept_idx": SITE, "concept_id": "site", "name": "s", "aspect": "motif", "level": "residue"}
    carriers = pd.DataFrame({"protein_id": [p for p in ids if at[p].any()], "concept_idx": SITE})
    labelled = pd.DataFrame({"protein_id": ids, "aspect": "motif"})
    spans = [(p, SITE, n, i, i + 1) for p in ids for n, i in enumerate(np.flatnonzero(at[p]).tolist())]
    term = {"term_id": "site", "aspect": "motif", "is_obsolete": False}

    def longer(name, rows):
        return pd.concat([inputs[name], rows], ignore_index=True)

    return {
        **inputs,
        "activation_shards": MemoryStore(x, HOOK),
        "protsae.sae_checkpoint": checkpoint(protsae, "protsae"),
        "proteins": inputs["proteins"].assign(
            sequence=["".join("C" if site else "A" for site in at[p]) for p in ids]
        ),
        "concepts": longer("concepts", pd.DataFrame([site])),
        "protein_labels": longer("protein_labels", carriers),
        "labelled_aspects": longer("labelled_aspects", labelled),
        "residue_labels": pd.DataFrame(spans, columns=list(RESIDUE_LABEL_COLUMNS)),
        "concept_terms": longer("concept_terms", pd.DataFrame([term])),
    }


def test_residue_level_concepts_are_judged_by_residues_alone(inputs):
    mixed = with_sites(inputs)
    outputs = run(mixed)
    assert set(outputs["protsae.concept_scores"]["concept_idx"]) == {0, 1, 2, 3}
    assert set(outputs["concept_metrics"]["concept_id"]) == set(CONCEPT_IDS)
    metrics = outputs["metrics"]
    residues = metrics[(metrics["stratum"] == "residues") & (metrics["split"] == "test")]
    auc = residues[(residues["metric"] == "auc") & (residues["aspect"] == "motif")].set_index("method")
    assert auc.loc["protsae_predictor", "value"] > 0.9
    assert auc.loc["residue_identity", "value"] == 1.0  # sites are C, nothing else is
    assert auc.loc["prevalence", "value"] == 0.5
    assert set(outputs["residue_concept_metrics"]["concept_id"]) == {"site"}

    parameters = ProbingParameters(hook_point=HOOK, evaluation={"n_resamples": 20})
    without = {name: inputs[name] for name in LABELLED}
    means = inputs["mean_activations"]
    tables = ("neighbours", "random_mean_activations", "gated_probe_scores")
    features = (outputs[name] for name in tables)
    without["proteins"] = mixed["proteins"]
    given = inputs["activation_shards"], means, *features
    scores = score_references(*given, hook_point=HOOK, scoring=parameters.scoring, **without)
    pd.testing.assert_frame_equal(scores, outputs["references.concept_scores"])
    judged = evaluate_references(
        scores,
        means,
        hook_point=HOOK,
        evaluation=parameters.evaluation,
        concept_terms=inputs["concept_terms"],
        concept_relations=inputs["concept_relations"],
        **without,
    )
    pd.testing.assert_frame_equal(judged[0], outputs["references.score_metrics"])


def test_without_concepts_of_residues_their_tables_are_empty(inputs):
    outputs = run(inputs)
    assert outputs["protsae.residue_metrics"].empty
    assert outputs["residue_concept_metrics"].empty
    assert (outputs["metrics"]["stratum"] != "residues").all()


def test_poolings_may_be_chosen_concept_by_concept(inputs):
    concepts = run(inputs, pooling="chosen", l2=(0.1,))["concept_metrics"]
    single = concepts["method"].str.fullmatch(".*_(latent|gate)|gated_linear_probe")
    assert set(concepts.loc[~single, "pooling"]) == {""}
    of_split = concepts[single].pivot_table(
        index=["method", "concept_id"], columns="split", values="pooling", aggfunc="first"
    )
    assert (of_split["test"] == of_split["validation"]).all()
    assert set(of_split["test"]) == {"mean", "max"}  # proteins are too short for another top tenth


def test_two_runs_give_equal_tables(inputs):
    first, second = run(inputs), run(inputs)
    for name in ("metrics", "concept_metrics", "protsae.concept_scores", "protsae.latent_statistics"):
        pd.testing.assert_frame_equal(first[name], second[name], obj=name)
