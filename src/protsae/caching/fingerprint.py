"""What a node's result depends on, as named parts, so that a difference can be described in words."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from typing import Any

from kedro.pipeline.node import Node

from protsae.caching.canonical import NotCanonicalError, canonical, flatten, to_text
from protsae.caching.kedro_internals import (
    Catalog,
    classes,
    declared,
    in_memory,
    inner,
    is_absent,
    is_versioned,
    local_path,
    settings,
)
from protsae.core.code import Closure, CodeIndex, entry

Parts = dict[str, dict[str, Any]]

ALWAYS_COUNTED = ("torch", "numpy", "pyarrow", "kedro")
"""Distributions whose versions count for every node; others count where the node's code imports them."""
_DISTRIBUTIONS = {
    "sklearn": "scikit-learn",
    "esm": "fair-esm",
    "Bio": "biopython",
    "kedro_datasets": "kedro-datasets",
}
"""Import name to distribution, where they differ."""
_UNCOUNTED_SETTINGS = {
    "filepath",
    "path",
    "metadata",
    "credentials",
    "version",
    "versioned",
    "fs_args",
    "ray",
    "workers",
    "processes",
}
"""Catalog settings that say where bytes lie, who makes them or how they are shown, not what they are."""


@dataclass(frozen=True)
class Fingerprint:
    """Everything about a node that is known before the first node runs: all but its inputs' contents."""

    parts: Parts
    refusal: str | None
    """Why the node can never be skipped; None if it can."""
    closure: Closure


def is_parameter(name: str) -> bool:
    """Return whether a node input is a parameter rather than data."""
    return name == "parameters" or name.startswith("params:")


def fingerprint(node: Node, catalog: Catalog, code: CodeIndex) -> Fingerprint:
    """Return the fingerprint of a node, but for the contents of its inputs."""
    refusals = list(_refusals(node, catalog))
    function, bound = _unwrap(node.func)
    name = f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', '?')}"
    parts: Parts = {
        "wiring": {**declared(node), "function": name},
        "parameters": {},
        "catalog": {},
    }
    closure = Closure()
    try:
        parts["wiring"]["bound arguments"] = canonical(bound)
        parts["parameters"] = _parameters(node, catalog)
        parts["catalog"] = _settings(node, catalog)
        closure = code.closure([entry(function), *_dataset_entries(node, catalog, function.__module__)])
    except NotCanonicalError as error:
        refusals.append(f"it holds a {error}, which cannot be compared")
    except (ModuleNotFoundError, AttributeError, SyntaxError) as error:
        refusals.append(f"its code cannot be read ({error})")
    refusals += [f"{name} reaches code by a computed name" for name in sorted(closure.computed)]
    refusals += [
        f"{module} was edited after this process imported it"
        for module in sorted(closure.edited_since_import)
    ]
    parts["code"] = dict(closure.code)
    parts["package_data"] = dict(closure.data_files)
    of_datasets = {kind.__module__.partition(".")[0] for kind in _dataset_classes(node, catalog)}
    parts["versions"] = _versions(closure.libraries | of_datasets)
    return Fingerprint(parts, refusals[0] if refusals else None, closure)


def _refusals(node: Node, catalog: Catalog) -> Iterable[str]:
    function, _ = _unwrap(node.func)
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if getattr(module, getattr(function, "__name__", ""), None) is not function:
        # Lambdas, closures, bound methods, callable objects: the source does not say what they hold.
        yield "its function is not a top-level function of a module"
    if not node.outputs:
        yield "it has no outputs"
    if node.confirms:
        yield "it confirms an incremental dataset"
    for name in node.outputs:
        if is_versioned(catalog.get(name)):
            yield f"output {name} is versioned: each run makes one more version"
    for name in dict.fromkeys([*node.inputs, *node.outputs]):
        dataset = catalog.get(name)
        if not (is_parameter(name) or in_memory(dataset) or can_be_compared(dataset)):
            yield f"{name} has no local path and no fingerprint()"


def can_be_compared(dataset: Any) -> bool:
    """Return whether a dataset's content can be hashed, or is known to be left out."""
    return hasattr(inner(dataset), "fingerprint") or local_path(dataset) is not None or is_absent(dataset)


def _unwrap(function: Any) -> tuple[Any, list[Any]]:
    """Return the function below `functools.partial`, and the arguments that were bound."""
    bound: list[Any] = []
    while isinstance(function, partial):
        bound.append([function.args, function.keywords])
        function = function.func
    return function, bound


def _parameters(node: Node, catalog: Catalog) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for name in sorted(filter(is_parameter, node.inputs)):
        value = canonical(catalog.get(name).load())  # type: ignore[union-attr]
        leaves.update(flatten(name.partition(":")[2], value))
    return leaves


def _settings(node: Node, catalog: Catalog) -> dict[str, Any]:
    """Return how the catalog loads the node's inputs and saves its outputs."""
    leaves: dict[str, Any] = {}
    for names, irrelevant in ((node.inputs, "save_args"), (node.outputs, "load_args")):
        for name in names:
            dataset = catalog.get(name)
            if is_parameter(name) or in_memory(dataset):
                continue
            left_out = {*_UNCOUNTED_SETTINGS, irrelevant}
            entry_of = settings(dataset)
            counted = {
                key: value for key, value in entry_of.items() if key not in left_out and value is not None
            }
            leaves.update(flatten(name, canonical(counted)))
    return leaves


def _dataset_classes(node: Node, catalog: Catalog) -> set[type]:
    names = [name for name in (*node.inputs, *node.outputs) if not is_parameter(name)]
    return {kind for name in names for kind in classes(catalog.get(name))}


def _dataset_entries(node: Node, catalog: Catalog, module: str) -> list[str]:
    """Return the dataset classes that are the project's own."""
    package = module.partition(".")[0]
    kinds = _dataset_classes(node, catalog)
    return sorted(entry(kind) for kind in kinds if kind.__module__.partition(".")[0] == package)


def _versions(libraries: Iterable[str]) -> dict[str, str]:
    names = {_DISTRIBUTIONS.get(name, name) for name in libraries if name not in sys.stdlib_module_names}
    found = versions_of(sorted({*names, *ALWAYS_COUNTED}))
    known = {name: version for name, version in found.items() if version is not None}
    return {**known, "python": f"{sys.version_info.major}.{sys.version_info.minor}"}


def versions_of(distributions: Iterable[str]) -> dict[str, str | None]:
    """Return the versions of some distributions, None where one is not installed."""
    return {name: _version(name) for name in distributions}


@cache
def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def differences(old: Parts, new: Parts) -> list[str]:
    """Return in words what differs between the parts on record and the parts now."""
    words: list[str] = []
    for part, describe in _DESCRIPTIONS.items():
        before, after = old.get(part, {}), new.get(part, {})
        for key in sorted({*before, *after}):
            was = to_text(before[key]) if key in before else None
            now = to_text(after[key]) if key in after else None
            if was != now:
                words.append(describe(key, was, now))
    return words


def _verb(was: str | None, now: str | None) -> str:
    return "new" if was is None else "gone" if now is None else "changed"


def _values(was: str | None, now: str | None) -> str:
    return f"{was or 'absent'} -> {now or 'absent'}"


_DESCRIPTIONS: dict[str, Callable[[str, str | None, str | None], str]] = {
    "parameters": lambda name, was, now: f"parameter {name} {_values(was, now)}",
    "code": lambda name, was, now: f"code {_verb(was, now)}: {name}",
    "package_data": lambda file, was, now: f"package file {_verb(was, now)}: {file}",
    "wiring": lambda item, was, now: f"node declaration changed: {item}",
    "catalog": lambda name, was, now: f"catalog entry {name} {_values(was, now)}",
    "versions": lambda library, was, now: f"{library} {_values(was, now)}".replace('"', ""),
    "inputs": lambda name, was, now: f"input {name} {'missing' if now == 'null' else 'changed'}",
}
"""How each part is described: the key that differs, its value on record and its value now, as JSON."""
