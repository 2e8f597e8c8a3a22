"""The page: self-contained, safe with hostile texts, and the same bytes every time."""

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from protsae.core.errors import InputError
from protsae.reporting.dictionaries import Dictionaries
from protsae.reporting.policy import content_policy

from .conftest import render

HOSTILE = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Elements with their attributes, and the text of each script, style, row of a table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self._raw_open = self._cell_open = False
        self.feed(html)
        self.close()
        self.rows = [[cell.strip() for cell in row] for row in self.rows]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._raw_open = tag in ("script", "style")
        if self._raw_open:
            self.raw.append((tag, dict(attrs), ""))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th") and self.rows:
            self.rows[-1].append("")
            self._cell_open = True

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._raw_open = False
        if tag in ("td", "th"):
            self._cell_open = False

    def handle_data(self, data):
        if self._raw_open:
            tag, attrs, text = self.raw[-1]
            self.raw[-1] = (tag, attrs, text + data)
            return
        self.text += data
        if self._cell_open:
            self.rows[-1][-1] += data

    def data_block(self, name: str):
        (found,) = [text for _, attrs, text in self.raw if attrs.get("id") == name]
        return json.loads(found)


@pytest.fixture(scope="module")
def parsed(page) -> Page:
    return Page(page)


def sha256(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def policy_of(parsed: Page) -> dict[str, list[str]]:
    (policy,) = [
        attrs["content"] for tag, attrs in parsed.tags if attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    return {name: values for name, *values in (part.split() for part in policy.split(";"))}


def test_policy_allows_exactly_the_scripts_and_styles_of_the_page(parsed):
    policy = policy_of(parsed)
    code = [text for tag, attrs, text in parsed.raw if tag == "script" and "type" not in attrs]
    assert len(code) == 2
    assert policy["script-src"] == [sha256(text) for text in code]
    assert set(policy["style-src"]) == {sha256(text) for tag, _, text in parsed.raw if tag == "style"}
    assert policy["default-src"] == ["'none'"]
    assert "unsafe" not in str(policy)


def test_policy_comes_before_anything_it_governs(parsed):
    kinds = [
        tag for tag, attrs in parsed.tags if attrs.get("http-equiv") or tag in ("script", "style", "link")
    ]
    assert kinds[0] == "meta"


def test_plotly_is_inlined_once(page, parsed):
    assert page.count("* plotly.js v") == 1
    (ids,) = [
        re.findall(r'if\(!document\.getElementById\("([0-9a-f]{64})"\)\)', text)
        for _, _, text in parsed.raw
        if "plotly.js v" in text
    ]
    assert ids
    empty = {attrs.get("id") for tag, attrs, text in parsed.raw if tag == "style" and text == ""}
    assert set(ids) <= empty


def test_nothing_is_loaded_and_no_attribute_runs(parsed):
    for tag, attrs in parsed.tags:
        assert "src" not in attrs, (tag, attrs)
        assert "style" not in attrs, (tag, attrs)
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        if "href" in attrs:
            assert tag == "a"
            assert attrs["href"].startswith(("#", "https://www.ebi.ac.uk/QuickGO/term/GO:")), attrs
            if attrs["href"].startswith("https"):
                assert attrs["rel"] == "noopener"
    assert not {tag for tag, _ in parsed.tags} & {"img", "iframe", "link", "object", "form", "base"}


def test_hostile_texts_stay_text(tables, parsed):
    assert HOSTILE in parsed.text  # the note of the annotation report
    assert "binding <b>bold</b> & <script>alert(2)</script>" in parsed.text
    examples = [example for card in parsed.data_block("strip-data").values() for example in card["examples"]]
    assert HOSTILE in {example["about"] for example in examples}
    assert tables.proteins["description"][0] == HOSTILE


def test_hostile_title_and_ids_stay_text(tables, example):
    proteins = tables.latent_examples.assign(protein_id='x" onmouseover="alert(3)\' <svg/onload=alert(4)>')
    html = render(dataclasses.replace(tables, latent_examples=proteins), example, title=HOSTILE)
    parsed = Page(html)
    assert parsed.text.count(HOSTILE) >= 2  # in the title element and in the heading
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    (examples, *_) = parsed.data_block("strip-data").values()
    assert examples["examples"][0]["link"] is False


def test_data_blocks_hold_no_markup(page, parsed):
    for name in ("figure-data", "strip-data"):
        (text,) = [text for _, attrs, text in parsed.raw if attrs.get("id") == name]
        assert not set("<>&'") & set(text)


def test_method_table_shows_values_intervals_and_floors(parsed):
    row = next(row for row in parsed.rows if row and "protsae_latent" in row[0])
    assert row[1].strip() == "training"
    assert row[2] == "0.7120.692 to 0.732"
    floor = next(row for row in parsed.rows if row and "shuffled_labels" in row[0])
    assert "floor" in floor[0]
    assert floor[2].startswith("0.497")
    heads = [row for row in parsed.rows if row and row[0] in ("Method", "Methods")]
    kinds = ["AUCpercentile interval", "AUPRnormal interval", "Fmaxpercentile interval"]
    assert [head for row in heads for head in row if "interval" in head] == 2 * kinds


def test_concept_table_shows_every_concept(tables, parsed):
    for concept in tables.concepts.to_dict("records"):
        (row,) = [row for row in parsed.rows if len(row) == 10 and concept["concept_id"] in row[0]]
        assert row[2:5] == [str(concept[f"n_{split}"]) for split in ("train", "validation", "test")]
        test = tables.concept_metrics[
            (tables.concept_metrics["split"] == "test")
            & (tables.concept_metrics["concept_id"] == concept["concept_id"])
        ].set_index("method")["auc"]
        assert row[5:8] == [
            f"{test[method]:.3f}" for method in ("protsae_latent", "topk_latent", "linear_probe")
        ]


def test_health_facts_and_notes_are_on_the_page(parsed):
    row = next(row for row in parsed.rows if row and row[0].startswith("Variance explained"))
    assert [cell.strip() for cell in row[1:]] == ["0.812", "0.828"]
    for text in ("esm2_tiny", "layers.2.resid_post", "The model is <small>.", "Made up, CC0", "GO:9999999"):
        assert text in parsed.text


def test_figures_on_the_page_hold_table_values(tables, parsed):
    figures = parsed.data_block("figure-data")
    places = {attrs["data-figure"] for _, attrs in parsed.tags if "data-figure" in attrs}
    assert places == set(figures)
    counts = {trace["x"][0]: trace["y"][0] for trace in figures["proteins"]["data"] if trace["type"] == "bar"}
    assert counts == tables.proteins["split"].value_counts().to_dict()


def test_every_card_has_its_strips(tables, parsed):
    cards = [attrs for tag, attrs in parsed.tags if tag == "details" and "data-card" in attrs]
    strips = parsed.data_block("strip-data")
    assert {attrs["data-card"] for attrs in cards} == set(strips)
    assert len(cards) == 12 + 16
    for strip in strips.values():
        for example in strip["examples"]:
            assert len(example["acts"]) == len(example["seq"])
            sequence = tables.proteins.set_index("protein_id").loc[example["id"], "sequence"]
            assert sequence[example["start"] - 1 :].startswith(example["seq"])


def test_same_tables_give_the_same_bytes(tables, example, page):
    again = render(example.make_tables(), example, notes=("The model is <small>.",))
    assert hashlib.sha256(again.encode()).hexdigest() == hashlib.sha256(page.encode()).hexdigest()
    assert "\r" not in page


def test_page_without_plotly_stays_light(page, parsed):
    (plotly,) = [text for _, _, text in parsed.raw if "plotly.js v" in text]
    assert len(page.encode()) - len(plotly.encode()) < 1_000_000


def test_empty_tables_render(tables, example):
    empty = {
        field.name: getattr(tables, field.name).iloc[:0]
        for field in dataclasses.fields(tables)
        if field.name not in ("proteins", "sequence_report", "annotation_report", "statistics")
    }
    statistics = {name: table[:0] for name, table in tables.statistics.items()}
    bare = dataclasses.replace(
        tables, sequence_report={}, annotation_report={}, statistics=statistics, **empty
    )
    parsed = Page(render(bare, example, n_rows=0))
    assert "No AUC of ProtSAE's latents was measured on the test split." in parsed.text
    for measured in ("scores", "no recovered loss", "no alignment", "no MonoSemanticity"):
        assert f"{measured}." in parsed.text
    assert parsed.data_block("strip-data") == {}


def test_a_report_on_no_protein_is_refused(tables, example):
    excluded = tables.proteins.assign(split="excluded")
    with pytest.raises(InputError, match="every protein is excluded"):
        render(dataclasses.replace(tables, proteins=excluded), example)


def test_a_script_that_would_end_its_element_is_refused():
    with pytest.raises(AssertionError):
        content_policy(["a = '</script>'"], [])


THREE = Dictionaries({"gated": "gated", "protsae": "protsae", "topk": "topk"}, "protsae", "topk")
FREE_ALONE = Dictionaries({"mine": "jumprelu"}, "mine")
GUIDED_ALONE = Dictionaries({"mine": "protsae"}, "mine")


def page_of(example, dictionaries):
    return Page(render(example.make_tables(dictionaries), example, dictionaries))


def test_a_third_dictionary_is_everywhere(example):
    parsed = page_of(example, THREE)
    headings = [row for row in parsed.rows if row and row[0] == "Measure"]
    assert headings == [["Measure", "ProtSAE", "TopK SAE", "Gated SAE"]]
    (row,) = [row for row in parsed.rows if row and "gated_latent" in row[0]]
    assert (row[0], row[1], row[2][:5]) == ("Gated best latentgated_latent", "selection", "0.655")
    concepts = next(row for row in parsed.rows if "AUC Gated" in row)
    assert concepts[5:9] == ["AUC ProtSAE", "AUC TopK", "AUC Gated", "AUC probe"]
    options = [attrs["value"] for tag, attrs in parsed.tags if tag == "option" and "-" in attrs["value"]]
    assert options == ["protsae-defined", "protsae-free", "topk-free", "gated-free"]
    cards = [attrs for tag, attrs in parsed.tags if tag == "details" and "data-card" in attrs]
    assert {(attrs["data-kind"], attrs["class"]) for attrs in cards} == {
        ("protsae-defined", "card tone-0"),
        ("protsae-free", "card tone-0"),
        ("topk-free", "card tone-1"),
        ("gated-free", "card tone-2"),
    }
    named = {
        key: {trace.get("name", "").split(",")[0].split(" (")[0] for trace in figure["data"]}
        for key, figure in parsed.data_block("figure-data").items()
    }
    for key in ("training", "density", "latent_f1", "recovered_loss", "alignment", "monosemanticity"):
        assert {"ProtSAE", "TopK SAE", "Gated SAE"} <= named[key], key


def test_page_of_one_unguided_dictionary_mentions_no_others(example):
    parsed = page_of(example, FREE_ALONE)
    figures = json.dumps(parsed.data_block("figure-data"))
    for absent in ("ProtSAE", "TopK", "defined", "predictor"):
        assert absent not in parsed.text, absent
        assert absent not in figures, absent
    assert "Concept by concept: JumpReLU against a linear probe" in parsed.text
    assert (
        "the paired difference is −0.039 (−0.081 to +0.003), not significant on this test set" in parsed.text
    )
    assert "Shown are 8 of 40 latents" in parsed.text
    concepts = next(row for row in parsed.rows if "AUC JumpReLU" in row)
    assert concepts[5:] == ["AUC JumpReLU", "AUC probe"]
    assert "Metadata of the checkpoint of JumpReLU SAE" in parsed.text
    assert "chose one latent" in parsed.text
    assert "shaped the dictionary itself" not in parsed.text  # no method here used labels that way


def test_a_single_guided_dictionary_gives_a_whole_page(example):
    parsed = page_of(example, GUIDED_ALONE)
    assert "TopK" not in parsed.text
    assert "each defined latent of ProtSAE ranks the proteins" in parsed.text
    assert "Concept by concept: ProtSAE against a linear probe" in parsed.text
    concepts = next(row for row in parsed.rows if "AUC ProtSAE" in row)
    assert concepts[5:] == ["AUC ProtSAE", "AUC probe", "F1 latent", "F1 floor"]
    options = [attrs["value"] for tag, attrs in parsed.tags if tag == "option" and "-" in attrs["value"]]
    assert options == ["mine-defined", "mine-free"]


def test_hostile_names_of_dictionaries_stay_text(example):
    names = (HOSTILE, '" onclick="alert(5)')
    hostile = Dictionaries(dict.fromkeys(names, "protsae"), *names[:2])
    parsed = page_of(example, hostile)
    assert f"ProtSAE ({HOSTILE}) defined latent" in parsed.text
    assert not any(name.startswith("on") for _, attrs in parsed.tags for name in attrs)
    assert not {tag for tag, _ in parsed.tags} & {"img", "iframe", "object"}
    drawn = json.dumps([figure["data"] for figure in parsed.data_block("figure-data").values()])
    assert "ProtSAE (&lt;/script&gt;&lt;img" in drawn
    labels = re.findall(r'"(?:name|text|hovertemplate)": "([^"]*)"', drawn)
    assert labels
    assert not any("<img" in label for label in labels)


def test_paired_differences_are_in_overview_and_section(parsed):
    rows = [row for row in parsed.rows if row and "minus TopK best latent" in row[0]]
    assert len(rows) == 2
    assert rows[0][1:] == ["+0.057+0.031 to +0.084", "higher"]
    assert rows[1][1:] == ["+0.057+0.031 to +0.084", "–", "–", "higher"]
    (first, _) = [row for row in parsed.rows if row and "minus linear probe" in row[0]]
    assert first[2] == "not significant on this test set"
    assert "overlap;" not in parsed.text


def test_evidence_tables_are_on_the_page(parsed):
    def row(label):
        return next(row[1:] for row in parsed.rows if row and row[0].startswith(label))

    assert row("ProtSAEall residues")[0] == "0.9400.930 to 0.950"
    assert row("Neurons") == ["1 of 12", "0", "0.310", "–", "–"]
    assert row("ProtSAE, defined minus free") == ["+0.021+0.009 to +0.032"]
    assert row("Chance floor") == ["0.000"]
