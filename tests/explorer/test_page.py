"""The explorer's page in a real browser, from disk, over a small made-up atlas with hostile texts."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.explorer import small_atlas as atlas
from tests.explorer.browser import MUST_RUN, needs_chromium

from helpers.browser import Browser
from protsae.explorer.folder import SitePlan

pytestmark = needs_chromium
ODD = "P1%7C%3Cb%3Eodd%3C%2Fb%3E%26'%22%2F%3F%23%25"
VIEWS = [
    "/overview",
    "/overview?by=density&d=topk&metric=aupr&all=1",
    "/latents",
    "/latents?q=helices&kind=free&above=0.1&sort=lift&dir=desc",
    "/latent/protsae/4",
    "/latent/topk/8?level=0.5",
    "/latent/protsae/39",
    "/latent/none/1",
    "/concepts",
    "/concept/GO:0008270?all=1",
    "/concept/GO:0000000",
    "/proteins",
    "/protein/P12346?from=10&to=30&latent=protsae:4",
    f"/protein/{ODD}",
    "/protein/P12364",
    "/compare",
    "/compare?what=latents&a=protsae:4&b=topk:8",
    "/prediction",
    "/protein/P12346?target=1",
    "/steering",
    "/steering?target=latent%2012&sort=gain&dir=desc",
    "/steering?what=arms",
    "/steering?what=arms&target=one&metric=gain&dose=one",
    "/steering/0",
    "/steering/3",
    "/steering/4",
    "/steering/x",
    "/prediction/1",
    "/about",
    "/saved",
    "/search?q=zinc",
    "/nonsense",
]
AXE = "axe-core@4.14.1"
VIOLATIONS = """
axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => [each.id, each.nodes.slice(0, 3).map((node) => node.html + node.failureSummary)]))
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The explorer's folder."""
    folder = tmp_path_factory.mktemp("explorer") / "site"
    SitePlan("A small atlas", atlas.files).run(folder)
    return folder


@pytest.fixture(scope="module")
def one_browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def browser(one_browser):
    """A browser whose console says nothing, before and after the test."""
    one_browser.messages.clear()
    one_browser.requests.clear()
    one_browser.size(1280, 900)
    yield one_browser
    assert one_browser.messages == []


@pytest.mark.parametrize("view", VIEWS)
def test_view_opens_from_disk_without_messages_network_or_markup(browser, site, view):
    browser.open(site, view)
    assert browser.count("h1") == 1
    assert "cannot be shown" not in browser.text("main")
    assert browser.count("img, main script, [onerror]") == 0
    assert browser.run("document.title").endswith("· protsae explorer")
    own = site.as_uri()
    outside = [each for each in browser.requests if not each.startswith((own, "about:", "data:,"))]
    assert outside == []
    assert any(each.startswith(f"{own}/data/") for each in browser.requests)


def test_hostile_text_is_shown_as_it_is(browser, site):
    browser.open(site, f"/protein/{ODD}")
    assert browser.text("h1") == atlas.protein_id(3)
    assert atlas.HOSTILE in browser.text("main")


@pytest.mark.parametrize("view", VIEWS)
def test_no_sideways_scroll_on_a_phone(browser, site, view):
    browser.size(360, 740)
    browser.open(site, view)
    assert browser.run("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize(
    ("query", "kind", "route"),
    [
        ("GO:0008270", "Concepts", "#/concept/GO:0008270"),
        ("zinc ion", "Concepts", "#/concept/GO:0008270"),
        ("cofactor cysteines", "Latents", "#/latent/protsae/8"),
        ("P12350", "Proteins", "#/protein/P12350"),
        ("protein number 7", "Proteins", "#/protein/P12352"),
        ("Q9OLD7", "Proteins", "#/protein/P12350"),
        ("CxxCxxH", "Motifs", "#/latent/protsae/4"),
        (atlas.sequence(6)[20:28], "Sequence fragment", "#/protein/P12351?from=21&to=28"),
    ],
)
def test_search_finds(browser, site, query, kind, route):
    browser.open(site, "/about")
    browser.key("/")
    browser.type(query)
    browser.wait("document.querySelectorAll('[role=option]').length > 0", f"{query} is found")
    options = browser.run("[...document.querySelectorAll('[role=option]')].map((each) => each.dataset.href)")
    option = f"[role=group][aria-label='{kind}'] [role=option]"
    assert browser.run(f'document.querySelector("{option}").dataset.href') == route
    for _ in range(options.index(route) + 1):
        browser.key("ArrowDown")
    browser.key("Enter")
    browser.wait(f"location.hash === {json.dumps(route)}")


def test_search_says_that_nothing_is_found(browser, site):
    browser.open(site, "/overview")
    browser.key("/")
    browser.type("xyzzy")
    browser.wait("document.querySelector('#search-list').textContent.startsWith('Nothing found')")
    browser.key("Escape")
    assert browser.run("document.querySelector('#search-list').hidden")


def test_heat_strip_shows_the_activation_on_hover_and_by_keys(browser, site):
    browser.open(site, "/latent/protsae/4")
    window = atlas.card(0, 4)["windows"][0]
    for offset in (0, 7, 30):
        box = browser.box(f".residues-row span:nth-child({offset + 1})")
        browser.point(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        expected = f"{window['seq'][offset]}{window['start'] + offset + 1}: {window['acts'][offset]:g}"
        browser.wait(f"document.getElementById('tip').textContent === {json.dumps(expected)}", expected)
        assert not browser.run("document.getElementById('tip').hidden")
    browser.run("document.querySelector('.residues-row').focus()")
    browser.key("ArrowRight")
    assert browser.text("#live") == f"{window['seq'][7]}13: 1.234"


def test_strips_of_an_attribution_are_read_by_pointer_and_by_keys(browser, site):
    browser.open(site, "/protein/P12346?target=0")
    found, letters = atlas.attribution(1), atlas.sequence(1)
    slider = "[role=slider]"
    browser.run(f'document.querySelector("{slider}").focus()')
    for _ in range(11):
        browser.key("ArrowRight")
    said = f"{letters[10]}11 · at the input −1.25 · at the hook point {2 * 0.01 * (10 % 7 - 2):+g}"
    said += " · occlusion +0.5 · region 1 to 20, rank 2"
    assert browser.run(f'document.querySelector("{slider}").getAttribute("aria-valuetext")') == said
    assert browser.text("#tip") == said
    browser.key("End")
    assert f"{letters[-1]}{len(letters)} · masked" in browser.text("#tip")
    assert browser.run(f'document.querySelector("{slider}").ariaValueNow') == str(len(letters))
    box = browser.box(".strip-canvas")
    left = 116 if 0.14 * box["width"] < 116 else min(150, 0.14 * box["width"])
    step = (box["width"] - left - 10) / len(letters)
    browser.point(box["x"] + left + 30.5 * step, box["y"] + 40)
    browser.wait(f"document.querySelector('#tip').textContent.startsWith('{letters[30]}31 ')")
    assert "rank 1" in browser.text("#tip")
    rows = browser.texts("[aria-label='Residues that carry the prediction'] tbody tr")
    assert rows[0] == f"{letters[10]}11−1.25+0.02+0.52"
    table = "[aria-label='Latents that carry the prediction']"
    assert browser.links(f"{table} a")[:1] == ["#/latent/protsae/2"]
    assert browser.texts(f"{table} tbody tr")[1].startswith("error of the dictionary")
    assert browser.texts(f"{table} tbody tr td:nth-child(2)")[0] == "+1.5"
    assert found["latents"][0]["latent"] == 2
    assert "logit +1.5 with all latents, −2.25 without any" in browser.text("main")


def test_a_prediction_that_was_not_attributed_says_why(browser, site):
    browser.open(site, "/protein/P12346?target=1")
    assert f"Not attributed. {atlas.HOSTILE}" in browser.texts(".notice")
    assert browser.count("[role=slider]") == 0
    browser.fill("[aria-labelledby] .controls select", "0")
    assert browser.text("h1") == "P12346"


def test_predictions_of_a_users_protein_have_strips_and_the_list_links_to_them(browser, site):
    browser.open(site, "/prediction/0")
    assert browser.count("[role=slider]") == 1
    browser.open(site, "/proteins")
    assert browser.links(".notice a") == ["#/protein/P12346", f"#/protein/{ODD}"]


def test_design_is_aligned_with_its_original_and_changes_are_marked(browser, site):
    browser.open(site, "/steering/1")
    entry = atlas.design(1)
    shown = [browser.texts(f".aligned-row:nth-child({row}) > span:last-child") for row in (2, 3, 4)]
    signs = "".join({2: "●", 69: "●", 3: ":", 4: ":", 5: ":"}.get(at, " ") for at in range(99))
    assert ["".join(parts) for parts in shown] == [entry["original"], signs, entry["design"]]
    assert browser.texts(".is-changed.after") == [entry["design"][2], entry["design"][69]]
    changes = [[str(at + 1), entry["original"][at], entry["design"][at]] for at in (2, 69)]
    cells = browser.texts("[aria-label='Changes'] tbody tr")
    assert cells == ["".join(row) for row in changes]
    scores = browser.texts("[aria-label='Scores before and after'] tbody tr")
    assert scores == ["Target score0.10.9+0.8", "Pseudo-perplexity6.255−1.25"]
    assert "Circular." in browser.text("main")
    assert f"twin {atlas.HOSTILE}" in browser.text("main")
    assert "80.3 → 71.5" in browser.text("main")
    assert "TM-score to the original’s structure0.813" in browser.text("main")
    saved = download(browser, "Save the sequences")
    assert saved.name == "P12346_GO_0008270_0_sequences.fasta"
    first, second = saved.read_text().split(">")[1:]
    assert first.replace("\n", "") == "P12346 original" + entry["original"]
    assert second.replace("\n", "") == "P12346 GO:0008270 scale 2 sample 0" + entry["design"]


def test_designs_are_listed_filtered_and_lead_to_their_pages(browser, site):
    browser.open(site, "/steering")
    assert "The first 4 of 9 designs" in browser.text("main")
    names = browser.texts(".rows-body .row-name")
    assert names == [each[0] for each in atlas.DESIGNS]
    assert browser.links(".rows-body a") == [f"#/steering/{row}" for row in range(4)]
    wide = browser.texts(".rows-body .c-wide")
    assert wide[2:4] == ["6.25 → 5", "0.1 → 0.9"]
    browser.open(site, "/steering?target=latent%2012&sort=gain&dir=desc")
    assert browser.texts(".rows-body .row-name") == [atlas.DESIGNS[2][0], atlas.DESIGNS[3][0]]
    browser.open(site, "/steering/0")
    assert "The design is the original." in browser.text("main")
    assert "TM-score" not in browser.text("main")
    browser.open(site, "/steering/3")
    assert atlas.HOSTILE in browser.text("h1")


def test_arms_are_ordered_by_score_and_say_their_intervals(browser, site):
    browser.open(site, "/steering?what=arms")
    rows = browser.texts("[aria-label='Arms'] tbody tr")
    assert [row.split("0.")[0] for row in rows] == [
        *("named", f"own {atlas.HOSTILE}", "difference of means", "random latent")
    ]
    assert rows[0].startswith("named0.7000.050 to 0.750")
    assert browser.texts("[aria-label='Arms'] tr.floor th") == ["random latent"]
    tips = browser.run(
        "[...document.querySelectorAll('[aria-labelledby] circle')].map((each) => each.dataset.tip)"
    )
    assert "named: 0.700 (0.050 to 0.750)" in tips
    assert "named at 1.5: 0.700" in tips
    browser.fill("[aria-labelledby] .controls select", "one")
    assert browser.texts("[aria-label='Arms'] tbody tr")[0].startswith("named0.350")
    assert "target=one" in browser.run("location.hash")
    doses = "[aria-label='Scores by strength']"
    assert browser.texts(f"{doses} thead th") == ["Arm", "0.5", "1.5"]
    assert browser.texts(f"{doses} tbody tr")[0] == "named0.3500.700"
    for box in range(4):
        browser.run(f"document.querySelectorAll('[role=group] input[type=checkbox]')[{box}].click()")
    assert browser.count(doses) == 0
    assert "Tick an arm." in browser.text("main")


def test_without_steering_the_page_says_how_to_make_it(browser, site, tmp_path):
    bare = [
        (name, value) for name, value in atlas.files() if not name.startswith(("steering", "attribution"))
    ]
    index = dict(bare)["index"]
    index["has"] = {"prediction": True}
    SitePlan("Bare", lambda: iter([("index", index), *bare[1:]])).run(tmp_path / "bare")
    browser.open(tmp_path / "bare", "/steering")
    assert "kedro run --pipelines steering" in browser.text("main")
    browser.open(tmp_path / "bare", "/steering?what=arms")
    assert "steering_arms.csv" in browser.text("main")
    assert "data/08_reporting" in browser.text("main")
    browser.open(tmp_path / "bare", "/steering/1")
    assert browser.text("h1") == "No such design"
    browser.open(tmp_path / "bare", "/proteins")
    assert browser.count(".notice") == 0


def test_level_of_the_windows_is_chosen(browser, site):
    browser.open(site, "/latent/protsae/4?level=0.5")
    assert browser.text(".segment[aria-pressed=true]") == "middle"
    middle = [window for window in atlas.card(0, 4)["windows"] if window["quantile"] == 0.5]
    assert browser.texts(".strip small") == [f"test, {each['max_act']:g} at residue 13" for each in middle]


def active_between(protein: int, first: int, last: int) -> set[tuple[int, int]]:
    """What the data say, by a slow way: (dictionary, latent) active at a residue between two, 0-based."""
    found = set()
    for track in atlas.protein(protein)["tracks"]:
        for start, codes in track["runs"]:
            if any(first <= start + offset <= last and code > 0 for offset, code in enumerate(codes)):
                found.add((track["dictionary"], track["latent"]))
    return found


def listed(browser: Browser) -> set[tuple[int, int]]:
    """What the table below the tracks lists."""
    if browser.count(".firing > .tool"):
        browser.click(".firing > .tool")
    parts = [href.split("/") for href in browser.links(".firing tbody th a")]
    return {(atlas.DICTIONARIES.index(part[2]), int(part[3])) for part in parts}


def test_brushing_lists_the_latents_that_are_active_there(browser, site):
    browser.open(site, "/protein/P12352")
    box = browser.box(".track-canvas")
    per_residue = (box["width"] - 190 - 8) / len(atlas.sequence(7))
    first, last = (box["x"] + 190 + (residue + 0.5) * per_residue for residue in (20, 26))
    browser.point(first, box["y"] + 60)
    browser.point(first, box["y"] + 60, "mousePressed")
    browser.point(last, box["y"] + 60, "mouseMoved", button="left", buttons=1)
    browser.point(last, box["y"] + 60, "mouseReleased")
    browser.settle()
    assert browser.run("location.hash").endswith("?from=21&to=27")
    expected = active_between(7, 20, 26)
    assert 0 < len(expected) < len(atlas.protein(7)["tracks"])
    assert listed(browser) == expected


def test_typed_residues_list_the_latents_too(browser, site):
    browser.open(site, "/protein/P12346?from=40&to=44")
    assert listed(browser) == active_between(1, 39, 43)
    browser.fill("[aria-label='From residue']", "12")
    browser.fill("[aria-label='To residue']", "12")
    assert browser.run("location.hash").endswith("?from=12&to=12")
    assert listed(browser) == active_between(1, 11, 11)
    browser.fill("[aria-label='To residue']", "25")
    assert listed(browser) == active_between(1, 11, 24) != active_between(1, 11, 11)


def test_state_survives_reload_and_back(browser, site):
    browser.open(site, "/latents?kind=free&q=residue")
    browser.fill(".filters label:nth-child(4) select", "MFO")
    state, count = browser.run("location.hash"), browser.text(".count")
    assert "aspect=MFO" in state
    assert re.match(r"\d+ of 40 latents", count)
    browser.click(".rows-body .row a")
    browser.wait("location.hash.startsWith('#/latent/') && document.querySelector('.strips') !== null")
    browser.run("history.back()")
    browser.wait("Boolean(document.querySelector('.count')?.textContent)", "the list is back")
    assert (browser.run("location.hash"), browser.text(".count")) == (state, count)
    browser.send("Page.reload")
    browser.wait("Boolean(document.querySelector('.count')?.textContent)", "the list is drawn again")
    assert (browser.run("location.hash"), browser.text(".count")) == (state, count)


def test_address_of_a_view_is_copied(browser, site):
    browser.open(site, "/protein/P12346?from=10&to=30")
    browser.send("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser.press("Copy link")
    browser.wait("document.querySelector('.copy-link').textContent === 'Copied'")
    assert browser.run("navigator.clipboard.readText()") == browser.run("location.href")


def test_list_is_sorted_by_its_headings(browser, site):
    browser.open(site, "/latents")
    heading = ".rows-head [role=columnheader]:nth-child(4)"

    def first() -> list[str]:
        return [href.split("/")[-1] for href in browser.links(".rows-body .row a")][:3]

    browser.click(f"{heading} button")
    assert first() == ["38", "37", "36"]
    assert browser.count(f"{heading}[aria-sort=descending]") == 1
    browser.click(f"{heading} button")
    assert first() == ["39", "0", "1"]


def download(browser: Browser, label: str) -> Path:
    """Click a button by its name and return the file that it saves."""
    for path in browser.downloads.iterdir():
        path.unlink()
    browser.press(label)
    for _ in range(400):
        browser.settle()
        if done := [path for path in browser.downloads.iterdir() if path.suffix != ".crdownload"]:
            return done[0]
    raise AssertionError(f"{label}: no file")


def test_downloads_give_the_rows_and_the_figure(browser, site):
    browser.open(site, "/latent/protsae/4")
    path = download(browser, "Save the table “Where it is active” as TSV")
    assert path.name == "protsae_4_windows.tsv"
    header, *rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    windows = atlas.card(0, 4)["windows"]
    assert [row[0] for row in rows] == [window["protein_id"] for window in windows]
    acts = [[float(value) for value in row[header.index("acts")].split(";")] for row in rows]
    assert acts == [window["acts"] for window in windows]
    svg = download(browser, "Save the figure “Logo” as SVG").read_text(encoding="utf-8")
    assert svg.startswith("<svg xmlns=")
    assert svg.count("<text") > 50
    assert download(browser, "Save the figure “Logo” as PNG").read_bytes().startswith(b"\x89PNG")


def test_list_is_downloaded_as_it_is_filtered(browser, site):
    browser.open(site, "/proteins?split=test&sort=length&dir=desc")
    lines = download(browser, "Save these rows as TSV").read_text(encoding="utf-8").splitlines()
    expected = [atlas.protein_id(index) for index in range(19, 0, -2)]
    assert [line.split("\t")[0] for line in lines[1:]] == expected


def test_bookmarks_are_kept_exported_and_imported(browser, site):
    browser.open(site, "/concept/GO:0008270")
    browser.click(".bookmark[aria-pressed]")
    browser.go("/saved")
    browser.fill(".note textarea", "look again")
    browser.go("/about")
    browser.go("/saved")
    kept = download(browser, "Save as a file").read_text(encoding="utf-8")
    (entry,) = json.loads(kept)["entries"]
    assert (entry["hash"], entry["note"]) == ("#/concept/GO:0008270", "look again")
    browser.run("localStorage.clear()")
    browser.go("/about")
    browser.go("/saved")
    assert browser.count(".saved li") == 0
    browser.run(
        "(() => { const data = new DataTransfer(); const input = document.getElementById('saved-file');"
        f"data.items.add(new File([{json.dumps(kept)}], 'a.json')); input.files = data.files;"
        "input.dispatchEvent(new Event('change')); })()"
    )
    browser.wait("document.querySelectorAll('.saved li').length === 1")
    assert browser.run("document.querySelector('.note textarea').value") == "look again"
    browser.run("localStorage.clear()")


def open_map(browser: Browser, site: Path) -> None:
    """Scroll to the map, which loads when it is seen."""
    browser.size(1280, 500)
    browser.open(site, "/overview")
    assert not [each for each in browser.requests if "latents-" in each]
    browser.scroll_to(".map-wait")
    browser.wait("document.querySelector('.map-canvas') !== null")


def test_map_opens_a_latent_by_keys(browser, site):
    open_map(browser, site)
    browser.run("document.querySelector('.map-canvas').focus()")
    browser.key("ArrowRight")
    said = re.match(r"Latent (\d+) ", browser.text("#live"))
    assert said
    browser.key("Enter")
    browser.wait(f"location.hash === '#/latent/protsae/{said[1]}'")


def test_map_opens_a_latent_by_pointer(browser, site):
    open_map(browser, site)
    listing = dict(atlas.files())["latents-0"]["columns"]
    middles, spans = zip(
        *((sum((min(v), max(v))) / 2, max(v) - min(v)) for v in (listing["x"], listing["y"])), strict=True
    )
    box = browser.box(".map-canvas")
    scale = 0.92 * min(box["width"], box["height"]) / max(spans)
    x = box["x"] + box["width"] / 2 + (listing["x"][13] - middles[0]) * scale
    y = box["y"] + box["height"] / 2 - (listing["y"][13] - middles[1]) * scale
    browser.point(x, y)
    browser.point(x, y, "mousePressed")
    browser.point(x, y, "mouseReleased")
    browser.wait("location.hash === '#/latent/protsae/13'")


def test_structure_loads_on_request_only(browser, site):
    browser.open(site, "/protein/P12346?latent=protsae:4")
    assert not [each for each in browser.requests if "3Dmol" in each or "structure-" in each]
    assert "12 % of the residues agree" in browser.text("main")
    browser.press("Show model")
    browser.wait("document.querySelector('.structure canvas, .stage .notice') !== null")
    assert browser.text(".stage") == ""
    assert [each.rsplit("/", 1)[-1] for each in browser.requests if "vendor/" in each] == ["3Dmol-min.js"]


def test_broken_folder_says_which_file_is_missing(browser, site, tmp_path):
    broken = tmp_path / "site"
    shutil.copytree(site, broken)
    (run,) = (broken / "data").iterdir()
    (run / "concept-0.js").unlink()
    browser.open(broken, "/concept/GO:0008270")
    assert "The file concept-0.js is missing" in browser.text("main")
    assert len(browser.messages) == 1
    assert "ERR_FILE_NOT_FOUND" in browser.messages.pop()
    other = (run / "concepts.js").read_text().replace('"concepts"', '"concept-0"').replace(run.name, "0" * 16)
    (run / "concept-0.js").write_text(other)
    browser.open(broken, "/concept/GO:0008270")
    assert "belongs to another run" in browser.text("main")


def test_terms_are_explained_on_focus(browser, site):
    browser.open(site, "/latent/protsae/4")
    browser.run("document.querySelector('.term').focus()")
    assert "tied to one concept" in browser.text("#tip")
    assert browser.run("document.activeElement.getAttribute('aria-describedby')") == "tip"
    browser.key("Escape")
    assert browser.run("document.getElementById('tip').hidden")


def test_focus_goes_to_the_new_view(browser, site):
    browser.open(site, "/overview")
    browser.go("/about")
    assert browser.run("document.activeElement.id") == "main"


@pytest.fixture(scope="module")
def axe():
    """The source of axe-core (MPL-2.0), installed by npm into a folder that git ignores; not shipped."""
    folder = Path(__file__).parent / ".axe"
    package = folder / "node_modules" / "axe-core"
    if not package.exists() or f'"{AXE.split("@")[1]}"' not in (package / "package.json").read_text():
        npm = shutil.which("npm")
        command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--prefix", str(folder), AXE]
        if npm is None or subprocess.run(command, capture_output=True, timeout=300, check=False).returncode:
            why = f"NO {AXE}: accessibility is not tested (npm or the network is missing)"
            (pytest.fail if MUST_RUN else pytest.skip)(why)
    return (package / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("view", VIEWS)
def test_accessibility_in_light_and_dark(browser, site, axe, view):
    browser.open(site, view)
    if browser.count(".map-wait"):
        browser.scroll_to(".map-wait")
        browser.wait("document.querySelector('.map-canvas') !== null")
    browser.run(f"{axe}; 0")
    assert browser.run(VIOLATIONS) == []
    drawn = browser.run("document.documentElement.dataset.view")
    browser.size(1280, 900, dark=True)
    browser.wait(f"document.documentElement.dataset.view !== '{drawn}'", "the view is drawn in dark colours")
    browser.settle()
    assert browser.run(VIOLATIONS) == []
