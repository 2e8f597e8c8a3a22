"""First screen, tables and cards hold the right numbers, chosen on validation."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from protsae.metrics.table import concat_metrics, metric_rows
from protsae.reporting.cards import is_uniprot_accession, latent_cards
from protsae.reporting.concepts import concept_rows, flat_counts, left_out, residue_rows
from protsae.reporting.config import CardLimits
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.differences import leading_pairs, paired_rows, verdict
from protsae.reporting.overview import counting, health_table, main_result, method_rows, sizes
from protsae.reporting.selection import macro_scores, metric_table


def auc_rows(method, value, low=None, high=None, **more):
    intervals = None if low is None else {"auc": (low, high)}
    return metric_rows(
        {"auc": value}, method=method, aspect="mean", split="test", intervals=intervals, **more
    )


def pair(first, second, value, low, high):
    return auc_rows(f"{first} - {second}", value, low, high)


METRICS = concat_metrics(
    [
        auc_rows("protsae_latent", 0.71, 0.69, 0.73),
        auc_rows("topk_latent", 0.65, 0.63, 0.68),
        auc_rows("linear_probe", 0.72),
        auc_rows("shuffled_labels", 0.48),
    ]
)


def test_main_result_states_scores_floors_and_paired_differences(dictionaries):
    differences = concat_metrics(
        [
            pair("protsae_latent", "topk_latent", 0.06, 0.03, 0.09),
            pair("linear_probe", "protsae_latent", 0.01, -0.02, 0.04),
        ]
    )
    assert main_result(METRICS, differences, dictionaries) == (
        "On test proteins, each defined latent of ProtSAE ranks the proteins that have its concept above the"
        " others with a mean AUC of 0.710 (0.690 to 0.730). Chance is 0.5, and a probe on shuffled labels"
        " reaches 0.480. The best single latents of TopK SAE reach 0.650 (0.630 to 0.680); the paired"
        " difference is +0.060 (+0.030 to +0.090). A linear probe on the mean activations, which uses no"
        " dictionary, reaches 0.720; the paired difference is −0.010 (−0.040 to +0.020), not significant on"
        " this test set."
    )


def test_main_result_states_the_control_without_an_autoencoder_first(dictionaries):
    control = concat_metrics([METRICS, auc_rows("gated_linear_probe", 0.7)])
    differences = pair("protsae_latent", "gated_linear_probe", 0.01, -0.01, 0.03)
    said = main_result(control, differences, dictionaries)
    sentence = (
        "Logistic regression through the same gate, without a dictionary, reaches 0.700; the paired"
        " difference is +0.010 (−0.010 to +0.030), not significant on this test set."
        " The best single latents of TopK SAE"
    )
    assert sentence in said
    unguided = Dictionaries({"topk": "topk"}, "topk")
    assert "gate" not in main_result(control, differences, unguided)


def test_main_result_of_a_single_unguided_dictionary_names_no_other():
    alone = Dictionaries({"a": "gated"}, "a")
    said = main_result(auc_rows("a_latent", 0.6), auc_rows("a_latent", 0.6)[:0], alone)
    assert said == (
        "On test proteins, the best single latent of Gated SAE for each concept, chosen without test"
        " proteins, ranks the proteins that have the concept above the others with a mean AUC of 0.600."
        " Chance is 0.5."
    )


def test_without_paired_differences_none_is_claimed(dictionaries):
    assert "difference" not in main_result(METRICS, METRICS[:0], dictionaries)


def test_main_result_without_scores_says_so(dictionaries):
    nothing = metric_rows({}, method="")
    assert (
        main_result(nothing, nothing, dictionaries)
        == "No AUC of ProtSAE's latents was measured on the test split."
    )


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.2, "higher"),
        (-0.2, -0.01, "lower"),
        (-0.01, 0.2, "not significant on this test set"),
        (0.0, 0.2, "not significant on this test set"),
        (None, None, "no interval"),
    ],
)
def test_a_verdict_follows_from_the_interval(low, high, said):
    assert verdict({"value": 0.1, "low": low, "high": high}) == said


def test_paired_rows_keep_order_and_the_overview_has_the_subject(dictionaries):
    table = concat_metrics(
        [
            pair("linear_probe", "composition_probe", -0.01, -0.02, -0.005),
            pair("protsae_latent", "protsae_predictor", -0.03, -0.04, -0.02),
            pair("protsae_probe", "topk_probe", 0.01, -0.01, 0.02),
            metric_rows({"auc": 0.9}, method="linear_probe", aspect="mean", split="test"),
        ]
    )
    rows = paired_rows(table, dictionaries)
    assert [(row["first"], row["second"], row["verdict"]) for row in rows] == [
        ("Linear probe on activations", "probe on residue composition", "lower"),
        ("ProtSAE defined latent", "ProtSAE predictor", "lower"),
        ("Probe on ProtSAE latents", "probe on TopK latents", "not significant on this test set"),
    ]
    assert rows[0]["scores"]["auc"] == {"value": -0.01, "low": -0.02, "high": -0.005}
    assert rows[0]["scores"]["fmax"] == {"value": None, "low": None, "high": None}
    assert leading_pairs(rows, dictionaries) == [rows[2]]
    assert leading_pairs(rows[:1], dictionaries) == rows[:1]


def test_mean_is_preferred_and_other_strata_are_left_out():
    metrics = concat_metrics(
        [
            auc_rows("a", 0.7),
            metric_rows({"auc": 0.9}, method="a", aspect="all", split="test"),
            metric_rows({"auc": 0.8}, method="a", aspect="mean", split="validation"),
            metric_rows({"auc": 0.1}, method="a", aspect="mean", split="test", stratum="short"),
            metric_rows({"auc": 0.6}, method="b", aspect="all", split="test"),
        ]
    )
    assert {method: row["value"] for method, row in macro_scores(metrics, "auc").items()} == {
        "a": 0.7,
        "b": 0.6,
    }


def test_first_seed_stands_where_there_are_several():
    metrics = concat_metrics([auc_rows("a", 0.7, seed=2), auc_rows("a", 0.8, seed=1)])
    assert metric_table(metrics)["value"].tolist() == [0.8]


def test_metrics_read_back_from_csv_give_the_same_tables(tables, tmp_path, dictionaries):
    tables.metrics.to_csv(tmp_path / "metrics.csv", index=False)
    again = pd.read_csv(tmp_path / "metrics.csv")
    assert method_rows(again, dictionaries) == method_rows(tables.metrics, dictionaries)
    assert health_table(again, dictionaries) == health_table(tables.metrics, dictionaries)
    tables.method_differences.to_csv(tmp_path / "differences.csv", index=False)
    differences = pd.read_csv(tmp_path / "differences.csv")
    shown = main_result(tables.metrics, tables.method_differences, dictionaries)
    assert main_result(again, differences, dictionaries) == shown


def test_methods_are_ranked_with_floors_last(tables, dictionaries):
    rows = method_rows(tables.metrics, dictionaries)
    assert [row["method"] for row in rows] == [
        "linear_probe",
        "protsae_predictor",
        "protsae_latent",
        "protsae_probe",
        "topk_probe",
        "topk_latent",
        "prevalence",
        "shuffled_labels",
    ]
    assert rows[2]["supervision"] == "training"
    assert rows[2]["scores"]["aupr"]["mean"] == {
        "value": pytest.approx(0.362),
        "low": pytest.approx(0.342),
        "high": pytest.approx(0.382),
    }
    bpo = tables.metrics[(tables.metrics["method"] == "protsae_latent") & (tables.metrics["aspect"] == "BPO")]
    assert rows[2]["scores"]["fmax"]["BPO"]["value"] == bpo.set_index("metric").loc["fmax", "value"]


def test_the_page_says_how_many_concepts_count(tables):
    number = metric_rows({"n_effective_concepts": 19.6}, method="a_latent", aspect="all", split="test", n=104)
    said = counting(concat_metrics([tables.metrics, number]))
    assert said.startswith("Means over concepts run over 104 concepts, of near-twins over one.")
    assert said.endswith("they are worth 20 independent ones.")
    assert counting(tables.metrics) == ""


def test_health_has_rows_without_a_split_and_gaps(tables, dictionaries):
    geometry = metric_rows({"subsumption_auc": 0.61}, method="protsae", aspect="all")
    kept = tables.metrics[tables.metrics["metric"] != "subsumption_auc"]
    table = health_table(concat_metrics([kept, geometry]), dictionaries)
    assert table["methods"] == ["ProtSAE", "TopK SAE"]
    values = {row["metric"]: row["values"] for row in table["rows"]}
    assert values["fve"] == [0.812, pytest.approx(0.82824)]
    assert values["subsumption_auc"] == [0.61, None]
    assert list(values)[:2] == ["fve", "l0"]


def test_sizes_leave_excluded_proteins_out(tables, dictionaries):
    used = tables.proteins[tables.proteins["split"] != "excluded"]
    tiles = {tile["label"]: tile["value"] for tile in sizes(tables, dictionaries)}
    assert tiles["proteins"] == str(len(used)) == "89"
    assert tiles["residues"] == f"{used['length'].sum():,}"


def test_the_first_screen_says_what_share_was_searched_for_relatives(tables, dictionaries):
    proteins = tables.proteins.copy()
    test = proteins.index[proteins["split"] == "test"]
    proteins.loc[test[:4], "is_audited"] = False
    proteins.loc[test[4], "nearest_train_id"] = "P1"
    changed = dataclasses.replace(tables, proteins=proteins)
    (tile,) = (tile for tile in sizes(changed, dictionaries) if "searched" in tile["label"])
    n_held_out = int((proteins["split"] != "train").sum())  # the excluded one was searched as well
    assert tile["value"] == f"{(n_held_out - 4) / n_held_out:.0%}"
    assert tile["hint"] == (
        f"1 excluded; {len(test) - 5} of {len(test) - 4} searched test proteins left have no significant hit "
        "in training"
    )


def test_scores_on_proteins_without_a_hit_have_their_own_cell(tables, dictionaries):
    rows = {row["method"]: row for row in method_rows(tables.metrics, dictionaries)}
    assert rows["linear_probe"]["scores"]["auc"]["no_hit"]["value"] is None
    mean = tables.metrics.query("method == 'linear_probe' and metric == 'auc' and split == 'test'").iloc[:1]
    harder = mean.assign(aspect="mean", stratum="no hit", value=0.625)
    metrics = pd.concat([tables.metrics, harder], ignore_index=True)
    rows = {row["method"]: row for row in method_rows(metrics, dictionaries)}
    assert rows["linear_probe"]["scores"]["auc"]["no_hit"]["value"] == 0.625
    assert rows["linear_probe"]["scores"]["auc"]["mean"]["value"] != 0.625


def test_concept_rows_join_scores_and_f1_of_the_own_latent(tables, dictionaries):
    rows = {row["id"]: row for row in concept_rows(tables, dictionaries)}
    test = tables.concept_metrics[tables.concept_metrics["split"] == "test"]
    own_is_best = tables.latents[tables.latents["latent"] == 4].iloc[0]
    other_is_best = tables.latents[tables.latents["latent"] == 5].iloc[0]
    assert other_is_best["best_concept_id"] != other_is_best["concept_id"]
    for latent, part in ((own_is_best, 1.0), (other_is_best, 0.5)):
        row = rows[latent["concept_id"]]
        auc = test[test["concept_id"] == latent["concept_id"]].set_index("method")["auc"]
        assert row["auc"] == [auc["protsae_latent"], auc["topk_latent"], auc["linear_probe"]]
        assert row["f1"] == pytest.approx(latent["f1_test"] * part)
        assert row["floor"] == pytest.approx(1 / 3)  # 2 p / (1 + p) at prevalence .2
    assert (
        rows[own_is_best["concept_id"]]["n"]
        == tables.concepts.loc[4, ["n_train", "n_validation", "n_test"]].tolist()
    )


def test_a_latent_that_never_fires_has_no_f1(tables, dictionaries):
    silent = dataclasses.replace(tables, latent_concepts=tables.latent_concepts.iloc[:0])
    assert {row["f1"] for row in concept_rows(silent, dictionaries)} == {None}
    assert {
        card["f1_test"] for card in latent_cards(silent, CardLimits(max_free=0), dictionaries)["cards"]
    } == {None}


def test_cards_are_chosen_on_validation_not_on_test(tables, dictionaries):
    latents, matched = tables.latents.copy(), tables.latent_concepts.copy()
    for table in (latents, matched):
        table["f1_test"] = 1 - table["f1_validation"]
    changed = dataclasses.replace(tables, latents=latents, latent_concepts=matched)
    found = latent_cards(changed, CardLimits(max_free=3, max_defined=2), dictionaries)
    own = latents[latents["kind"] == "defined"].merge(matched, on=["method", "latent", "concept_id"])
    expected = [("protsae", "defined", latent) for latent in own.nlargest(2, "f1_validation_y")["latent"]]
    for method in ("protsae", "topk"):
        free = latents[(latents["method"] == method) & (latents["kind"] == "free")]
        expected += [(method, "free", latent) for latent in free.nlargest(3, "f1_validation")["latent"]]
    assert [(card["method"], card["kind"], card["latent"]) for card in found["cards"]] == expected
    assert (found["n_defined"], found["shown_defined"], found["n_free"], found["shown_free"]) == (
        12,
        2,
        80,
        6,
    )


def test_a_defined_card_is_about_its_own_concept(tables, dictionaries):
    cards = {
        card["latent"]: card for card in latent_cards(tables, CardLimits(max_free=0), dictionaries)["cards"]
    }
    latent = tables.latents[tables.latents["latent"] == 5].iloc[0]
    card = cards[5]
    assert (card["concept_id"], card["name"], card["rank"]) == (latent["concept_id"], latent["name"], 5)
    assert card["f1_test"] == pytest.approx(latent["f1_test"] * 0.5)
    assert [match["rank"] for match in card["concepts"]] == [1, 5]
    assert card["concepts"][0]["id"] == latent["best_concept_id"]
    assert cards[4]["rank"] == 1


def test_card_holds_one_based_positions_and_the_stored_values(tables, dictionaries):
    found = latent_cards(tables, CardLimits(max_examples=2), dictionaries)
    card = next(card for card in found["cards"] if (card["method"], card["latent"]) == ("protsae", 3))
    stored = tables.latent_examples
    stored = stored[(stored["method"] == "protsae") & (stored["latent"] == 3)].sort_values("rank")
    assert len(card["examples"]) == 2
    first, row = card["examples"][0], stored.iloc[0]
    assert (first["peak"], first["start"]) == (row["peak_index"] + 1, row["window_start"] + 1)
    assert first["acts"] == pytest.approx(row["window_acts"].tolist(), rel=6e-3)
    assert [example["has"] for example in card["examples"]] == [
        None if pd.isna(value) else value for value in stored["has_concept"][:2]
    ]
    peak = first["acts"][first["peak"] - first["start"]]
    assert peak == max(first["acts"]) == pytest.approx(row["max_act"], rel=6e-3)
    statistics = tables.statistics["protsae"].set_index("latent").loc[3]
    assert (card["gate_rate"], card["density_test"]) == (statistics["gate_rate"], statistics["density_test"])


def test_unknown_concept_of_an_example_is_none(tables, dictionaries):
    examples = tables.latent_examples.assign(has_concept=np.nan)
    found = latent_cards(dataclasses.replace(tables, latent_examples=examples), CardLimits(), dictionaries)
    assert {example["has"] for card in found["cards"] for example in card["examples"]} == {None}


@pytest.mark.parametrize(
    ("protein_id", "is_one"),
    [
        ("P12345", True),
        ("A0A024RBG1", True),
        ("Q9Y6K9", True),
        ("sp1", False),
        ("P12345-2", False),
        ("P1234", False),
    ],
)
def test_accessions(protein_id, is_one):
    assert is_uniprot_accession(protein_id) is is_one


def test_left_out_counts_and_lists(tables):
    found = left_out(tables)
    assert found["excluded"] == 1
    assert found["reasons"] == [
        {"label": "too few positives", "value": "149"},
        {"label": "too common", "value": "1"},
    ]
    assert (len(found["concepts"]["rows"]), found["concepts"]["n_more"]) == (100, 50)
    assert [row["term_id"] for row in found["ids"]["rows"]] == ["GO:0000004", "GO:9999999"]
    assert found["ids"]["rows"][0]["resolved_id"] == ""


def test_reports_are_flattened_in_order():
    report = {"n_records": 1200, "by_kind": {"merged": 2, "ids": ["a", "b"]}, "ok": True, "nothing": None}
    assert flat_counts(report) == [
        {"label": "records", "value": "1,200"},
        {"label": "by kind: merged", "value": "2"},
        {"label": "by kind: ids", "value": "2 (a, b)"},
        {"label": "ok", "value": "True"},
        {"label": "nothing", "value": ""},
    ]


def test_residue_concepts_have_the_amino_acid_and_the_position_as_floors(tables, dictionaries):
    found = residue_rows(tables, dictionaries)
    own, floors = ["ProtSAE predictor", "ProtSAE defined latent"], ["Amino acid alone", "Position alone"]
    assert found["methods"] == own + floors
    assert [(row["concept_id"], row["n_positive"], row["values"]) for row in found["rows"]] == [
        ("motif:walker_a", 31, [pytest.approx(0.8), None, 0.6, 0.55]),
        ("motif:rgd", 30, [0.7, None, 0.6, 0.55]),
    ]
    assert found["n_more"] == 0
    none = residue_rows(
        dataclasses.replace(tables, residue_concept_metrics=tables.residue_concept_metrics[:0]),
        dictionaries,
    )
    assert none["rows"] == []
