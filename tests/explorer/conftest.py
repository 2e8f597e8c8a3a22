"""Made-up runs and the folders that are made of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from helpers.explorer_run import made_up_run
from protsae.explorer.config import ExplorerConfig
from protsae.explorer.content import plan_site
from protsae.explorer.tables import ExplorerTables
from protsae.reporting.config import ReportTexts

HOSTILE = '</script><img src=x onerror=1>\u2028"&'
TEXTS = ReportTexts(title=f"A made-up run{HOSTILE}", notes=("A limit.",), attribution=("Made up, CC0",))
_FILE = re.compile(r'protsaeData\("([0-9a-f]{16})","([a-z0-9-]+)",(.*)\);\n', re.DOTALL)


def parse(path: Path) -> tuple[str, str, Any]:
    """Read a data file as exactly one call with one JSON literal: run, name, value."""
    text = path.read_bytes().decode()
    found = _FILE.fullmatch(text)
    assert found, path
    return found[1], found[2], json.loads(found[3])


class Site:
    """A finished folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.index = (path / "index.html").read_text(encoding="utf-8")
        (self.data,) = (path / "data").iterdir()

    def __getitem__(self, name: str) -> Any:
        return parse(self.data / f"{name}.js")[2]

    def files(self) -> list[Path]:
        return sorted(self.data.glob("*.js"))


def build(tables: ExplorerTables, path: Path, **settings: Any) -> Site:
    plan_site(tables, TEXTS, ExplorerConfig(**settings)).run(path)
    return Site(path)


def column(table: dict[str, Any], name: str) -> list[Any]:
    found = table["columns"][name]
    return found if isinstance(found, list) else [found["values"][code] for code in found["codes"]]


@pytest.fixture(scope="session")
def tables(tmp_path_factory: pytest.TempPathFactory) -> ExplorerTables:
    """A made-up run."""
    return made_up_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def site(tables: ExplorerTables, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Its explorer."""
    return build(tables, tmp_path_factory.mktemp("site") / "explorer")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The explorer of a run with markup in every text of the user's."""
    tables = made_up_run(tmp_path_factory.mktemp("hostile_run"), mark=HOSTILE)
    return build(tables, tmp_path_factory.mktemp("hostile") / "explorer")
