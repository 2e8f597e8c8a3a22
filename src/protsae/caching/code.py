"""Which code a function depends on, found by reading source files and importing nothing.

The unit is the module: everything in the transitive import closure counts, whole. That reruns more than a
graph of single functions would, and misses less.
"""

import ast
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protsae.core.files import sha256_file

Stamp = tuple[int, int, int, int]
Import = tuple[int, str, tuple[str, ...]]
"""One import statement: level (leading dots), module, imported names (none for `import a.b`)."""


def stamp(path: Path) -> Stamp:
    """Return size, mtime_ns, ctime_ns and inode of a file."""
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _process_start() -> float:
    """Return when this process started, in seconds since the epoch (now, where /proc does not tell)."""
    try:
        after_name = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        since_boot = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
        return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
    except (OSError, AttributeError, ValueError, IndexError):
        return time.time()


PROCESS_START = _process_start()


@dataclass(frozen=True)
class Source:
    """What one source file says."""

    code: str
    """SHA-256 of the syntax tree without docstrings and comments."""
    imports: tuple[Import, ...]
    """Import statements at any depth, except those that only type checkers execute."""
    computed_import: bool
    """Whether a module is imported by a name that is computed, so that reading cannot tell which."""


@dataclass
class Closure:
    """Everything that the code of some entry modules can reach."""

    modules: dict[str, str] = field(default_factory=dict)
    """Module name to hash of its code."""
    data_files: dict[str, str] = field(default_factory=dict)
    """Package data (templates and the like) beside the modules, by its place, to content hash."""
    libraries: set[str] = field(default_factory=set)
    """Top-level names of third-party imports."""
    paths: set[Path] = field(default_factory=set)
    computed_imports: set[str] = field(default_factory=set)
    """Modules that import by a computed name."""
    edited_since_import: set[str] = field(default_factory=set)
    """Modules whose file is newer than this process, which may run an older text of them."""

    def update(self, other: "Closure") -> None:
        """Add everything of another closure."""
        self.modules |= other.modules
        self.data_files |= other.data_files
        self.libraries |= other.libraries
        self.paths |= other.paths
        self.computed_imports |= other.computed_imports
        self.edited_since_import |= other.edited_since_import


class _Reader(ast.NodeVisitor):
    """Collects imports, wherever they stand."""

    def __init__(self) -> None:
        self.imports: list[Import] = []
        self.computed_import = False

    def visit_Import(self, node: ast.Import) -> None:
        self.imports.extend((0, alias.name, ()) for alias in node.names)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self.imports.append((node.level, node.module or "", tuple(alias.name for alias in node.names)))

    def visit_If(self, node: ast.If) -> None:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for statement in node.orelse:
                self.visit(statement)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if called in {"import_module", "__import__"}:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value[:1] != ".":
                self.imports.append((0, name.value, ()))
            elif isinstance(name, ast.JoinedStr) and ast.unparse(name)[2:].startswith("{__name__}."):
                self.imports.append((1, "", ("*",)))  # a package that imports its own modules lazily
            else:
                self.computed_import = True
        self.generic_visit(node)


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def read_source(text: bytes) -> Source:
    """Parse one source file.

    Raises:
        SyntaxError: if it is not Python.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            # Docstrings, and the strings under fields that pydantic shows as descriptions: text for people.
            body[:] = [statement for statement in body if not _is_bare_string(statement)]
    reader = _Reader()
    reader.visit(tree)
    code = hashlib.sha256(ast.dump(tree, annotate_fields=False).encode()).hexdigest()
    return Source(code, tuple(reader.imports), reader.computed_import)


class CodeIndex:
    """Reads each source file once, and answers what an entry module reaches.

    Args:
        memory: earlier readings by content hash, as `remembered` gave them; unusable ones are read again.
    """

    def __init__(self, memory: dict[str, Any] | None = None) -> None:
        memory = memory or {}
        self._memory: dict[str, Any] = (
            memory.get("sources", {}) if memory.get("python") == sys.version else {}
        )
        self._used: dict[str, Any] = {}
        self._sources: dict[Path, Source] = {}
        self._data_files: dict[Path, dict[Path, str]] = {}
        self._files: dict[str, Path | None] = {}
        self._stamps: dict[Path, Stamp] = {}
        self._closures: dict[str, Closure] = {}

    def remembered(self) -> dict[str, Any]:
        """Return what was read, as JSON data for the next process."""
        return {"python": sys.version, "sources": self._used}

    def closure(self, entries: Iterable[str]) -> Closure:
        """Return what the entry modules reach within their own top-level packages.

        Raises:
            ModuleNotFoundError: if an entry module has no source file.
        """
        union = Closure()
        for entry in sorted(set(entries)):
            if entry not in self._closures:
                self._closures[entry] = self._walk(entry)
            union.update(self._closures[entry])
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

    def _walk(self, entry: str) -> Closure:
        if self._file(entry) is None:
            raise ModuleNotFoundError(f"no source file for module '{entry}'")
        # Kedro reaches the entry through its packages' __init__ files. These count by their own text; what
        # they import counts only where a name is taken from them: else nodes.py would depend on pipeline.py,
        # and one dataset class on all others.
        closure = Closure()
        passed = _parents(entry)
        for name in passed:
            self._add(closure, name)
        todo, followed = [entry], set[str]()
        while todo:
            name = todo.pop()
            if name in followed or self._file(name) is None:
                continue
            followed.add(name)
            source = self._add(closure, name)
            if source.computed_import:
                closure.computed_imports.add(name)
            for target in self._targets(name, source, closure.libraries):
                todo.append(target)
                todo.extend(parent for parent in _parents(target) if parent not in passed)
        return closure

    def _add(self, closure: Closure, name: str) -> Source:
        """Add one module and the package data beside it, without what it imports."""
        path = self._file(name)
        if path is None:  # a folder without __init__.py
            return Source("", (), False)
        source = self._source(path)
        closure.modules[name] = source.code
        closure.paths.add(path)
        if name in sys.modules and self._stamps[path][1] / 1e9 > PROCESS_START:
            closure.edited_since_import.add(name)
        is_package = path.name == "__init__.py"
        if is_package or "." in name:  # beside a lone file lies anything, not its package data
            root = path.parents[name.count(".") + is_package]
            for file, digest in self._package_data(path.parent).items():
                closure.data_files[file.relative_to(root).as_posix()] = digest
                closure.paths.add(file)
        return source

    def _targets(self, name: str, source: Source, libraries: set[str]) -> Iterator[str]:
        """Yield what one module imports of its own top-level package; add the others to `libraries`."""
        path = self._file(name)
        here = name if path and path.name == "__init__.py" else name.rpartition(".")[0]
        for level, module, names in source.imports:
            base = module
            if level:
                steps = here.split(".")
                base = ".".join(filter(None, [*steps[: len(steps) - level + 1], module]))
            if base.partition(".")[0] != name.partition(".")[0]:
                libraries.add(base.partition(".")[0])
            elif "*" in names:
                yield from (base, *self._submodules(base))
            else:
                submodules = [f"{base}.{item}" for item in names if self._file(f"{base}.{item}")]
                yield from submodules
                if not names or len(submodules) < len(names):
                    yield base

    def _file(self, name: str) -> Path | None:
        """Return the source file of a module, or None if it has none."""
        if name not in self._files:
            self._files[name] = self._find(name)
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

    def _source(self, path: Path) -> Source:
        if path not in self._sources:
            self._stamps[path] = stamp(path)
            text = path.read_bytes()
            key = hashlib.sha256(text).hexdigest()
            source = _from_memory(self._memory.get(key)) or read_source(text)
            self._used[key] = [source.code, source.imports, source.computed_import]
            self._sources[path] = source
        return self._sources[path]

    def _package_data(self, folder: Path) -> dict[Path, str]:
        if folder not in self._data_files:
            found: dict[Path, str] = {}
            for path in _data_files(folder):
                self._stamps[path] = stamp(path)
                found[path] = sha256_file(path)
            self._data_files[folder] = found
        return self._data_files[folder]


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(1, len(parts))]


def _data_files(folder: Path) -> Iterator[Path]:
    """Yield files that are no Python code, below `folder` but not in packages of their own."""
    for item in sorted(folder.iterdir()):
        if item.name.startswith((".", "__pycache__")) or item.name.endswith("~"):
            continue
        if item.is_dir():
            if not (item / "__init__.py").exists():
                yield from _data_files(item)
        elif item.suffix not in {".py", ".pyc"}:
            yield item


def _from_memory(entry: Any) -> Source | None:
    try:
        code, imports, computed = entry
        return Source(
            code, tuple((level, module, tuple(names)) for level, module, names in imports), computed
        )
    except (TypeError, ValueError):
        return None
