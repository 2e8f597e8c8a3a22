"""Compares the numbers of README and docs with the results that they come from: part of `make lint`.

    python benchmarks/claims.py

A number says where it comes from in a comment right after it, which Markdown does not show:

    an AUC of .757 (.726 to .783) <!-- source: demo.csv method=protsae_latent aspect=mean
    split=test metric=auc stratum="mean of seeds" column=value,low,high -->

The file lies in docs/results. The other words select one row of a CSV file by its columns
(`preset!=deepgo`: any other value); `column` holds the number (default `value`). Several values after one
key, separated by commas, stand for several numbers, in the order in which they are written.
`aggregate=mean` (or min, max, sum, count) joins several rows; without it they are an error. `scale=100`
multiplies what the file has, for a share written in percent; `scale=-1` changes its sign. In a JSON file
`path=summary/seconds` leads to the number, or `path=shapes name=8M column=speed/last_layer` to a list of
objects, one of which the other words select.

A comment that directly follows a table covers it. `columns` and `rows` add to the selection, `-` leaves
out. A cell like `.757 (.726 to .783)` is a value with its interval (`low`, `high`), or an aggregate with
the least and the greatest:

    <!-- source: demo.csv split=test aspect=mean
    columns: - | metric=auc | metric=aupr
    rows: method=protsae_latent | method=linear_probe -->

A number agrees if the result, rounded to as many digits as are written, is that number.
"""

import csv
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MAX_WORDS = 700
"""Words of README.md, comments left out."""
NUMBER = re.compile(r"(?<![\w.,/-])[+-]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?!\w|\.\d|,\d)")
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
HIDDEN = re.compile(r"^```.*?^```|(?<!`)`[^`\n]+`(?!`)|(?<=\])\([^)\n]*\)", re.DOTALL | re.MULTILINE)
"""Code, and the addresses of links."""
SEVERAL = re.compile(r",(?! )")
AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "mean": lambda values: sum(values) / len(values),
    "min": min,
    "max": max,
    "sum": sum,
    "count": len,
}
NOT_COLUMNS = ("column", "aggregate", "scale", "path")
Selection = dict[str, str]


class ClaimError(Exception):
    """A source that does not lead to one number, or not to the one that is written."""


@dataclass
class Results:
    """The files of a folder of results, each read once."""

    folder: Path
    _read: dict[str, Any] = field(default_factory=dict)

    def numbers(self, file: str, selection: Selection) -> Iterator[tuple[float, str]]:
        """Yield the numbers that a source stands for, each with the words that select it.

        Args:
            file: name of the file.
            selection: key to value, or to several separated by commas.

        Raises:
            ClaimError: no row, several rows without an aggregate, no such file or column, or no number.
        """
        for values in product(*(SEVERAL.split(value) for value in selection.values())):
            one = dict(zip(selection, values, strict=True))
            about = " ".join([file, *(f"{key}={value}" for key, value in one.items())])
            try:
                yield self._number(file, one) * float(one.get("scale", 1)), about
            except ClaimError as error:
                raise ClaimError(f"{error} ({about})") from None

    def _number(self, file: str, selection: Selection) -> float:
        found = self._json(file, selection) if file.endswith(".json") else self._rows(file, selection)
        values = [_as_number(value) for value in found]
        if "aggregate" not in selection:
            if len(values) > 1:
                raise ClaimError(f"{len(values)} rows match: select one, or name an aggregate")
            return values[0]
        if selection["aggregate"] not in AGGREGATES:
            raise ClaimError(f"unknown aggregate; there are {', '.join(AGGREGATES)}")
        return AGGREGATES[selection["aggregate"]](values)

    def _rows(self, file: str, selection: Selection) -> list[str]:
        table = self._open(file, _Table)
        wanted = {key: value for key, value in selection.items() if key not in NOT_COLUMNS}
        return table.values(wanted, selection.get("column", "value"))

    def _json(self, file: str, selection: Selection) -> list[Any]:
        content = _inside(
            self._open(file, lambda path: json.loads(path.read_text("utf-8"))), selection.get("path", "")
        )
        wanted = {key: value for key, value in selection.items() if key not in NOT_COLUMNS}
        kept = [
            element
            for element in (content if isinstance(content, list) else [content])
            if all(str(_inside(element, key)) == value for key, value in wanted.items())
        ]
        if not kept:
            raise ClaimError("no element of the list matches")
        return [_inside(element, selection.get("column", "")) for element in kept]

    def _open(self, file: str, read: Callable[[Path], Any]) -> Any:
        if file not in self._read:
            if not (self.folder / file).is_file():
                raise ClaimError(f"no file {file} in {self.folder.name}")
            self._read[file] = read(self.folder / file)
        return self._read[file]


class _Table:
    """A CSV file, its rows by the value of the first column that most selections name."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            self.header, *self.rows = csv.reader(file)

    @cached_property
    def by_value(self) -> dict[tuple[str, str], list[list[str]]]:
        found: dict[tuple[str, str], list[list[str]]] = {}
        for name in ("method", "settings", "dictionary", "ablation"):
            if name in self.header:
                place = self.header.index(name)
                for row in self.rows:
                    found.setdefault((name, row[place]), []).append(row)
        return found

    def values(self, wanted: Selection, column: str) -> list[str]:
        for name in (*(name.rstrip("!") for name in wanted), column):
            if name not in self.header:
                raise ClaimError(f"no column '{name}'; there are {', '.join(self.header)}")
        key = next((pair for pair in wanted.items() if pair in self.by_value), None)
        places = [
            (self.header.index(name.rstrip("!")), value, name.endswith("!")) for name, value in wanted.items()
        ]
        kept = [
            row
            for row in (self.by_value[key] if key else self.rows)
            if all((row[place] == value) != unequal for place, value, unequal in places)
        ]
        if not kept:
            raise ClaimError("no row matches")
        return [row[self.header.index(column)] for row in kept]


def _inside(content: Any, path: str) -> Any:
    """Return the part of a JSON value that a path leads to, its steps separated by slashes."""
    for part in filter(None, path.split("/")):
        if isinstance(content, dict) and part in content:
            content = content[part]
        elif isinstance(content, list) and part.isdigit() and int(part) < len(content):
            content = content[int(part)]
        else:
            there = f"; there are {', '.join(map(str, content))}" if isinstance(content, dict) else ""
            raise ClaimError(f"the path has no '{part}'{there}")
    return content


def _as_number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ClaimError(f"'{value}' is no number") from None


def agrees(written: str, found: float) -> bool:
    """Return whether a result, rounded to the digits that are written, is what is written."""
    digits = len(written.partition(".")[2])
    return abs(float(written.replace(",", "")) - found) <= 0.5 * 10**-digits * (1 + 1e-9)


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    name: str
    text: str

    @cached_property
    def visible(self) -> str:
        """The text with code and addresses blank; every character stays at its place."""
        return HIDDEN.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), self.text)

    def sources(self) -> Iterator[tuple[int, int, str]]:
        """Yield begin, end and content of every comment with a source."""
        for found in COMMENT.finditer(self.visible):
            content = self.text[found.start() + 4 : found.end() - 3].strip()
            if content.startswith("source:"):
                yield found.start(), found.end(), content.removeprefix("source:")

    def line(self, place: int) -> int:
        """Return the number of a place's line."""
        return self.text.count("\n", 0, place) + 1

    def check(self, results: Results) -> tuple[int, list[str]]:
        """Return how many numbers agree, and a message for everything that is wrong."""
        n_right, problems = 0, []
        for begin, end, content in self.sources():
            claims = self._table(begin, content) if "columns:" in content else [(begin, content, None)]
            try:
                for place, words, cell in claims:
                    text = self._before(begin) if cell is None else cell
                    right, wrong = _compare(text, words, results, is_cell=cell is not None)
                    n_right += right
                    problems += [f"{self.name}:{self.line(place)}: {message}" for message in wrong]
            except ClaimError as error:
                problems.append(f"{self.name}:{self.line(end)}: {error}")
        return n_right, problems

    def _before(self, begin: int) -> str:
        """Return the text before a comment, back to the last comment or the paragraph's first line."""
        before = re.split(r"-->|\n\n", self.visible[:begin])[-1]
        if not before.rpartition("\n")[2].strip():
            raise ClaimError(
                "at the beginning of a line a comment ends the paragraph: put it behind the number"
            )
        return before

    def _table(self, begin: int, content: str) -> Iterator[tuple[int, str, str]]:
        """Yield place, source and text of every cell that a comment below a table covers."""
        base, columns, rows = _parts(content)
        lines, place = [], begin
        for line in reversed(self.visible[:begin].splitlines(keepends=True)):
            if not line.startswith("|"):
                break
            place -= len(line)
            lines.append((place, line))
        cells = [(at, COMMENT.sub("", line).strip().strip("|").split("|")) for at, line in reversed(lines)][
            2:
        ]
        if len(cells) != len(rows):
            raise ClaimError(f"the table has {len(cells)} rows, its source {len(rows)}")
        for (at, found), row in zip(cells, rows, strict=True):
            if len(found) != len(columns):
                raise ClaimError(f"line {self.line(at)} has {len(found)} cells, its source {len(columns)}")
            for cell, column in zip(found, columns, strict=True):
                if "-" not in (row, column) and _numbers(cell):
                    yield at, f"{base} {row} {column}", cell


def _numbers(text: str) -> list[str]:
    return NUMBER.findall(text.replace("−", "-"))


def _parts(content: str) -> tuple[str, list[str], list[str]]:
    """Return a table's source: what all cells share, what columns and what rows add."""
    found = re.fullmatch(r"(.*?)\bcolumns:(.*?)\brows:(.*)", content, re.DOTALL)
    if not found:
        raise ClaimError("the source of a table needs 'columns:' and then 'rows:'")
    base, columns, rows = found.groups()
    return base, *([part.strip() for part in parts.split("|")] for parts in (columns, rows))


def _selection(words: str) -> tuple[str, Selection]:
    """Return file and selection of a source: later words replace earlier ones."""
    file, selection = "", {}
    for word in shlex.split(words):
        key, equals, value = word.partition("=")
        if not equals:
            file = word
        else:
            selection[key] = value
    if not file:
        raise ClaimError("the source names no file")
    return file, selection


def _compare(text: str, words: str, results: Results, *, is_cell: bool) -> tuple[int, list[str]]:
    """Return how many of the numbers of a text agree with a source, and a message for each that does not."""
    file, selection = _selection(words)
    written = _numbers(text)
    has_interval = is_cell and len(written) == 3 and "(" in text
    if has_interval and "aggregate" in selection:
        selection["aggregate"] += ",min,max"
    elif has_interval:
        selection["column"] = f"{selection.get('column', 'value')},low,high"
    found = list(results.numbers(file, selection))
    if len(written) < len(found) or (is_cell and len(written) != len(found)):
        raise ClaimError(f"{len(written)} numbers are written, the source has {len(found)} ({words.strip()})")
    wrong = [
        f"written {number}, found {value:.6g} ({about})"
        for number, (value, about) in zip(written[-len(found) :], found, strict=True)
        if not agrees(number, value)
    ]
    return len(found) - len(wrong), wrong


def n_words(page: Page) -> int:
    """Return how many words a reader sees: comments and addresses of links do not count."""
    return len(re.sub(r"(?<=\])\([^)\n]*\)", "", COMMENT.sub("", page.text)).split())


def pages(root: Path) -> Iterator[Page]:
    """Yield README and docs."""
    for path in chain([root / "README.md"], sorted((root / "docs").rglob("*.md"))):
        yield Page(str(path.relative_to(root)), path.read_text(encoding="utf-8"))


def check(found: Iterable[Page], results: Results) -> tuple[int, list[str]]:
    """Return how many numbers agree with their sources, and what is wrong."""
    n_right, problems = 0, []
    for page in found:
        right, wrong = page.check(results)
        n_right, problems = n_right + right, problems + wrong
        if page.name == "README.md" and (words := n_words(page)) > MAX_WORDS:
            problems.append(f"README.md:1: {words} words, more than {MAX_WORDS}")
    return n_right, problems


def main() -> None:
    """Check, print, and fail if anything is wrong."""
    n_right, problems = check(pages(ROOT), Results(ROOT / "docs/results"))
    print("\n".join([*problems, f"{n_right} numbers agree with docs/results, {len(problems)} problems"]))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
