"""Hashes of tables, settings and code, of which a training's fingerprint is made."""

import ast
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.files import sha256_text

_PACKAGE = Path(__file__).parents[1]


def table_hash(table: pd.DataFrame) -> str:
    """Return a hash of a table's columns and rows in their order, whatever types hold them."""
    plain = table.astype({name: "str" for name in table.columns if table[name].dtype.kind not in "biuf"})
    hashed = pd.util.hash_pandas_object(plain, index=False, categorize=False).to_numpy()
    return sha256_text(*map(str, table.columns), hashed.tobytes().hex())


def settings_json(settings: Any) -> str:
    """Return settings (plain values, and models of pydantic) as JSON with sorted keys."""
    return json.dumps(settings, sort_keys=True, default=lambda value: value.model_dump(mode="json"))


@cache
def code_hash(*patterns: str) -> str:
    """Return a hash of the syntax of the package's files, without docstrings and comments.

    Taken once per process: later edits do not reach the modules that it has imported.

    Args:
        patterns: globs below the package, such as `training/*.py`.
    """
    files: Iterable[Path] = sorted({path for pattern in patterns for path in _PACKAGE.glob(pattern)})
    parts = ((str(path.relative_to(_PACKAGE)), _syntax(path.read_text(encoding="utf-8"))) for path in files)
    return sha256_text(*(part for pair in parts for part in pair))


def _syntax(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line
                for line in node.body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.dump(tree)
