"""Which code a function depends on, found by reading source files and importing nothing.

The unit is a module's top-level symbol: a function, a class, an assignment. A symbol depends on the symbols
that its text names, through imports at any depth, re-exports, base classes, decorators and annotations. What
importing a module executes counts for whoever reaches any symbol of it, also through others: statements that
define nothing, and definitions that call the project's own code or an unknown decorator. So a registry that
is filled on import is never missed. A module that is used as a value counts whole.
"""

import ast
import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from protsae.core.files import sha256_file, sha256_text

Stamp = tuple[int, int, int, int]
Node = tuple[str, str]
"""A module and one of its symbols, or `LOOSE`, `WHOLE` or `PARENT`."""

LOOSE, WHOLE, PARENT = "", "*", "^"
"""What importing a module executes; all of it; a package on the way to a module."""
_HARMLESS = {
    *("dataclass", "cache", "lru_cache", "contextmanager", "runtime_checkable", "overload", "wraps"),
    *("property", "classmethod", "staticmethod", "abstractmethod", "cached_property", "field_validator"),
    *("model_validator", "torch.no_grad", "torch.inference_mode"),
}
"""Decorators that change what they decorate and nothing else."""
_COMPUTED = ("__subclasses__", "__init_subclass__")
_COMPUTED_NAMES = ("globals", "eval", "exec")
"""What code uses to reach other code that its text does not name."""


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


class Import(NamedTuple):
    """One name that an import statement binds."""

    alias: str
    """The name; empty: none, the module is only executed."""
    level: int
    """Leading dots."""
    module: str
    name: str
    """What is taken from the module; empty: the module itself; `*`: all of it."""


class Symbol(NamedTuple):
    """Summary of one top-level definition."""

    digest: str
    """Hash of its syntax tree without docstrings, and of the imports that it uses; empty: it does nothing."""
    names: Sequence[str]
    """Names and chains of attributes (`module.part.name`) that it reads."""
    calls: Sequence[str]
    """Those of them that are called when the module is imported."""
    imports: Sequence[Import]
    """Imports inside it."""
    is_class: bool
    is_computed: bool
    """Whether it reaches code in a way that reading cannot follow."""


class SourceFile(NamedTuple):
    """Summary of one source file."""

    symbols: dict[str, Symbol]
    """By name; `LOOSE` holds the statements that define nothing."""
    imports: Sequence[Import]
    """Those of the module that are executed."""
    typed: Sequence[Import]
    """Those under `if TYPE_CHECKING`, which annotations may name."""
    bound: Sequence[str]
    """Names that `LOOSE` binds."""


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


class _Uses(ast.NodeVisitor):
    """Collects what a statement names, imports and calls."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.calls: set[str] = set()
        self.imports: list[Import] = []
        self.bound: set[str] = set()
        self.is_class = self.is_computed = False
        self._depth = 0  # of functions, whose bodies importing does not execute

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name.partition(".")[0]
            target = alias.name if alias.asname else top
            self.imports.append(Import(alias.asname or top, 0, target, ""))
            if target != alias.name:
                self.imports.append(Import("", 0, alias.name, ""))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self.imports.append(Import(alias.asname or alias.name, node.level, node.module or "", alias.name))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._read(node.id)
        else:
            self.bound.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if name := _dotted(node):
            self._read(name)
        else:
            self.generic_visit(node)
        self.is_computed |= node.attr in _COMPUTED

    def _read(self, chain: str) -> None:
        self.names.add(chain)
        self.is_computed |= chain in _COMPUTED_NAMES or chain.startswith("sys.modules.")

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.is_computed |= _dotted(node.value) == "sys.modules"
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = _dotted(node.func) or getattr(node.func, "attr", "")
        if called and not self._depth:
            self.calls.add(called)
        if called.rpartition(".")[2] in {"import_module", "__import__"}:
            name = node.args[0] if node.args else None
            if isinstance(name, ast.Constant) and isinstance(name.value, str) and name.value[:1] != ".":
                self.imports.append(Import("", 0, name.value, WHOLE))
            elif isinstance(name, ast.JoinedStr) and ast.unparse(name)[2:].startswith("{__name__}."):
                self.imports.append(Import("", 1, "", WHOLE))  # a package that imports its own modules lazily
            else:
                self.is_computed = True
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self.bound.add(node.name)
        self.is_computed |= node.name in _COMPUTED
        self._decorators(node)
        self.visit(node.args)
        if node.returns:
            self._annotation(node.returns)
        self._deeper(node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (the name that ast asks for)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit(node.args)
        self._deeper([node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.bound.add(node.name)
        self._decorators(node)
        for part in (*node.bases, *node.keywords, *node.body):
            self.visit(part)

    def visit_arg(self, node: ast.arg) -> None:
        if node.annotation:
            self._annotation(node.annotation)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._annotation(node.annotation)
        self.visit(node.target)
        if node.value:
            self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        for part in node.orelse if _is_for_type_checkers(node) else (node.test, *node.body, *node.orelse):
            self.visit(part)

    def _decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator)
            if not self._depth and (called := _dotted(decorator)):
                self.calls.add(called)

    def _deeper(self, body: Sequence[ast.AST]) -> None:
        self._depth += 1
        for part in body:
            self.visit(part)
        self._depth -= 1

    def _annotation(self, node: ast.expr) -> None:
        """Read an annotation, also what is quoted in it."""
        self.visit(node)
        for part in ast.walk(node):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                with suppress(SyntaxError):
                    self.visit(ast.parse(part.value, mode="eval").body)


def _dotted(node: ast.AST) -> str:
    """Return `a.b.c` for a chain of attributes on a name; empty for anything else."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _is_for_type_checkers(node: ast.If) -> bool:
    return _dotted(node.test).rpartition(".")[2] == "TYPE_CHECKING"


def _is_bare_string(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _defined(statement: ast.stmt) -> list[str]:
    """Return the names that a top-level statement defines; none if it does anything else as well."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        decorators = [getattr(decorator, "func", decorator) for decorator in statement.decorator_list]
        is_harmless = all(
            _dotted(decorator).removeprefix("functools.") in _HARMLESS for decorator in decorators
        )
        return [] if not is_harmless or getattr(statement, "keywords", None) else [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        flat = [part for target in targets for part in getattr(target, "elts", [target])]
        names = [part.id for part in flat if isinstance(part, ast.Name)]
        return names if len(names) == len(flat) else []
    return []


def read_source(text: bytes) -> SourceFile:
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
    imports: list[Import] = []
    statements: dict[str, list[str]] = {LOOSE: []}
    uses: dict[str, _Uses] = {LOOSE: _Uses()}
    typed = _Uses()
    for number, statement in enumerate(tree.body):
        if isinstance(statement, ast.If) and _is_for_type_checkers(statement):
            for part in statement.body:
                typed.visit(part)
            tree.body[number + 1 : number + 1] = statement.orelse
            continue
        names = _defined(statement)
        for name in names or [LOOSE]:
            found = uses.setdefault(name, _Uses())
            found.visit(statement)
            found.is_class |= isinstance(statement, ast.ClassDef)
            if not isinstance(statement, ast.Import | ast.ImportFrom):
                statements.setdefault(name, []).append(ast.dump(statement, annotate_fields=False))
    loose = uses[LOOSE]
    imports, loose.imports = loose.imports, []
    bindings = [*imports, *typed.imports]
    symbols = {name: _symbol(statements[name], found, bindings, set(uses)) for name, found in uses.items()}
    return SourceFile(symbols, imports, typed.imports, sorted(loose.bound))


def _symbol(statements: list[str], uses: _Uses, imports: list[Import], defined: set[str]) -> Symbol:
    """Return the summary of one definition of a module with some imports and definitions."""
    known = defined | {item.alias for item in (*imports, *uses.imports)}
    names, calls = (
        sorted(name for name in found if name.partition(".")[0] in known)
        for found in (uses.names, uses.calls)
    )
    roots = {name.partition(".")[0] for name in names}
    used = sorted(map(repr, (item for item in imports if item.alias in roots)))
    digest = hashlib.sha256("\n".join([*statements, *used]).encode()).hexdigest()[:32] if statements else ""
    return Symbol(digest, names, calls, uses.imports, uses.is_class, uses.is_computed)


class CodeIndex:
    """Reads each source file once, and answers what an entry reaches.

    Args:
        memory: earlier readings by content hash, as `remembered` gave them; unusable ones are read again.
    """

    def __init__(self, memory: dict[str, Any] | None = None) -> None:
        memory = memory or {}
        is_ours = (memory.get("python"), memory.get("reader")) == (sys.version, _reader())
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
        return {"python": sys.version, "reader": _reader(), "sources": self._used}

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
                if module in sys.modules and self._stamps[path][1] / 1e9 > PROCESS_START:
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
        self._used[key] = _from_memory(self._memory.get(key)) or read_source(text)
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


@cache
def _reader() -> str:
    return sha256_file(Path(__file__))


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


def _from_memory(content: Any) -> SourceFile | None:
    try:
        symbols, imports, typed, bound = content
        return SourceFile(
            {
                name: Symbol(digest, names, calls, [Import(*item) for item in inside], *flags)
                for name, (digest, names, calls, inside, *flags) in symbols.items()
            },
            [Import(*item) for item in imports],
            [Import(*item) for item in typed],
            bound,
        )
    except (TypeError, ValueError, AttributeError):
        return None
