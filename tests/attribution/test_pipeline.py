"""The pipeline: what it chooses, its tables, its files, and that it resumes."""

import json
from functools import partial
from random import Random

import numpy as np
import pandas as pd
import pytest
from jsonschema import Draft7Validator
from tests.attribution.test_attribute import SCHEMA
from tests.attribution.test_gradients import HOOK_POINT, TEXT, protsae
from tests.fuzz.mutations import flip_on_disk
from tests.plm.tiny_esm2 import tiny_model

from protsae.attribution.explain import AttributionConfig, TargetConfig, attribute
from protsae.core.errors import InputError
from protsae.datasets import AttributionDataset
from protsae.pipelines.attribution.nodes import attribute_proteins, tabulate_attribution
from protsae.pipelines.attribution.parameters import AttributionParameters
from protsae.sae.checkpoint import save_sae

IDS = ("A/1", "b", "c", "d")
TEXTS = (TEXT, TEXT[:9], TEXT[1:] + "Y", TEXT[3:])
CONCEPTS = ("GO:1", "GO:2", "GO:3")
SMALL = {"steps": 64, "mask_steps": 5, "window": 5, "n_nodes": 6}


@pytest.fixture
def run(tmp_path):
    """Return a function from settings to a plan over a made-up run of four proteins: `d` is in training."""
    model, sae = tiny_model(tmp_path), protsae(CONCEPTS)
    save_sae(sae, tmp_path / "sae.safetensors", {"hook_point": HOOK_POINT, "model_sha256": model.sha256})
    splits = ["test", "test", "test", "train"]
    proteins = pd.DataFrame({"protein_id": IDS, "sequence": TEXTS, "split": splits})
    proteins.to_parquet(tmp_path / "proteins.parquet")
    about = {"concept_id": list(sae.concept_ids), "name": [f"the name of {i}" for i in sae.concept_ids]}
    n = len(sae.concept_ids)
    concepts = pd.DataFrame({"concept_idx": range(n), **about, "level": "protein", "prevalence_train": 0.5})
    concepts.loc[0, "prevalence_train"] = 0.01
    concepts.to_parquet(tmp_path / "concepts.parquet")
    labels = pd.DataFrame({"protein_id": ["A/1", "A/1", "c", "d"], "concept_idx": [0, 1, 1, 1]})
    labels.to_parquet(tmp_path / "labels.parquet")
    codes = np.zeros((4, sae.config.d_sae))
    codes[:, 7] = [1.0, 3.0, 2.0, 9.0]
    logits = np.zeros((4, n))
    logits[:, 1] = 1.0  # less than what the rarity of concept 0 makes up for
    pd.DataFrame({"protein_id": IDS, "mean_latents": list(codes), "protein_logits": list(logits)}).to_parquet(
        tmp_path / "encoding.parquet"
    )
    tables = ("concepts.parquet", "labels.parquet", "encoding.parquet")

    def make(file="proteins.parquet", bare=False, **settings):
        names = (file, "sae.safetensors", *tables, "tiny_0.safetensors")
        files = [tmp_path / name for name in names]
        if bare:
            files[2:5] = [None] * 3
        return attribute_proteins(*files, AttributionParameters(**SMALL, **settings))

    return make


def chosen(plan):
    return [(job.wanted.protein_id, job.wanted.label) for job in plan.jobs]


def test_proteins_and_concepts_are_chosen_from_the_test_split(run):
    assert chosen(run()) == [("A/1", "GO:1"), ("c", "GO:2")]
    assert chosen(run(n_proteins=1)) == [("A/1", "GO:1")]
    assert chosen(run(proteins=("d", "A/1"))) == [("d", "GO:2"), ("A/1", "GO:1")]
    assert chosen(run(n_proteins=1, concepts=("GO:2",))) == [("A/1", "GO:2")]
    assert chosen(run(latents=(7,))) == [("b", "latent 7"), ("c", "latent 7")]
    assert chosen(run(proteins=("d", "b"), concepts=("GO:3",))) == [("d", "GO:3"), ("b", "GO:3")]
    assert chosen(run(positions=(2, 4), against="AA")) == [
        (name, f"2{text[1]}/A;4{text[3]}/A") for name, text in zip(IDS[:2], TEXTS[:2], strict=True)
    ]
    known = {
        job.wanted.protein_id: job.wanted.is_annotated for job in run(proteins=IDS, concepts=("GO:2",)).jobs
    }
    assert known == {"A/1": True, "b": False, "c": True, "d": True}


def test_a_file_of_proteins_needs_no_run(run, tmp_path):
    (tmp_path / "my.fasta").write_text(f">mine\n{TEXT}\n>other\n{TEXT[2:]}\n")
    plan = run("my.fasta", bare=True, positions=(3,), n_proteins=1)
    assert chosen(plan) == [("mine", f"3{TEXT[2]}")]
    plan = run("my.fasta", bare=True, proteins=("other",), concepts=("GO:2",))
    assert [job.wanted.is_annotated for job in plan.jobs] == [None]
    with pytest.raises(InputError, match="attribution_encoding is not given"):
        run("my.fasta", bare=True, latents=(7,))
    (tmp_path / "none.fasta").write_text("")
    with pytest.raises(InputError):
        run("none.fasta", bare=True, positions=(1,))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"proteins": ("nobody",)}, "no protein is called 'nobody', among 4"),
        ({"proteins": ("b",)}, "protein 'b' has no annotated concept"),
        ({"concepts": ("GO:11",)}, "attribution.concepts: unknown concept 'GO:11', did you mean 'GO:1'"),
        ({"concepts": ("GO:3",)}, "GO:3: no test protein has it"),
        ({"latents": (32,)}, "latent 32 does not exist: the dictionary has latents 0 to 31"),
        ({"latents": (-1,)}, "latent -1 does not exist"),
        ({"latents": (9,)}, "latent 9: no test protein has it"),
        ({"positions": (18,)}, "18 lies outside protein A/1 of 17 residues"),
        ({"positions": (0,)}, "0 lies outside protein A/1"),
        ({"positions": (1, 2), "letters": "A"}, "attribution.letters: 'A' is not one"),
        ({"positions": (1,), "against": "<"}, "attribution.against: '<' is not one"),
        ({"positions": (9,), "n_proteins": 1}, "residue 9 of protein A/1 is 'U'"),
        ({"letters": "A"}, "letters without attribution.positions"),
    ],
)
def test_what_does_not_exist_is_refused_before_anything_is_computed(run, settings, message):
    with pytest.raises(InputError, match=message):
        run(**settings)


def test_tables_are_those_of_the_library_and_add_up(run, tmp_path):
    dataset = AttributionDataset(filepath=str(tmp_path / "out"))
    plan = run(proteins=("A/1", "c"), concepts=("GO:2",), latents=(1,), positions=(4, 12))
    dataset.save(plan)
    found = dict(
        zip(("residues", "latents", "regions", "summary"), tabulate_attribution(dataset.load()), strict=True)
    )
    assert set(map(tuple, found["residues"][["id", "target"]].to_numpy())) == set(chosen(plan))
    totals = found["latents"].groupby(["id", "target"])["integrated_gradients"].sum()
    ends = found["summary"].drop_duplicates(["id", "target"]).set_index(["id", "target"])
    for key, row in ends.iterrows():
        assert totals[key] == pytest.approx(row["full"] - row["empty"], rel=1e-4)
    assert ends.loc[("A/1", "GO:2"), ["name", "is_annotated"]].tolist() == ["the name of GO:2", True]
    config = AttributionConfig(steps=64, mask_steps=5, window=5)
    alone = attribute(
        TEXT,
        tiny_model(tmp_path),
        protsae(CONCEPTS),
        HOOK_POINT,
        TargetConfig(kind="latent", latent=1),
        config,
    )
    for name, expected in (("residues", alone.residues), ("regions", alone.regions)):
        own = found[name].query("id == 'A/1' and target == 'latent 1'").drop(columns=["id", "target"])
        pd.testing.assert_frame_equal(own.reset_index(drop=True), expected, check_dtype=False, rtol=1e-12)
    graphs = [path for path in (tmp_path / "out").glob("*.json") if path.name != "attribution.json"]
    assert len(graphs) == len(plan.jobs) == 6
    for path in graphs:
        graph = json.loads(path.read_text())
        Draft7Validator(SCHEMA).validate(graph)
        assert graph["metadata"]["slug"] == path.stem


def test_a_prediction_that_no_latent_carries_is_counted_and_told(run, tmp_path, caplog):
    plan = run(proteins=("A/1",), latents=(1, silent(run)), regions=False)
    plan.run(tmp_path / "out")
    assert "1 of 2 predictions could not be attributed" in caplog.text
    residues, _, regions, summary = tabulate_attribution(
        AttributionDataset(filepath=str(tmp_path / "out")).load()
    )
    assert set(residues["target"]) == {"latent 1"}
    assert regions.empty
    noted = summary[summary["note"] != ""]
    assert len(noted) == 1
    assert "no latent carries it" in noted["note"].iloc[0]
    assert set(summary["what"].dropna()) == {"latents"}


def silent(run):
    """A latent that is not active in the first protein."""
    sae = protsae(CONCEPTS)
    from protsae.plm import load_plm
    from protsae.steering.config import DecodingConfig
    from protsae.steering.decoding import Decoder

    plan = run(latents=(7,))
    (values,) = Decoder(load_plm(plan.plm), HOOK_POINT, DecodingConfig()).activations([TEXT])
    return int((sae.encode(values) <= 0).all(dim=0).nonzero()[-1])


def test_an_interrupted_run_resumes_and_a_changed_one_starts_anew(run, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    settings = {"proteins": ("A/1", "b"), "concepts": ("GO:2",)}
    run(**settings).run(whole)

    class Breaks:
        def run(self, make, jobs):
            yield make(jobs[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(**settings).run(parts, Breaks())
    assert not AttributionDataset(filepath=str(parts)).exists()
    first = parts / "tables" / f"{run(**settings).jobs[0].slug}.json"
    kept = first.stat().st_ino, first.stat().st_mtime_ns
    run(**settings).run(parts)
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == kept  # a time of reading would change
    names = sorted(path.relative_to(whole) for path in whole.rglob("*.json"))
    assert names == sorted(path.relative_to(parts) for path in parts.rglob("*.json"))
    assert all((whole / name).read_bytes() == (parts / name).read_bytes() for name in names)
    graph = parts / first.name
    flips = [partial(flip_on_disk, path, Random(seed)) for seed in range(8) for path in (first, graph)]
    for damage in (lambda: first.write_text(first.read_text()[:50]), graph.unlink, *flips):  # made again
        damage()
        run(**settings).run(parts)
        assert first.read_bytes() == (whole / first.relative_to(parts)).read_bytes()
        assert graph.read_bytes() == (whole / graph.name).read_bytes()
    run(**settings | {"concepts": ("GO:3",)}).run(parts)
    assert not first.exists()
    assert len(list(parts.rglob("*.json"))) == 5
    (parts / "tables" / first.name).unlink(missing_ok=True)
    next(iter((parts / "tables").iterdir())).unlink()
    with pytest.raises(InputError, match="missing or damaged"):
        tabulate_attribution(AttributionDataset(filepath=str(parts)).load())
