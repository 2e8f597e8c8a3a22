"""The origin of every committed result (command, commit, machine), and how it is written."""

import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from protsae.core.files import write_text_atomic

ROOT = Path(__file__).resolve().parents[2]


def provenance() -> dict[str, str]:
    """Return the command line of this process, the commit and the machine."""
    script = Path(sys.argv[0]).resolve().relative_to(ROOT)
    return {
        "command": shlex.join(["python", str(script), *sys.argv[1:]]),
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }


def commit() -> str:
    """Return the commit, with a mark where tracked files differ from it. Ask before writing results."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, check=True
        )
        dirty = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.decode().strip() + (" with local changes" if dirty else "")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a result."""
    write_text_atomic(path, json.dumps(content, indent=1) + "\n")


def peak_mb() -> float:
    """Return the most memory that this process has taken, in MB."""
    status = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line.split()[1] for line in status if line.startswith("VmHWM:"))
    return round(int(peak) / 1024, 1)
