"""The CAFA evaluator, in an environment of its own: it is GPL code, which nothing here imports."""

import subprocess
import venv
from pathlib import Path

VERSION = "1.3.0"


def install_cafaeval(folder: Path) -> Path:
    """Install cafaeval into a new environment in the folder, and return its Python."""
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", f"cafaeval=={VERSION}"], check=True)
    return python
