"""Runs the notebooks and keeps what their cells show: `python benchmarks/notebooks.py [NAME ...]`.

A cell is run as IPython runs it: the value of its last line is shown, as text and as HTML if it has that.
"""

import argparse
import ast
import contextlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from helpers.provenance import ROOT

NOTEBOOKS = ROOT / "notebooks"


def run(notebook: dict[str, Any]) -> dict[str, Any]:
    """Run the cells of a notebook in order; return it with their outputs, and the names that they left under
    `names`."""
    pd.set_option("display.width", 160)
    pd.set_option("display.max_columns", None)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells, number = [], 0
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            number += 1
            outputs = _outputs("".join(cell["source"]), names, number)
            cell = {**cell, "outputs": outputs, "execution_count": number}  # noqa: PLW2901
        cells.append(cell)
    return {**notebook, "cells": cells, "names": names}


def _outputs(source: str, names: dict[str, Any], number: int) -> list[dict[str, Any]]:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, f"cell {number}", "exec"), names)
        value = None
        if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
            value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
    found: list[dict[str, Any]] = []
    if text := printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = str(value._repr_html_()).splitlines(keepends=True)
        result = {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": number}
        found.append(result)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Run the notebooks named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    for path in [Path(NOTEBOOKS / f"{name}.ipynb") for name in parser.parse_args(argv).names] or paths:
        done = run(json.loads(path.read_text(encoding="utf-8")))
        del done["names"]
        path.write_text(json.dumps(done, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
