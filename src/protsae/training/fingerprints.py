"""Hashes of tables, settings and code, of which a training's fingerprint is made."""

import ast
import json
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
def code_hash(*patterns: str, module: str | None = None) -> str:
    """Return a hash of the syntax of the package's files, without docstrings and comments.

    Taken once per process: later edits do not reach the modules that it has imported.

    Args:
        patterns: globs below the package, such as `training/*.py`.
        module: a module of the package that counts with all that it imports, at any depth.
    """
    files = {path for pattern in patterns for path in _PACKAGE.glob(pattern)}
    if module is not None:
        files |= imported_files(module)
    parts = ((str(path.relative_to(_PACKAGE)), _syntax(path)) for path in sorted(files))
    return sha256_text(*(part for pair in parts for part in pair))


def imported_files(module: str) -> set[Path]:
    """Return the files of a module of the package and of those that it imports from it, at any depth."""
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        path = _file_of(waiting.pop())
        if path is None or path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            elif isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
    return found


def _file_of(module: str) -> Path | None:
    """Return the file of a module of the package; None for other modules, and for names within modules."""
    package, *names = module.split(".")
    if package != _PACKAGE.name:
        return None
    base = _PACKAGE.joinpath(*names)
    return next((p for p in (base / "__init__.py", base.with_suffix(".py")) if p.is_file()), None)


@cache
def _syntax(path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            node.body = [
                line
                for line in node.body
                if not (isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant))
            ] or [ast.Pass()]
    return ast.dump(tree)
