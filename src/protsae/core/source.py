"""What one source file defines, names and imports, read from its text.

The unit is a module's top-level symbol, see `core.code`.
"""

import ast
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from protsae.core.files import sha256_file

LOOSE, WHOLE = "", "*"
"""Stand where the name of a symbol stands: what importing a module executes; all of it."""
_HARMLESS = {
    *("dataclass", "cache", "lru_cache", "contextmanager", "runtime_checkable", "overload", "wraps"),
    *("property", "classmethod", "staticmethod", "abstractmethod", "cached_property", "field_validator"),
    *("model_validator", "torch.no_grad", "torch.inference_mode"),
}
"""Decorators that change what they decorate and nothing else."""
_COMPUTED = ("__subclasses__", "__init_subclass__")
_COMPUTED_NAMES = ("globals", "eval", "exec")
"""What code uses to reach other code that its text does not name."""


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


def source_from_memory(content: Any) -> SourceFile | None:
    """Return what was written as JSON; None if it is damaged."""
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


@cache
def reader_version() -> str:
    """Return a hash of this file: what another version of it read is read again."""
    return sha256_file(Path(__file__))
