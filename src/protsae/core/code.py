"""Which code a function depends on, found by reading source files and importing nothing.

The unit is a module's top-level symbol: a function, a class, an assignment. A symbol depends on the symbols
that its text names, through imports at any depth, re-exports, base classes, decorators and annotations. What
importing a module executes counts for whoever reaches any symbol of it, also through others: statements that
define nothing, and definitions that call the project's own code or an unknown decorator. So a registry that
is filled on import is never missed. A module that is used as a value counts whole.
"""

import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from protsae.core.files import Stamp, sha256_file, sha256_text, stamp
from protsae.core.source import (
    LOOSE,
    WHOLE,
    Import,
    SourceFile,
    Symbol,
    read_source,
    reader_version,
    source_from_memory,
)

Node = tuple[str, str]
"""A module and one of its symbols, or `LOOSE`, `WHOLE` or `PARENT`."""

PARENT = "^"
"""Stands for a package on the way to a module, where a symbol stands."""


def _process_start() -> float:
    """Return when this process started, in seconds since the epoch (now, where /proc does not tell)."""
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time()


PROCESS_START = _process_start()


_NOTHING = SourceFile({LOOSE: Symbol("", (), (), (), False, False)}, (), (), ())


@dataclass
class Closure:
    """Everything that some entries can reach."""

    code: dict[str, str] = field(default_factory=dict)
    """`module:symbol`, or `module` for what importing it executes, to a hash of the code."""
    data_files: dict[str, str] = field(default_factory=dict)
    """Package data (templates and the like) in the folders of the modules, by its place, to content hash."""
    libraries: set[str] = field(default_factory=set)
    """Top-level names of third-party imports."""
    paths: set[Path] = field(default_factory=set)
    computed: set[str] = field(default_factory=set)
    """Code that reaches other code in a way that reading cannot follow, such as a computed import."""
    edited_since_import: set[str] = field(default_factory=set)
    """Modules whose file is newer than this process, which may run an older text of them."""

    def update(self, other: "Closure") -> None:
        """Add everything of another closure."""
        for part in fields(self):
            getattr(self, part.name).update(getattr(other, part.name))

    @property
    def modules(self) -> set[str]:
        """Modules of which something counts."""
        return {name.partition(":")[0] for name in self.code}


class CodeIndex:
    """Reads each source file once, and answers what an entry reaches.

    Args:
        memory: earlier readings by content hash, as `remembered` gave them; unusable ones are read again.
    """

    def __init__(self, memory: dict[str, Any] | None = None) -> None:
        memory = memory or {}
        is_ours = (memory.get("python"), memory.get("reader")) == (sys.version, reader_version())
        self._memory: dict[str, Any] = memory.get("sources", {}) if is_ours else {}
        self._used: dict[str, SourceFile] = {}
        self._sources: dict[str, SourceFile] = {}
        self._imports: dict[str, dict[str, list[Import]]] = {}
        self._data_files: dict[str, dict[Path, tuple[str, str]]] = {}
        self._files: dict[str, Path | None] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._resolving: set[Node] = set()
        self._edges: dict[Node, tuple[Node, ...]] = {}
        self._libraries: dict[Node, set[str]] = {}
        self._closures: dict[tuple[str, frozenset[str]], Closure] = {}

    def remembered(self) -> dict[str, Any]:
        """Return what was read, as JSON data for the next process."""
        return {"python": sys.version, "reader": reader_version(), "sources": self._used}

    def closure(self, entries: Iterable[str], without: Iterable[str] = ()) -> Closure:
        """Return what the entries reach within their own top-level packages.

        Args:
            entries: `module:symbol`, or `module` for all of it.
            without: `module:symbol` that count for nothing, such as a registry of which the entries name the
                one item that is used.

        Raises:
            ModuleNotFoundError: if an entry's module has no source file.
        """
        union, left_out = Closure(), frozenset(without)
        for entry in sorted(set(entries)):
            if (entry, left_out) not in self._closures:
                self._closures[entry, left_out] = self._walk(entry, left_out)
            union.update(self._closures[entry, left_out])
        return union

    def edited(self, closure: Closure) -> bool:
        """Return whether a file of the closure was touched since it was read."""
        for path in closure.paths:
            try:
                if stamp(path) != self._stamps[path]:
                    return True
            except OSError:
                return True
        return False

    def _walk(self, entry: str, without: frozenset[str]) -> Closure:
        module, _, name = entry.partition(":")
        if self._file(module) is None:
            raise ModuleNotFoundError(f"no source file for module '{module}'")
        symbol = name.partition(".")[0]
        start = symbol if symbol and symbol in self._source(module).symbols else WHOLE
        # Kedro reaches the entry through its packages' __init__ files. These count by their own text; what
        # they import counts only where a name is taken from them: else nodes.py would depend on pipeline.py,
        # and one dataset class on all others.
        passed = {(parent, PARENT) for parent in _parents(module)}
        left_out = {tuple(item.split(":")) for item in without}
        seen: set[Node] = set(passed)
        todo: list[Node] = [(module, start)]
        while todo:
            node = todo.pop()
            if node not in seen and node not in left_out:
                seen.add(node)
                todo.extend(self._edges[node] if node in self._edges else self._follow(node))
        return self._found(seen)

    def _found(self, nodes: set[Node]) -> Closure:
        closure = Closure()
        for module in {module for module, _ in nodes}:
            if self._source(module) is not _NOTHING:
                path = self._files[module]
                assert path is not None
                closure.paths.add(path)
                # a date in the future is that of no edit
                if module in sys.modules and PROCESS_START < self._stamps[path][1] / 1e9 <= time.time():
                    closure.edited_since_import.add(module)
        for node in nodes:
            module, name = node
            closure.libraries |= self._libraries.get(node, set())
            symbol = self._source(module).symbols.get(LOOSE if name == PARENT else name)
            if symbol is not None and symbol.digest:
                where = f"{module}:{name}".rstrip(":^")
                closure.code[where] = symbol.digest
                if symbol.is_computed:
                    closure.computed.add(where)
        for folder in {package for module in closure.modules for package in (*_parents(module), module)}:
            for path, (place, digest) in self._package_data(folder).items():
                closure.data_files[place] = digest
                closure.paths.add(path)
        return closure

    def _follow(self, node: Node) -> tuple[Node, ...]:
        """Return what a node depends on at once, and remember it."""
        module, name = node
        source, found = self._source(module), list[Node]()
        self._libraries[node] = set()
        if name == PARENT:
            found.append((module, LOOSE))
        elif name == WHOLE:
            found += [(module, symbol) for symbol in source.symbols]
            for item in source.imports:
                found += self._taken(module, item, [])
        else:
            symbol = source.symbols[name]
            imports = symbol.imports
            if name == LOOSE:
                found += [(parent, PARENT) for parent in _parents(module)]
                found += self._called_on_import(module)
                imports = (*imports, *source.imports)
            else:
                found.append((module, LOOSE))
            for item in imports:
                found += self._executed(module, item, self._libraries[node])
            for chain in symbol.names:
                head, *rest = chain.split(".")
                for item in symbol.imports:
                    if item.alias == head:
                        found += self._taken(module, item, rest)
                found += self._named(module, head, rest)
        self._edges[node] = tuple(dict.fromkeys(found))
        return self._edges[node]

    def _called_on_import(self, module: str) -> Iterator[Node]:
        """Yield the definitions that call code of the project when the module is imported."""
        for name, symbol in self._source(module).symbols.items():
            for chain in symbol.calls:
                head, *rest = chain.split(".")
                found = [
                    self._source(base).symbols.get(called) for base, called in self._named(module, head, rest)
                ]
                # an instance as the default of a class's field is no more than a value
                if any(not (symbol.is_class and called and called.is_class) for called in found):
                    yield module, name
                    break

    def _named(self, module: str, name: str, rest: list[str]) -> list[Node]:
        """Return what a name of a module stands for, followed by a chain of attributes."""
        if (module, name) in self._resolving:  # an import that leads back to itself
            return []
        self._resolving.add((module, name))
        found: list[Node] = [(module, name)] if name in self._source(module).symbols else []
        for item in self._bindings(module).get(name, ()):
            found += self._taken(module, item, rest)
        self._resolving.remove((module, name))
        return found

    def _taken(self, module: str, item: Import, rest: list[str]) -> list[Node]:
        """Return what an import binds, followed by a chain of attributes."""
        base = self._own(module, item)
        if base is None:
            return []
        if item.name == WHOLE:
            return [(name, WHOLE) for name in (base, *self._submodules(base)) if self._file(name)]
        return self._attribute(base, [item.name, *rest] if item.name else rest)

    def _attribute(self, module: str, chain: list[str]) -> list[Node]:
        if not chain:
            return [(module, WHOLE)] if self._file(module) else []
        head, *rest = chain
        found = self._named(module, head, rest)
        if self._file(f"{module}.{head}"):
            found += self._attribute(f"{module}.{head}", rest)
        if found or self._file(module) is None or head in self._source(module).bound:
            return found
        is_lazy = "__getattr__" in self._source(module).symbols
        return [(module, "__getattr__" if is_lazy else WHOLE)]

    def _executed(self, module: str, item: Import, libraries: set[str]) -> Iterator[Node]:
        """Yield the modules that an import executes; add those of others to `libraries`."""
        base = self._own(module, item)
        if base is None:
            libraries.add(item.module.partition(".")[0])
            return
        for name in (base, f"{base}.{item.name}"):
            if self._file(name):
                yield name, LOOSE
        if item.name == WHOLE:
            yield from self._taken(module, item, [])

    def _own(self, module: str, item: Import) -> str | None:
        """Return the absolute name of an import's module; None outside the module's top-level package."""
        base = item.module
        if item.level:
            path = self._file(module)
            here = module if path and path.name == "__init__.py" else module.rpartition(".")[0]
            steps = here.split(".")
            base = ".".join(filter(None, [*steps[: len(steps) - item.level + 1], base]))
        return base if base.partition(".")[0] == module.partition(".")[0] else None

    def _file(self, name: str) -> Path | None:
        """Return the source file of a module, or None if it has none."""
        if name not in self._files:
            parent = self._files.get(name.rpartition(".")[0])
            is_below_module = parent is not None and parent.name != "__init__.py"
            self._files[name] = None if is_below_module else self._find(name)
        return self._files[name]

    def _find(self, name: str) -> Path | None:
        top, *rest = name.split(".")
        try:
            spec = importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return None
        if spec is None:
            return None
        if spec.submodule_search_locations is None:
            found = Path(spec.origin) if spec.origin and not rest else None
            return found if found and found.suffix == ".py" and found.is_file() else None
        for location in spec.submodule_search_locations:
            base = Path(location).joinpath(*rest)
            for candidate in (base / "__init__.py", base.with_name(f"{base.name}.py")):
                if candidate.is_file() and (rest or candidate.name == "__init__.py"):
                    return candidate
        return None

    def _submodules(self, name: str) -> list[str]:
        path = self._file(name)
        if path is None or path.name != "__init__.py":
            return []
        found = [f"{name}.{item.stem}" for item in path.parent.glob("*.py") if item.stem != "__init__"]
        return found + [f"{name}.{item.parent.name}" for item in path.parent.glob("*/__init__.py")]

    def _source(self, module: str) -> SourceFile:
        if module not in self._sources:
            path = self._file(module)
            self._sources[module] = _NOTHING if path is None else self._read(path)
        return self._sources[module]

    def _bindings(self, module: str) -> dict[str, list[Import]]:
        """Return the imports of a module by the name that they bind."""
        if module not in self._imports:
            self._imports[module] = {}
            source = self._source(module)
            for item in (*source.imports, *source.typed):
                self._imports[module].setdefault(item.alias, []).append(item)
        return self._imports[module]

    def _read(self, path: Path) -> SourceFile:
        self._stamps[path] = stamp(path)
        text = path.read_bytes()
        key = hashlib.sha256(text).hexdigest()
        self._used[key] = source_from_memory(self._memory.get(key)) or read_source(text)
        return self._used[key]

    def _package_data(self, module: str) -> dict[Path, tuple[str, str]]:
        """Return place and hash of a package's data; none of a module, whose folder is a package's."""
        if module not in self._data_files:
            path = self._file(module)
            found: dict[Path, tuple[str, str]] = {}
            if path and path.name == "__init__.py":
                root = path.parents[module.count(".") + 1]
                for file in _data_files(path.parent):
                    self._stamps[file] = stamp(file)
                    found[file] = file.relative_to(root).as_posix(), sha256_file(file)
            self._data_files[module] = found
        return self._data_files[module]


_of_process = cache(CodeIndex)


def entry(item: Callable[..., Any]) -> str:
    """Return the entry of a function or class."""
    return f"{item.__module__}:{item.__qualname__}"


@cache
def code_hash(*items: Callable[..., Any], without: tuple[str, ...] = ()) -> str:
    """Return a hash of the code that functions or classes depend on, for what is stored with a fingerprint.

    Taken once per process: later edits do not reach the modules that it has imported. Where it cannot be
    known which code runs, the hash is this process's alone: nothing is taken for made by another's code.

    Args:
        items: functions or classes.
        without: see `CodeIndex.closure`.
    """
    closure = _of_process().closure(map(entry, items), without)
    unknown = [str(PROCESS_START)] if closure.computed or closure.edited_since_import else []
    parts = sorted({**closure.code, **closure.data_files}.items())
    return sha256_text(*(text for part in parts for text in part), *unknown)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield files that are no Python code, below `folder` but not in packages of their own; stubs hold types
    alone."""
    for item in sorted(folder.iterdir()):
        if item.name.startswith((".", "__pycache__")) or item.name.endswith("~"):
            continue
        if item.is_dir():
            if not (item / "__init__.py").exists():
                yield from _data_files(item)
        elif item.suffix not in {".py", ".pyc", ".pyi"}:
            yield item
