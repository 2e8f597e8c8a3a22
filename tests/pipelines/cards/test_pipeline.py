"""The cards pipeline run whole, in memory, on a tiny language model: with concepts and without."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.memory_store import MemoryStore
from tests.plm.tiny_esm2 import D_MODEL, tiny_esm2, write_safetensors

from protsae.annotations.labels import RESIDUE_LABEL_COLUMNS, LabelTables
from protsae.core.described_tsv import read_described_tsv
from protsae.encoding.config import EncodingConfig
from protsae.encoding.reading import encode_and_store
from protsae.encoding.run import Run
from protsae.interpretation.config import ExampleConfig, MatchingConfig
from protsae.interpretation.pairs import ALIGNMENT_COLUMNS
from protsae.interpretation.tables import interpret
from protsae.pipelines.cards import create_pipeline
from protsae.pipelines.cards.nodes import DESCRIBED
from protsae.pipelines.cards.parameters import CardsParameters
from protsae.pipelines.wiring import Wiring
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward
from protsae.probing.labelled import LabelledProteins
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.config import ProtSaeConfig, TopKConfig
from protsae.sae.protsae import ProtSae
from protsae.sae.topk import TopKSae

pytestmark = pytest.mark.filterwarnings("ignore:One or more dataset names contain")

HOOK = "layers.1.resid_post"
N, D_SAE = 36, 16
NAMED = {"protsae": ("T:1", "T:2"), "topk": ()}
PARAMETERS = CardsParameters(
    enrichment={"min_clusters": 2, "max_q": 1.0}, topics={"min_proteins": 2, "n_topics": 2}
)


def inputs_of(folder: Path, name: str, *, with_concepts: bool) -> dict:
    """Return what the pipeline reads of a dictionary on proteins half of which carry T:1."""
    generator = np.random.default_rng(0)
    ids = [f"P{i:02d}" for i in range(N)]
    texts = ["".join(generator.choice(list("ACDEFGHIKL"), size=25)) for _ in ids]
    model = load_plm(write_safetensors(folder / "plm.safetensors", tiny_esm2()))
    forward = Esm2Forward(model, [HOOK])
    store = MemoryStore({p: forward.run([t])[HOOK].numpy() for p, t in zip(ids, texts, strict=True)}, HOOK)
    if NAMED[name]:
        config = ProtSaeConfig(d_model=D_MODEL, d_sae=D_SAE, k=3, concept_ids=NAMED[name])
        sae = ProtSae(config, torch.Generator().manual_seed(0))
    else:
        sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=D_SAE, k=3), torch.Generator().manual_seed(0))
        with torch.no_grad():
            sae.b_enc[-2:] = -1e9  # two dead latents
    path = folder / "sae.safetensors"
    save_sae(sae, path, {"hook_point": HOOK, "model_sha256": model.sha256, "seed": 0, "name": name})
    proteins = pd.DataFrame(
        {
            "protein_id": ids,
            "sequence": texts,
            "description": "",
            "split": np.array(["train", "validation", "test"])[np.arange(N) % 3],
            "cluster_id": ids,
        }
    )
    concepts = pd.DataFrame(
        {"concept_idx": [0, 1], "concept_id": ["T:1", "T:2"], "name": ["one", "two"], "aspect": "MFO"}
    ).assign(level="protein")
    terms = concepts[["concept_id", "name", "aspect", "level"]].rename(columns={"concept_id": "term_id"})
    terms = terms.assign(definition="", is_obsolete=False, alt_ids="", replaced_by="")
    pairs = [(p, "T:1") for p in ids[::2]] + [(p, "T:2") for p in ids[::4]]
    carried = pd.DataFrame(pairs, columns=["protein_id", "concept_id"])
    labelled = pd.DataFrame({"protein_id": ids, "aspect": "MFO"})
    if not with_concepts:
        concepts, terms, carried, labelled = (t.iloc[:0] for t in (concepts, terms, carried, labelled))
    labels = carried.merge(concepts, on="concept_id")[["protein_id", "concept_idx"]]
    spans = pd.DataFrame(columns=list(RESIDUE_LABEL_COLUMNS)).astype({"concept_idx": "int64"})
    run = Run(name, 0, HOOK, 3)
    encoded, codes = encode_and_store(store, sae.eval(), run, proteins, EncodingConfig())
    tables = LabelTables(concepts, labels, labelled, spans)
    latents, latent_concepts, examples = interpret(
        codes,
        encoded.proteins,
        encoded.latent_statistics,
        proteins=LabelledProteins.of(proteins, tables, ids),
        descriptions=dict.fromkeys(ids, ""),
        matching=MatchingConfig(),
        examples=ExampleConfig(n_free=3),
    )
    relations = pd.DataFrame([("T:2", "is_a", "T:1")], columns=["child_id", "relation", "parent_id"])
    own = {
        "residue_codes": codes,
        "encoding": encoded.proteins,
        "latent_statistics": encoded.latent_statistics,
        "latents": latents,
        "latent_concepts": latent_concepts,
        "latent_examples": examples,
        "sae_checkpoint": SaeCheckpoint(path),
        "alignment": pd.DataFrame(columns=list(ALIGNMENT_COLUMNS)),
        "monosemanticity": pd.DataFrame(
            {"latent": [3, 3], "judge": "lin", "is_judged": True, "score": [0.2, 0.4]}
        ),
    }
    return {f"{name}.{part}": value for part, value in own.items()} | {
        "plm_checkpoint": folder / "plm.safetensors",
        "proteins": proteins,
        "protein_concepts": carried,
        "labelled_aspects": labelled,
        "concept_terms": terms,
        "concept_relations": relations.iloc[: len(terms) // 2],
        "params:annotation.preset": "cafa",
    }


class Kept(MemoryDataset):
    """Keeps what other nodes have read too."""

    def _release(self) -> None:
        pass


def run(inputs: dict, name: str) -> SimpleNamespace:
    settings = {f"params:cards.{key}": getattr(PARAMETERS, key) for key in CardsParameters.model_fields}
    catalog = DataCatalog(
        {key: MemoryDataset(value, copy_mode="assign") for key, value in {**inputs, **settings}.items()}
    )
    pipeline = create_pipeline(Wiring({name: name}))
    for output in pipeline.all_outputs():
        catalog[output] = Kept()
    SequentialRunner().run(pipeline, catalog)
    prefix = f"{name}."
    return SimpleNamespace(**{key.removeprefix(prefix): catalog.load(key) for key in pipeline.all_outputs()})


@pytest.mark.parametrize(("name", "with_concepts"), [("protsae", True), ("topk", True), ("topk", False)])
def test_every_dictionary_has_a_card_per_latent(tmp_path, name, with_concepts):
    inputs = inputs_of(tmp_path, name, with_concepts=with_concepts)
    found = run(inputs, name)
    cards = found.latent_cards
    assert cards["latent"].tolist() == list(range(D_SAE))
    dead = (inputs[f"{name}.latent_statistics"][["density_validation", "density_test"]] == 0).all(axis=1)
    assert ((cards["shape"] == "dead") == dead.to_numpy()).all()
    assert ((cards["effect"] == "") == dead.to_numpy()).all()
    assert cards["monosemanticity"][3] == pytest.approx(0.3) and np.isnan(cards["monosemanticity"][2])
    # every direction of a defined latent that is active was measured causally
    measured = set(cards.loc[cards["effect"] == "causal", "latent"])
    wanted = set(inputs[f"{name}.latent_examples"]["latent"])
    assert wanted - set(np.flatnonzero(dead)) <= measured
    assert {*found.latent_windows["latent"]} == set(np.flatnonzero(~dead))
    assert bool(len(found.latent_enrichment)) == with_concepts
    assert (cards["topic"] >= 0).any() == with_concepts
    assert found.card_summary.set_index("measure").loc["shape_dead", "value"] == dead.sum()


def test_numbers_of_a_card_are_those_of_the_codes(tmp_path):
    inputs = inputs_of(tmp_path, "topk", with_concepts=True)
    card = run(inputs, "topk").latent_cards.iloc[0]
    codes, held_out = inputs["topk.residue_codes"], inputs["proteins"]
    held_out = held_out[held_out["split"] != "train"]
    values, letters = [], []
    for protein_id, sequence in zip(held_out["protein_id"], held_out["sequence"], strict=True):
        own = codes.codes(protein_id)
        row = np.repeat(np.arange(len(own)), np.diff(own.indptr))
        values += own.values[own.latents == 0].tolist()
        letters += [sequence[i] for i in row[own.latents == 0]]
    assert card["act_q50"] == pytest.approx(np.median(values))
    best = ["ACDEFGHIKLMNPQRSTVWY"[a] for a in np.argsort(-card["output_change"], kind="stable")[:3]]
    inside = np.isin(letters, best)
    assert card["input_score"] == pytest.approx(np.array(values)[inside].sum() / sum(values), rel=1e-5)
    joined = "".join(held_out["sequence"])
    floor = sum(joined.count(a) for a in best) / len(joined)
    assert card["input_score_floor"] == pytest.approx(floor)


def test_text_tables_name_what_they_were_made_of(tmp_path):
    inputs = inputs_of(tmp_path, "topk", with_concepts=True)
    found = run(inputs, "topk")
    for name in DESCRIBED:
        path = tmp_path / f"{name}.tsv"
        path.write_text(getattr(found, f"{name}_tsv"))
        table, about = read_described_tsv(path)
        assert about["table"] == name and about["hook point"] == HOOK
        assert len(about["dictionary sha256"]) == len(about["language model sha256"]) == 64
        whole = inputs[f"topk.{name}"] if name == "latent_concepts" else getattr(found, name)
        assert list(table) == list(whole) and len(table) == len(whole)
