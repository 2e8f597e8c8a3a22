"""How long the explorer takes to build, how much its pages load, and how fast they answer in Chromium.

    python benchmarks/explorer.py DEMO [--output docs/results/explorer.json]

`DEMO` is the data root of a finished run. Three folders are looked at: that run's; one of 20,000 made-up
proteins and one dictionary of 2,048 latents, whose codes are stored as the pipeline stores them (held-out
proteins and a sample of the others); and one with a dictionary of 40,000 latents. `seconds_demo` is what the
run's own record says. A page's size is what it loads from disk before the first click; `largest_page_kb` is
the largest of all kinds of pages, of the first two folders. `filter_ms_40k` is the median time from a letter
typed into the search of the list to the end of the next frame, `first_paint_ms` the first contentful paint of
that list. The last line is one JSON object.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote, urlparse

from helpers.browser import Browser
from helpers.explorer_run import made_up_run
from helpers.provenance import ROOT, peak_mb, provenance, write_json
from protsae.core.errors import InputError
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.content import plan_site
from protsae.reporting.config import ReportTexts

SIZES = {
    "20k": {
        "n_proteins": 20_000,
        "n_latents": 2048,
        "n_concepts": 500,
        "mean_length": 350,
        "per_residue": 32,
    },
    "40k": {"n_proteins": 200, "n_latents": 40_000, "n_concepts": 500, "mean_length": 200, "per_residue": 16},
}
_QUERIES = ("z", "zinc", "zinc ion binding 1", "17", "kind 399", "")
_FILTER = """
(async () => {
  const input = document.querySelector("input[type=search][aria-label='Search latents']");
  const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  const found = [];
  for (const query of %s) {
    await frame();
    const started = performance.now();
    input.value = query;
    input.dispatchEvent(new Event("input", {bubbles: true}));
    await frame();
    found.push(performance.now() - started);
  }
  return found;
})()
"""


def build(kind: str, folder: Path) -> dict[str, float]:
    """Make up a run and its explorer, in this process."""
    tables = made_up_run(folder / "run", names=("protsae",), **SIZES[kind])
    started = time.perf_counter()
    plan_site(tables, ReportTexts(title=f"Made up, {kind}"), ExplorerConfig()).run(folder / "site")
    seconds = time.perf_counter() - started
    n_bytes = sum(path.stat().st_size for path in (folder / "site").rglob("*") if path.is_file())
    return {"seconds": round(seconds, 1), "peak_mb": peak_mb(), "folder_mb": round(n_bytes / 1e6, 1)}


def routes(site: Path) -> list[str]:
    """Return a view of every kind; of those in chunks the one whose chunk is largest."""
    (data,) = (site / "data").iterdir()
    index, proteins, concepts = (_read(data / f"{name}.js") for name in ("index", "proteins", "concepts"))

    def largest(pattern: str) -> tuple[str, int]:
        paths = (path for path in data.glob("*.js") if re.fullmatch(pattern, path.stem))
        path = max(paths, key=lambda found: found.stat().st_size)
        return path.stem, int(path.stem.rpartition("-")[2])

    name, latents = largest(r"latent-\d+-\d+")
    dictionary = index["dictionaries"][int(name.split("-")[1])]["name"]
    concept = concepts["columns"]["id"][largest(r"concept-\d+")[1] * index["chunk"]["concept"]]
    first = largest(r"protein-\d+")[1] * index["chunk"]["protein"]
    latent = latents * index["chunk"]["latent"]
    return [
        *("/overview", "/latents", "/concepts", "/proteins", "/compare", "/about", "/saved"),
        f"/latent/{dictionary}/{latent}",
        f"/concept/{concept}",
        f"/protein/{proteins['columns']['id'][first]}",
        f"/compare?what=latents&a={dictionary}:{latent}&b={dictionary}:{latent + 1}",
    ]


def _read(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text[text.index(",", text.index(",") + 1) + 1 : text.rindex(")")])


def page_sizes(browser: Browser, site: Path) -> dict[str, float]:
    """Return by view how many kB it loads before the first click."""
    found = {}
    for route in routes(site):
        browser.requests.clear()
        browser.open(site, route)
        browser.run("new Promise((done) => setTimeout(done, 1000))")
        files = {Path(unquote(urlparse(url).path)) for url in browser.requests if url.startswith("file:")}
        found[route] = round(sum(path.stat().st_size for path in files) / 1000, 1)
        print(f"{found[route]:8.1f} kB  {route}", flush=True)
    return found


def answers(browser: Browser, site: Path) -> dict[str, float]:
    """Return how fast the list of all latents is painted and filtered, in ms."""
    paints, drawn = [], []
    for _ in range(3):
        browser.open(site, "/latents")
        browser.wait("performance.getEntriesByName('first-contentful-paint').length > 0")
        paints.append(browser.run("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
        drawn.append(browser.run("performance.now()"))
    browser.run("new Promise((done) => setTimeout(done, 3000))")  # sentences come after the first paint
    filters = browser.run(_FILTER % json.dumps(_QUERIES * 3))
    return {
        "filter_ms_40k": round(median(filters), 1),
        "filter_ms_40k_worst": round(max(filters), 1),
        "first_paint_ms": round(median(paints), 1),
        "list_drawn_ms_40k": round(median(drawn), 1),
    }


def seconds_of(demo: Path) -> float:
    """Return what the run's record says that the explorer took."""
    run = json.loads((demo / "08_reporting" / "run.json").read_text())
    name = next((name for name in run["nodes"] if name.endswith("build_explorer")), None)
    if name is None:
        raise InputError(f"{demo}: the run made no explorer")
    return float(run["nodes"][name]["seconds"])


def main() -> None:
    """Build, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("demo", type=Path, nargs="?", help="data root of a finished run")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "results" / "explorer.json")
    parser.add_argument("--build", choices=SIZES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help="where made-up folders are kept; default: removed")
    arguments = parser.parse_args()
    if arguments.build:
        print(json.dumps(build(arguments.build, arguments.folder)))
        return
    origin = {**provenance(), "command": "python benchmarks/explorer.py DEMO"}
    with TemporaryDirectory() as temporary:
        root = (arguments.folder or Path(temporary)).resolve()
        built = {kind: _built(kind, root / kind) for kind in SIZES}
        with Browser(Path(temporary) / "profile") as browser:
            sites = [arguments.demo.resolve() / "08_reporting" / "explorer", root / "20k" / "site"]
            sizes = [page_sizes(browser, site) for site in sites]
            fast = answers(browser, root / "40k" / "site")
    found = {
        "seconds_demo": seconds_of(arguments.demo),
        "first_page_kb": max(found["/overview"] for found in sizes),
        "largest_page_kb": max(kb for found in sizes for kb in found.values()),
        **fast,
        **{f"{name}_20k": value for name, value in built["20k"].items()},
    }
    write_json(arguments.output, {**origin, **found})
    print(json.dumps(found))


def _built(kind: str, folder: Path) -> dict[str, float]:
    """Build in a process of its own, whose memory is the build's; or read what one has left."""
    record = folder / "built.json"
    if not record.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, __file__, "--build", kind, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        record.write_text(done.stdout.strip().splitlines()[-1])
    return json.loads(record.read_text())  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
