"""A toy Kedro project, a -> b -> c, built in a temporary folder and changed by the tests."""

import importlib
import multiprocessing
import os
import runpy
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline

from protsae.caching import CachingRunner
from protsae.core import code

FILES = {
    "pyproject.toml": """
        [tool.kedro]
        package_name = "toy"
        project_name = "toy"
        kedro_init_version = "1.7.0"
        source_dir = "src"
        [tool.kedro_telemetry]
        project_id = ""
        """,
    ".telemetry": "consent: false\n",
    "conf/local/.gitkeep": "",
    "src/toy/__init__.py": "",
    "src/toy/cli.py": "from protsae.cli import cli, run\n",
    "src/toy/settings.py": """
        import protsae.settings  # silences warnings that users cannot act on
        from protsae.hooks import RunRecordHooks, VizHooks
        HOOKS = (RunRecordHooks(), VizHooks())
        """,
    "src/toy/pipeline_registry.py": """
        from kedro.pipeline import Pipeline
        from toy.pipelines import a, b, c

        def register_pipelines():
            own = {
                m: Pipeline(p.create_pipeline().nodes, namespace=m, prefix_datasets_with_namespace=False)
                for m, p in zip("abc", (a, b, c))
            }
            everything = sum(own.values(), Pipeline([]))
            closed = {k: everything.to_nodes(*(n.name for n in p.nodes)) for k, p in own.items()}
            return {"__default__": everything, **closed}
        """,
    "src/toy/constants.py": "FACTOR = 3\n",
    "src/toy/helpers.py": '''
        """Helpers."""
        from toy.constants import FACTOR

        def scale(frame):
            """Scale."""
            return frame.assign(number=frame["number"] * FACTOR)  # threefold
        ''',
    "src/toy/lazy.py": "def power(value, exponent):\n    return float(value**exponent)\n",
    "src/toy/unrelated.py": "ANSWER = 42\n",
    "src/toy/report/__init__.py": '"""Report."""\n',
    "src/toy/report/render.py": """
        from pathlib import Path

        def render(**values):
            return (Path(__file__).parent / "templates" / "page.txt").read_text().format(**values)
        """,
    "src/toy/report/templates/page.txt": "total {total}, rows {rows}\n",
    "src/toy/pipelines/__init__.py": "",
    "src/toy/pipelines/a/__init__.py": "from .pipeline import create_pipeline\n",
    "src/toy/pipelines/a/nodes.py": """
        import pandas as pd
        from toy.helpers import scale

        def read_numbers(text):
            return scale(pd.DataFrame({"number": [int(line) for line in text.split()]}))

        def count_rows(numbers):
            return {"rows": len(numbers)}
        """,
    "src/toy/pipelines/a/pipeline.py": """
        from kedro.pipeline import Node, Pipeline
        from .nodes import count_rows, read_numbers

        def create_pipeline():
            return Pipeline([
                Node(read_numbers, "raw_numbers", "numbers", name="read_numbers"),
                Node(count_rows, "numbers", "row_count", name="count_rows"),
            ])
        """,
    "src/toy/pipelines/b/__init__.py": "from .pipeline import create_pipeline\n",
    "src/toy/pipelines/b/nodes.py": """
        def shift_numbers(numbers, shift):
            return numbers.assign(number=numbers["number"] + shift)

        def total(shifted, exponent):
            from toy.lazy import power
            return {"total": power(shifted["number"].sum(), exponent)}
        """,
    "src/toy/pipelines/b/pipeline.py": """
        from kedro.pipeline import Node, Pipeline
        from .nodes import shift_numbers, total

        def create_pipeline():
            return Pipeline([
                Node(shift_numbers, ["numbers", "params:b.shift"], "shifted", name="shift_numbers"),
                Node(total, ["shifted", "params:b.exponent"], "total", name="total"),
            ])
        """,
    "src/toy/pipelines/c/__init__.py": "from .pipeline import create_pipeline\n",
    "src/toy/pipelines/c/nodes.py": """
        from toy.report import render as page

        def render(total, row_count):
            return page.render(total=total["total"], rows=row_count["rows"])
        """,
    "src/toy/pipelines/c/pipeline.py": """
        from kedro.pipeline import Node, Pipeline
        from .nodes import render

        def create_pipeline():
            return Pipeline([Node(render, ["total", "row_count"], "page", name="render")])
        """,
    "data/01_raw/numbers.txt": "1\n2\n3\n",
}
NODES = ["a.read_numbers", "a.count_rows", "b.shift_numbers", "b.total", "c.render"]


def expected_page(numbers: list[int], factor: int = 3, shift: int = 1, exponent: int = 1) -> str:
    total = float(sum(number * factor + shift for number in numbers) ** exponent)
    return f"total {total}, rows {len(numbers)}\n"


_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "kedro.framework.cli.cli",
        "protsae.cli",
        "protsae.caching",
        "pandas",
        "kedro_datasets.pandas.parquet_dataset",
    ]
)


class Toy:
    """The project, and ways to change and to run it."""

    def __init__(self, root: Path, lines: Callable[[], list[str]]) -> None:
        self.root = root
        self._lines = lines
        self.parameters: dict[str, Any] = {"b": {"shift": 1, "exponent": 1}}
        self.catalog: dict[str, Any] = {
            "raw_numbers": {"type": "text.TextDataset", "filepath": "data/01_raw/numbers.txt"},
            "numbers": {"type": "pandas.ParquetDataset", "filepath": "data/02_intermediate/numbers.parquet"},
            "row_count": {"type": "json.JSONDataset", "filepath": "data/02_intermediate/row_count.json"},
            "shifted": {"type": "pandas.ParquetDataset", "filepath": "data/03_primary/shifted.parquet"},
            "total": {"type": "json.JSONDataset", "filepath": "data/03_primary/total.json"},
            "page": {"type": "text.TextDataset", "filepath": "data/08_reporting/page.txt"},
        }
        for name, text in FILES.items():
            self.write(name, dedent(text).lstrip("\n"))
        self.write_conf()

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text()
        assert text.count(old) == 1
        (self.root / name).write_text(text.replace(old, new))

    def write_conf(self) -> None:
        self.write("conf/base/catalog.yml", yaml.safe_dump(self.catalog))
        self.write("conf/base/parameters.yml", yaml.safe_dump(self.parameters))

    def page(self) -> str:
        return (self.root / "data/08_reporting/page.txt").read_text()

    def data_catalog(self) -> DataCatalog:
        config = {
            name: {
                key: str(self.root / value) if key in {"filepath", "path"} else value
                for key, value in entry.items()
            }
            for name, entry in self.catalog.items()
        }
        catalog = DataCatalog.from_config(config)
        for block, values in self.parameters.items():
            catalog[f"params:{block}"] = values
            for key, value in values.items():
                catalog[f"params:{block}.{key}"] = value
        return catalog

    def pipelines(self) -> dict[str, Pipeline]:
        """Import the project as a new process would."""
        for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
            del sys.modules[name]
        importlib.invalidate_caches()
        registry = importlib.import_module("toy.pipeline_registry")
        pipelines: dict[str, Pipeline] = registry.register_pipelines()
        return pipelines

    def run(self, pipeline: str = "__default__", **options: bool) -> dict[str, str]:
        """Run in this process; return the reason of each node that was not skipped, as it was printed."""
        CachingRunner(**options).run(self.pipelines()[pipeline], self.data_catalog())
        return self.told("run")

    def told(self, verdict: str) -> dict[str, str]:
        """Return label to reason of the lines printed with one verdict since the last call."""
        self.last_lines = self._lines()
        words = [line.split(maxsplit=2) for line in self.last_lines]
        return {word[1]: word[2] for word in words if len(word) == 3 and word[0] == verdict}

    def command(
        self, *arguments: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `kedro` in a process of its own, forked from a server that has imported the libraries once."""
        files = [self.root.parent / name for name in ("stdout", "stderr")]
        settings = {
            "folder": str(self.root),
            "environment": self.environment(**environment),
            "stdout": str(files[0]),
            "stderr": str(files[1]),
            "arguments": arguments,
        }
        body = str(Path(__file__).with_name("kedro_process.py"))
        # A process's start is known to a tick of 10 ms: an edit within it would count as one made afterwards.
        time.sleep(0.02)
        process = _FORKS.Process(target=runpy.run_path, args=(body, {"SETTINGS": settings}))
        process.start()
        process.join(120)
        assert process.exitcode is not None
        stdout, stderr = (file.read_text() for file in files)
        assert not check or process.exitcode == 0, stdout + stderr
        return subprocess.CompletedProcess(arguments, process.exitcode, stdout, stderr)

    def environment(self, **more: str) -> dict[str, str]:
        package = str(Path(code.__file__).parents[2])
        fixed = {
            "PYTHONPATH": package,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "200",
        }
        return {**os.environ, **fixed, **more}


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Toy]:
    def read_lines() -> list[str]:
        return capsys.readouterr().out.splitlines()

    project = Toy(tmp_path / "project", read_lines)
    monkeypatch.syspath_prepend(project.root / "src")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    # In one process the tests import the project anew for each run: files newer than the process.
    monkeypatch.setattr(code, "PROCESS_START", float("inf"))
    yield project
    for name in [name for name in sys.modules if name.partition(".")[0] == "toy"]:
        del sys.modules[name]
