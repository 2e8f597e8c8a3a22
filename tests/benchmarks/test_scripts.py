"""Every benchmark still fits the package: it can be imported, and says how it is run."""

import pytest
from tests.benchmarks.scripts import FOLDER, load_script

SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_can_be_imported_and_names_its_command(name):
    module = load_script(name)
    assert f"python benchmarks/{name}.py" in module.__doc__
    assert callable(module.main)
