"""Tables of proteins against a slow computation of one protein at a time."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from tests.prediction.small import (
    CONCEPTS,
    HOOK_POINT,
    SCORED,
    plan_of,
    small_release,
    some_proteins,
)

from protsae.activations.executors import LocalExecutor
from protsae.core.errors import InputError
from protsae.plm.forward import Esm2Forward
from protsae.prediction.proteins import Proteins
from protsae.prediction.result import Prediction


@pytest.fixture(scope="module", params=["guided", "located", "plain"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    release = small_release(folder, guided=request.param != "plain", locate=request.param == "located")
    plan_of(release, residues_per_batch=100, max_latents=6, min_strength=0.05).run(folder / "out")
    return release, Prediction(folder / "out")


def slow(release):
    """Yield id, sequence, dictionary, activations as stored and dense codes of each protein."""
    sae, forward = release.load_sae(), Esm2Forward(release.load_plm(), [HOOK_POINT])
    for name, sequence in some_proteins().by_id.items():
        x = forward.run([sequence])[HOOK_POINT].half().float()
        with torch.no_grad():
            yield name, sequence, sae, x, sae.encode(x)


def runs(flags):
    """Return 1-based runs as text, one residue at a time."""
    found, start = [], None
    for place, inside in enumerate([*flags, False], start=1):
        if inside and start is None:
            start = place
        elif not inside and start is not None:
            found.append(f"{start}-{place - 1}" if place - 1 > start else f"{start}")
            start = None
    return ";".join(found)


def test_scores_are_pooled_and_calibrated_as_the_scorers_say(case):
    release, prediction = case
    table, scorers = prediction.table("concept_scores"), release.concept_scorers
    assert table["protein_id"].tolist() == [n for n in some_proteins().ids for _ in SCORED]
    for name, _, sae, x, codes in slow(release):
        rows = table[table["protein_id"] == name].set_index("concept_id")
        for scorer in scorers.itertuples():
            row, kind = rows.loc[scorer.concept_id], scorer.score
            if kind == "predictor":
                score = sae.predictor_logits(x)[:, scorer.concept_idx].mean().item()
            else:
                values = scorer.sign * codes[:, scorer.latent]
                top = -(-len(values) // 10)
                of = codes[:, scorer.latent].sort(descending=True).values[:top].mean() * scorer.sign
                score = {"mean": values.mean(), "top": of, "max": codes[:, scorer.latent].max() * scorer.sign}
                score = score[scorer.pooling].item()
            chance = 1 / (1 + np.exp(-(1.5 * (score - scorer.centre) / 2 - 0.2)))
            assert row[f"{kind}_score"] == pytest.approx(score, abs=1e-5)
            assert row[f"{kind}_probability"] == pytest.approx(chance, abs=1e-6)
            assert row[f"{kind}_reached"] == (row[f"{kind}_probability"] >= scorer.threshold)
            assert row[f"{kind}_auc_test"] == 0.8
        first = "predictor" if sae.n_defined else "latent"
        assert (rows["reached"] == rows[f"{first}_reached"]).all()
    assert 0 < table["reached"].sum() < len(table)


def test_residues_carry_a_concept_where_its_gate_site_or_latent_says(case):
    release, prediction = case
    table = prediction.table("concept_scores").set_index(["protein_id", "concept_id"])
    latents = release.concept_scorers.query("score == 'latent'").set_index("concept_id")
    n_found = 0
    for name, _, sae, x, codes in slow(release):
        for concept, scorer in latents.iterrows():
            row = table.loc[(name, concept)]
            if not sae.n_defined:
                carried = codes[:, scorer["latent"]] > 0 if scorer["sign"] > 0 else codes[:, 0] < 0
            else:
                i = CONCEPTS.index(concept)
                carried = sae.predictor_logits(x)[:, i] > sae.gate_logit[i]
                if sae.sites is not None and sae.sites.is_used[i]:
                    carried = sae.site_logits(x)[:, i] > sae.sites.threshold[i]
            expected = runs(carried.tolist()) if row["reached"] else ""
            assert (row["residues"] or "") == expected
            n_found += bool(expected)
    assert n_found


def test_active_latents_are_the_strongest_of_their_maximum(case):
    release, prediction = case
    table, stretches = prediction.table("active_latents"), prediction.table("latent_stretches")
    maxima = release.latents["max_act"].to_numpy()
    for name, _, _, _, codes in slow(release):
        strength = codes.numpy() / maxima
        order = [i for i in np.argsort(-strength.max(axis=0), kind="stable") if strength[:, i].max() > 0.05][
            :6
        ]
        rows = table[table["protein_id"] == name]
        assert rows["latent"].tolist() == order and rows["rank"].tolist() == list(range(1, len(order) + 1))
        for row in rows.itertuples():
            values = codes[:, row.latent].numpy()
            assert row.residues == runs(values > 0) and row.n_residues == (values > 0).sum()
            assert row.peak == values.argmax() + 1 and row.max_act == pytest.approx(values.max(), rel=1e-5)
            assert row.strength == pytest.approx(values.max() / maxima[row.latent], rel=1e-5)
            assert row.sentence == f"Fires on <b>{row.latent}</b> & more."
            of = stretches[(stretches["protein_id"] == name) & (stretches["latent"] == row.latent)]
            texts = [f"{a}-{b}" if b > a else f"{a}" for a, b in zip(of["start"], of["end"], strict=True)]
            assert ";".join(texts) == row.residues
            assert of["max_act"].max() == pytest.approx(row.max_act)
            for stretch in of.itertuples():
                inside = values[stretch.start - 1 : stretch.end]
                assert inside[stretch.peak - stretch.start] == pytest.approx(inside.max(), rel=1e-5)


def test_tracks_hold_every_active_residue(case):
    release, prediction = case
    tracks, active = prediction.table("residue_tracks"), prediction.table("active_latents")
    for name, sequence, _, _, codes in slow(release):
        of = tracks[(tracks["protein_id"] == name) & (tracks["track"] == "latent")]
        found = {(row.id, row.position): (row.residue, row.value) for row in of.itertuples()}
        expected = {
            (str(latent), place + 1): (sequence[place], codes[place, latent].item())
            for latent in active[active["protein_id"] == name]["latent"]
            for place in codes[:, latent].nonzero().flatten().tolist()
        }
        assert found.keys() == expected.keys()
        for key, (letter, value) in expected.items():
            assert found[key][0] == letter and found[key][1] == pytest.approx(value, rel=1e-4)


def test_proteins_say_how_well_they_are_rebuilt_and_what_is_near(case):
    release, prediction = case
    table = prediction.table("proteins").set_index("protein_id")
    for name, sequence, sae, x, codes in slow(release):
        with torch.no_grad():
            residual = (sae.decode(codes) - x).double().square().sum()
        spread = (x - sae.input_mean).double().square().sum()
        assert table.loc[name, "fve"] == pytest.approx(float(1 - residual / spread), rel=1e-5)
        assert table.loc[name, "length"] == table.loc[name, "n_read"] == len(sequence)
    assert table["is_far"].all(), "random sequences have no relatives"


def test_a_relative_of_training_is_named_whatever_its_own_id(tmp_path):
    release = small_release(tmp_path)
    known = release.train_sequences["sequence"][1]
    proteins = Proteins(("t2", "t1"), ("", ""), (known[5:], some_proteins().sequences[0]), {})
    plan_of(release, proteins).run(tmp_path / "out")
    near, far = Prediction(tmp_path / "out").table("proteins").itertuples()
    assert (near.nearest_train_id, near.nearest_train_identity, near.is_far) == ("t2", 1.0, False)
    assert far.is_far and pd.isna(far.nearest_train_id)


def test_documents_say_the_same_and_are_safe_in_a_page(case):
    _, prediction = case
    text = (prediction.path / "documents.jsonl").read_text()
    assert not {"<", ">", "&"} & set(text) and text.isascii()
    active = prediction.table("active_latents")
    for document, protein in zip(
        prediction.documents(), prediction.table("proteins").itertuples(), strict=True
    ):
        assert document["format_version"] == 1
        assert document["protein"]["protein_id"] == protein.protein_id
        assert document["protein"]["sequence"] == some_proteins().by_id[protein.protein_id]
        of = active[active["protein_id"] == protein.protein_id]
        assert [latent["latent"] for latent in document["latents"]] == of["latent"].tolist()
        for latent, row in zip(document["latents"], of.itertuples(), strict=True):
            assert latent["sentence"] == row.sentence
            first, last = latent["stretches"][0][0], latent["stretches"][-1][1]
            assert row.residues.startswith(f"{first}") and row.residues.endswith(f"{last}")
        assert {concept["concept_id"] for concept in document["concepts"]} == {CONCEPTS[i] for i in SCORED}
        scores = prediction.table("concept_scores")
        scores = scores[scores["protein_id"] == protein.protein_id].set_index("concept_id")
        for concept in document["concepts"]:
            row = scores.loc[concept["concept_id"]]
            assert (concept["name"], concept["reached"]) == (row["name"], row["reached"])
            written = ";".join("-".join(map(str, part)) for part in concept["residues"])
            assert written == row["residues"]
            for kind in {"predictor", "latent"} & concept.keys():
                for key in ("score", "probability", "reached", "auc_test", "aupr_test", "f1_test"):
                    np.testing.assert_allclose(concept[kind][key], row[f"{kind}_{key}"], atol=1e-5)
                assert concept[kind].get("id", row["latent_id"]) == row["latent_id"]
        tracks = {(track["track"], track["id"]): track for track in document["tracks"]}
        assert {name for kind, name in tracks if kind == "latent"} == set(of["latent"].astype(str))


def test_tsv_files_are_the_tables(case):
    _, prediction = case
    for name in prediction.tables:
        path = prediction.path / f"{name}.tsv"
        lines = path.read_text().splitlines()
        head = dict(line[2:].split(": ", 1) for line in lines if line.startswith("# ") and ": " in line)
        assert head["hook_point"] == HOOK_POINT and len(head["dictionary_sha256"]) == 64
        assert '"' not in path.read_text()
        found = pd.read_csv(path, sep="\t", comment="#", keep_default_na=False, na_values=[""])
        table = prediction.table(name)
        assert found.columns.tolist() == table.columns.tolist() and len(found) == len(table)
        for column in table.select_dtypes("float").columns:
            np.testing.assert_allclose(found[column].astype(float), table[column], rtol=1e-5)


def test_more_proteins_than_asked_for_have_tracks_as_parquet_alone(tmp_path):
    plan_of(small_release(tmp_path), max_track_proteins=6).run(tmp_path / "out")
    assert not (tmp_path / "out/residue_tracks.tsv").exists()
    assert len(Prediction(tmp_path / "out").table("residue_tracks"))


def test_a_release_without_latents_and_search_still_predicts(tmp_path):
    release = small_release(tmp_path, with_latents=False)
    plan_of(release).run(tmp_path / "out")
    prediction = Prediction(tmp_path / "out")
    active = prediction.table("active_latents")
    assert active["strength"].isna().all() and active["sentence"].isna().all() and len(active)
    assert active.groupby("protein_id")["max_act"].apply(lambda of: of.is_monotonic_decreasing).all()
    json.dumps(list(prediction.documents()))


class StopError(Exception):
    pass


class Stopping(LocalExecutor):
    """Stops after some jobs."""

    def __init__(self, n):
        self.n = n

    def run(self, make, jobs):
        yield from (make(job) for job in jobs[: self.n])
        raise StopError


class Counting(LocalExecutor):
    def __init__(self):
        self.made = []

    def run(self, make, jobs):
        for job in jobs:
            before = (make._root / job.name / "shard.json").exists()
            yield make(job)
            self.made += [] if before else [job.index]


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_an_interrupted_run_keeps_whole_shards_and_ends_in_the_same_bytes(tmp_path):
    release = small_release(tmp_path)
    plan_of(release).run(tmp_path / "reference")
    out = tmp_path / "out"
    with pytest.raises(StopError):
        plan_of(release).run(out, Stopping(2))
    with pytest.raises(InputError, match="holds no finished prediction"):
        Prediction(out)
    damaged = next((out / "shards").rglob("proteins-00001/concept_scores.arrow"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    (damaged.parent / "shard.json").touch()
    counting = Counting()
    maker_checks = plan_of(release)
    maker_checks.run(out, counting)
    assert counting.made == [2]
    assert files(out) == files(tmp_path / "reference")


def test_a_finished_prediction_is_kept_and_a_changed_one_made_again(tmp_path):
    release, out = small_release(tmp_path), tmp_path / "out"
    plan_of(release).run(out)
    before = (out / "prediction.json").stat().st_mtime_ns
    (out / "notes.txt").write_text("mine")
    plan_of(release).run(out)
    assert (out / "prediction.json").stat().st_mtime_ns == before
    plan_of(release, max_latents=2).run(out)
    assert (Prediction(out).table("active_latents").groupby("protein_id").size() <= 2).all()
    assert (out / "notes.txt").read_text() == "mine"
    table = out / "proteins.parquet"
    table.write_bytes(table.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"proteins\.parquet is damaged"):
        Prediction(out).table("proteins")


def test_long_proteins_are_read_in_windows_cut_or_skipped_as_in_extraction(tmp_path):
    release, long = small_release(tmp_path), some_proteins()
    longest = max(long.by_id, key=lambda name: len(long.by_id[name]))
    n = len(long.by_id[longest])
    limits = {"max_residues": n - 1, "window_overlap": 10}
    plan_of(release, extraction={**limits, "long_sequences": "window"}).run(tmp_path / "a")
    assert (Prediction(tmp_path / "a").table("proteins")["n_read"] == [len(s) for s in long.sequences]).all()
    plan_of(release, extraction={**limits, "long_sequences": "truncate"}).run(tmp_path / "b")
    row = Prediction(tmp_path / "b").table("proteins").set_index("protein_id").loc[longest]
    assert row["n_read"] == n - 1 and row["note"] == f"only the first {n - 1} of {n} residues were read"
    plan_of(release, extraction={**limits, "long_sequences": "skip"}).run(tmp_path / "c")
    table = Prediction(tmp_path / "c").table("proteins")
    assert table.iloc[-1]["protein_id"] == longest and table.iloc[-1]["note"].startswith(
        "skipped: longer than"
    )
    assert len(table) == len(long.ids) and Prediction(tmp_path / "c").record["skipped"].keys() == {longest}
    with pytest.raises(InputError, match="exceed max_residues"):
        plan_of(release, extraction={**limits, "long_sequences": "error"})


def test_another_layer_is_refused_or_marked(tmp_path):
    release = small_release(tmp_path)
    with pytest.raises(InputError, match=r"layers\.1\.resid_post and is applied to layers\.0\.resid_post"):
        plan_of(release, layer="layers.0.resid_post")
    plan_of(release, layer="layers.0.resid_post", accept_mismatch=True).run(tmp_path / "out")
    prediction = Prediction(tmp_path / "out")
    for name in ("proteins", "concept_scores", "active_latents"):
        assert prediction.table(name)["marks"].str.contains("is applied to layers.0.resid_post").all()
    assert "layers.0.resid_post" in prediction.record["marks"]
    assert "# marks: dictionary 'small' was made for" in (tmp_path / "out/proteins.tsv").read_text()


def test_nothing_to_predict_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"no protein is given: `--params prediction\.fasta"):
        plan_of(small_release(tmp_path), Proteins((), (), (), {}))


def test_a_protein_of_35000_residues_with_markup_in_its_header(tmp_path):
    letters = np.random.default_rng(0).choice(list("ACDEFGHIKLMNPQRSTVWY"), 35_000)
    proteins = Proteins(("huge", "two"), ("<script>alert(1)</script>", ""), ("".join(letters), "MK"), {})
    plan_of(small_release(tmp_path), proteins).run(tmp_path / "out")
    prediction = Prediction(tmp_path / "out")
    assert prediction.table("proteins")["n_read"].tolist() == [35_000, 2]
    assert prediction.table("latent_stretches")["end"].max() > 34_000
    assert "<script>" not in (tmp_path / "out/documents.jsonl").read_text()
    assert next(prediction.documents())["protein"]["description"] == "<script>alert(1)</script>"
