"""The page's own code without a page: its pure functions, under Node's test runner."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NODE = shutil.which("node")


@pytest.mark.skipif(
    NODE is None and os.environ.get("PROTSAE_CI") != "1",
    reason="NO NODE: the functions of the explorer's page are not tested",
)
def test_functions_of_the_page():
    tests = sorted(str(path) for path in (Path(__file__).parent / "page").glob("*.test.mjs"))
    assert NODE, "node is not installed (Debian: nodejs)"
    done = subprocess.run([NODE, "--test", *tests], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    assert f"# pass {sum(Path(path).read_text().count('test(') for path in tests)}" in done.stdout
