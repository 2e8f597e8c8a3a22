"""Every benchmark still fits the package: it can be imported, and says how it is run."""

import importlib.util
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"
MODULES = sorted(path.stem for path in FOLDER.glob("*.py"))
SHARED = {"provenance", "extraction_inputs", "extraction_products"}
"""Not run themselves."""


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_can_be_imported_and_names_its_command(name, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    known = set(sys.modules)
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, name, module)  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
    finally:
        for other in set(sys.modules) - known:
            if other in MODULES:
                del sys.modules[other]
    if name not in SHARED:
        assert f"python benchmarks/{name}.py" in module.__doc__
        assert callable(module.main)
