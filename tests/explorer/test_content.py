"""What data files hold: the values of the tables, hostile texts as texts, and no more than is asked for."""

import json

import numpy as np
import pandas as pd
import pytest

from protsae.core.errors import InputError
from protsae.explorer.proteins import FULL, runs

from .conftest import HOSTILE, build, column


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)


def test_hostile_texts_stay_texts(hostile):
    marked = {}
    for path in hostile.files():
        raw = path.read_text(encoding="utf-8")
        assert not set("<>&\u2028") & set(raw), path
        marked[path.stem] = sum(HOSTILE in text for text in texts_in(hostile[path.stem]))
    assert "<img" not in hostile.index
    for name in (
        "index",
        "concepts",
        "proteins",
        "search",
        "sentences-0-0",
        "latent-0-0",
        "concept-0",
        "protein-0",
    ):
        assert marked[name] > 0, name
    assert HOSTILE in hostile["index"]["title"]


def test_list_of_latents_holds_the_table(site, tables):
    for position, name in enumerate(tables.order):
        latents, listed = tables.of[name].latents, site[f"latents-{position}"]
        assert listed["n"] == len(latents)
        assert column(listed, "kind") == latents["kind"].tolist()
        np.testing.assert_allclose(column(listed, "density"), latents["density"], rtol=5e-3)
        np.testing.assert_allclose(column(listed, "f1"), latents["f1_test"], atol=5e-4)
        ids = column(site["concepts"], "id")
        assert [ids[c] for c in column(listed, "best")] == latents["best_concept_id"].tolist()
        shown = [ids[c] for c in column(listed, "concept")]
        assert (
            shown
            == latents["concept_id"].where(latents["concept_id"] != "", latents["best_concept_id"]).tolist()
        )


def test_cards_hold_windows_concepts_and_explanations_of_their_latent(site, tables):
    own = tables.of["topk"]
    chunk = site["index"]["chunk"]["latent"]
    ids, proteins = column(site["concepts"], "id"), column(site["proteins"], "id")
    for latent in (0, chunk - 1, chunk, 69):
        card = site[f"latent-1-{latent // chunk}"][latent % chunk]
        assert card["latent"] == latent
        windows = own.latent_examples[own.latent_examples["latent"] == latent]
        assert [w["seq"] for w in card["windows"]] == windows["window_sequence"].tolist()
        assert [proteins[w["protein"]] for w in card["windows"]] == windows["protein_id"].tolist()
        description = tables.proteins.set_index("protein_id")["description"]
        assert [w["description"] for w in card["windows"]] == description[windows["protein_id"]].tolist()
        for shown, acts in zip(card["windows"], windows["window_acts"], strict=True):
            np.testing.assert_allclose(shown["acts"], acts, rtol=5e-4)
        labels = tables.protein_labels
        rows = own.latent_enrichment[own.latent_enrichment["latent"] == latent].nsmallest(10, "q_value")
        assert [ids[row["concept"]] for row in card["enrichment"]] == rows["concept_id"].tolist()
        assert card["neighbours"] == own.latent_cards["neighbours"][latent].tolist()
        np.testing.assert_allclose(card["logo"], own.latent_cards["logo"][latent], rtol=5e-4)
        carriers = set(labels.loc[labels["concept_idx"] == card["concept"], "protein_id"])
        expected = [p in carriers or (None if p == "P00001" else False) for p in windows["protein_id"]]
        assert [w["has"] for w in card["windows"]] == expected
        concepts = own.latent_concepts[own.latent_concepts["latent"] == latent]
        of_proteins = [c for c in card["concepts"] if c["level"] == "protein"]
        assert [ids[c["concept"]] for c in of_proteins] == concepts["concept_id"].tolist()
        assert {c["floor"] for c in of_proteins} <= {0.2, None}
        assert card["explanations"][0]["sentence"] == site["sentences-1-0"][latent]


def test_concepts_hold_the_best_latent_of_every_dictionary(site, tables):
    alignment, metrics = tables.concept_alignment, tables.concept_metrics
    for position, name in enumerate(tables.order):
        first = alignment[(alignment["method"] == name) & (alignment["rank"] == 1)].set_index("concept_id")
        auc = metrics[metrics["method"] == f"{name}_latent"].set_index("concept_id")["auc"]
        for row, concept_id in enumerate(column(site["concepts"], "id")):
            values = {
                key: column(site["concepts"], f"{key}_{position}")[row] for key in ("latent", "f1", "auc")
            }
            assert values["latent"] == first.at[concept_id, "latent"]
            assert values["f1"] == pytest.approx(first.at[concept_id, "f1_test"], abs=5e-4)
            assert values["auc"] == pytest.approx(auc[concept_id], abs=5e-4)


def test_graph_of_concepts_is_that_of_the_ontology(site, tables):
    ids = column(site["concepts"], "id")
    relations = tables.ontology.relations
    expected = relations.groupby("child_id")["parent_id"].agg(set).to_dict()
    for row, parents in enumerate(column(site["concepts"], "parents")):
        assert {ids[p] for p in parents} == expected.get(ids[row], set())
        chunk = site["index"]["chunk"]["concept"]
        detail = site[f"concept-{row // chunk}"][row % chunk]
        assert detail["parents"] == parents
        assert {ids[c] for c in detail["children"]} == set(
            relations.loc[relations["parent_id"] == ids[row], "child_id"]
        )


def test_scores_of_a_concept_put_floors_last(site):
    rows = site["concept-0"][0]["rows"]
    assert [row["floor"] for row in rows] == [False, False, False, True]
    assert rows[2]["method"] == "linear_probe"
    assert rows[0]["auc"] >= rows[1]["auc"]


def test_tracks_are_the_strongest_codes_residue_by_residue(tables, site):
    proteins = tables.proteins
    row = int(np.flatnonzero(proteins["split"] == "test")[0])
    chunk = site["index"]["chunk"]["protein"]
    page = site[f"protein-{row // chunk}"][row % chunk]
    assert page["sequence"] == proteins["sequence"].iloc[row]
    for position, name in enumerate(tables.order):
        own = tables.of[name]
        codes = own.residue_codes.codes(proteins["protein_id"].iloc[row])
        dense = np.zeros((len(codes), own.residue_codes.n_latents))
        for residue in range(len(codes)):  # the slow way
            part = slice(codes.indptr[residue], codes.indptr[residue + 1])
            dense[residue, codes.latents[part]] = codes.values[part]
        full = own.latents["max_act"].to_numpy()
        peaks = dense.max(axis=0) / np.where(full > 0, full, 1)
        tracks = [track for track in page["tracks"] if track["dictionary"] == position]
        assert [t["latent"] for t in tracks] == np.argsort(-peaks, kind="stable")[
            : min(40, (peaks > 0).sum())
        ].tolist()
        assert page["n_fired"][position] == (peaks > 0).sum()
        for track in tracks:
            shown = np.zeros(len(dense))
            for start, values in track["runs"]:
                shown[start : start + len(values)] = values
            expected = dense[:, track["latent"]]
            assert ((shown > 0) == (expected > 0)).all()
            np.testing.assert_allclose(shown * track["max"] / FULL, expected, atol=track["max"] / FULL)


def test_runs_by_hand():
    assert runs(np.array([3, 4, 5, 9]), np.array([1, 0.5, 1e-9, 0.2])) == [[3, [255, 128, 1]], [9, [51]]]


def test_predictions_are_calibrated_probabilities_of_the_predictor(tables, site):
    own, row = tables.of["protsae"], 3
    scorer = own.concept_scorers.iloc[0]
    logits = np.asarray(own.encoding["protein_logits"][row], float)[own.concept_scorers["concept_idx"]]
    z = scorer["slope"] * (logits - scorer["centre"]) / scorer["scale"] + scorer["intercept"]
    expected = 1 / (1 + np.exp(-z))
    shown = site["protein-0"][row]["predicted"]
    assert [p["probability"] for p in shown] == pytest.approx(np.sort(expected)[::-1][:40], rel=5e-3)
    carried = set(tables.protein_labels.loc[tables.protein_labels["protein_id"] == "P00003", "concept_idx"])
    assert {p["concept"] for p in shown if p["known"]} == carried & {p["concept"] for p in shown}
    assert {k["concept"] for k in site["protein-0"][row]["known"]} == carried


def test_without_a_predictor_latents_predict(tables, tmp_path):
    from dataclasses import replace

    own = tables.of["protsae"]
    scorers = own.concept_scorers.assign(
        score="latent", latent=np.arange(len(own.concept_scorers)) + 5, pooling="mean", sign=-1.0
    )
    changed = replace(tables, of={**tables.of, "protsae": replace(own, concept_scorers=scorers)})
    shown = build(changed, tmp_path / "site", max_predicted=1)["protein-0"][0]["predicted"]
    score = -np.asarray(own.encoding["mean_latents"][0], float)[scorers["latent"]]
    best = int(np.argmax(score))
    assert [p["concept"] for p in shown] == [best]
    assert shown[0]["probability"] == pytest.approx(
        1 / (1 + np.exp(-(1.5 * (score[best] + 1) / 2 - 0.5))), rel=5e-3
    )


def test_missing_annotations_are_listed_up_to_the_limit(tables, tmp_path):
    shown = build(tables, tmp_path / "site", max_missing=7)["concept-0"][0]["missing"]
    assert [row["dictionary"] for row in shown] == [0] * 7 + [1] * 7
    assert shown[0]["evidence"] == "similar to P00000, which is annotated (identity 0.41)"
    assert [row["protein"] for row in shown[:7]] == list(range(7))


def test_pages_are_limited_to_the_listed_proteins(tables, tmp_path):
    site = build(tables, tmp_path / "site", proteins=["P00017", "P00003"], max_tracks=2)
    has_page = column(site["proteins"], "has_page")
    assert [row for row, has in enumerate(has_page) if has] == [3, 17]
    pages = [page for number in range(10) for page in site[f"protein-{number}"]]
    assert [row for row, page in enumerate(pages) if page] == [3, 17]
    assert all(len([t for t in pages[3]["tracks"] if t["dictionary"] == d]) == 2 for d in (0, 1))
    assert column(site["proteins"], "id") == tables.proteins["protein_id"].tolist()


def test_unknown_protein_in_the_list_is_refused(tables, tmp_path):
    with pytest.raises(InputError, match="'Q99999', no protein of this run"):
        build(tables, tmp_path / "site", proteins=["P00003", "Q99999"])
    assert not (tmp_path / "site").exists()


def test_optional_tables_may_be_absent(tables, tmp_path):
    from dataclasses import replace

    nothing = dict.fromkeys(
        (
            *("explanations", "missing_annotations", "concept_scorers", "monosemanticity"),
            *("latent_cards", "latent_windows", "latent_enrichment"),
        )
    )
    of = {name: replace(own, **nothing) for name, own in tables.of.items()}
    site = build(replace(tables, of=of), tmp_path / "site")
    assert site["index"]["has"]["explanations"] is False
    assert set(site["sentences-0-0"]) == {None}
    assert site["protein-0"][0]["predicted"] == []


def test_curves_are_thinned_and_keep_their_ends(site):
    curve = site["overview"]["curves"][0]
    assert len(curve["step"]) == 240
    assert (curve["step"][0], curve["step"][-1]) == (0, 999)
    assert curve["value"][-1] == pytest.approx(0.9)


def test_search_index_holds_aliases(site, tables):
    entries = site["search"]["entries"]
    rows = list(zip(*(column(entries, c) for c in ("kind", "dictionary", "index", "text")), strict=True))
    found = {text: index for kind, _, index, text in rows if kind == "protein"}
    motifs = [(d, index, text) for kind, d, index, text in rows if kind == "motif"]
    assert motifs[0] == (0, 1, "xxCCxxCx")
    assert len(motifs) == 2 * 35  # every second consensus has a letter
    aliases = tables.proteins["aliases"]
    assert found == {alias: row for row, alias in enumerate(aliases) if alias}
    assert site["sequences-0"] == tables.proteins["sequence"].tolist()
    assert site["descriptions-0"] == tables.proteins["description"].tolist()
    assert site["protein-ids"] == column(site["proteins"], "id")


def test_index_says_what_was_trained_on_what(site, tables):
    index = site["index"]
    assert [d["name"] for d in index["dictionaries"]] == ["protsae", "topk"]
    assert index["dictionaries"][0]["fve"] == 0.8123
    assert index["counts"]["proteins"] == len(tables.proteins)
    assert index["plm"]["name"] == "esm2_made_up"
    assert json.dumps(index).count("1" * 64) == 1
    assert pd.Series(index["splits"]).sum() == len(tables.proteins)
