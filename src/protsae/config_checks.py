"""What configuration files may say beside parameters: names of files, globals, entries of the catalog."""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from protsae.core.config import unknown_key_message
from protsae.core.errors import InputError

KINDS = ("catalog", "parameters", "globals", "credentials", "logging")
"""What the name of a configuration file begins with."""
GLOBALS = ("data_root", "raw_root")
"""The keys of globals.yml; others are allowed where a configuration file uses them."""
MOVED = {"seed": "shared.seed", "hook_point": "extraction.hook_point"}
"""What was in globals.yml, to the parameter that took its place."""
_ABSENT: dict[str, dict[str, Any]] = {"filepath": {"filepath": None}, "files": {"files": {}}}
"""Key of an optional entry to what it says where nothing is given."""
_SUFFIXES = (".yml", ".yaml", ".json")


def check_environment(folder: Path) -> None:
    """Refuse an environment that is not there, and files in it that nothing would read.

    Raises:
        InputError: naming the nearest.
    """
    if not folder.is_dir():
        known = [f.name for f in sorted(folder.parent.glob("*")) if f.is_dir() and not f.name.startswith(".")]
        raise InputError(f"--env {folder.name}: {unknown_key_message(folder.name, known, 'environment')}")
    for path in sorted(folder.iterdir()):
        if path.suffix not in _SUFFIXES or path.name.startswith("."):
            continue
        if not path.name.startswith(KINDS) or (path.stem == "globals" and path.name != "globals.yml"):
            known = [f"{kind}.yml" for kind in KINDS]
            raise InputError(f"{path}: {unknown_key_message(path.name, known, 'configuration file')}")


def checked_globals(given: Mapping[str, Any], texts: Collection[str]) -> dict[str, Any]:
    """Return globals with `~` expanded.

    Args:
        given: of globals.yml.
        texts: the configuration files, in which a global of the user's own has to be used.

    Raises:
        InputError: an unknown key that no file uses, or a root that is no path.
    """
    if moved := [name for name in MOVED if name in given]:
        told = "; ".join(f"{name} is now the parameter {MOVED[name]}" for name in moved)
        raise InputError(f"globals.yml: {told}. Set it in conf/local/parameters.yml, and delete it here.")
    for key, value in given.items():
        is_used = any(re.search(rf"globals:\s*{re.escape(key)}\b", text) for text in texts)
        if key not in GLOBALS and not is_used:
            raise InputError(f"globals.yml: {key}: {unknown_key_message(key, GLOBALS)}")
        if key in GLOBALS and (not isinstance(value, str) or not value.strip()):
            raise InputError(f"globals.yml: {key} is {value!r}, expected the path of a folder")
    return {key: expanded(value) for key, value in given.items()}


def checked_catalog(
    entries: Mapping[str, Any], base: Mapping[str, Any], used: Collection[str]
) -> dict[str, Any]:
    """Return the entries of the catalog; what is null is absent, and `~` is expanded.

    An entry without `type` changes single keys of the base environment's.

    Args:
        entries: of all files, by name.
        base: those of the base environment.
        used: names of the datasets of all pipelines.

    Raises:
        InputError: an entry that no pipeline uses, or null for one that cannot be absent.
    """
    found = {}
    for name, entry in entries.items():
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(name))
        if not any(re.fullmatch(pattern, dataset) for dataset in used):
            near = get_close_matches(name, sorted(used), n=1)
            hint = (
                f"did you mean '{near[0]}'?" if near else "conf/base/catalog_*.yml have those that they use"
            )
            raise InputError(f"catalog: '{name}' is no entry that a pipeline uses; {hint}")
        found[name] = expanded(
            _absent(name, base.get(name)) if entry is None else _typed(entry, base.get(name))
        )
    return found


def _typed(entry: Any, base: Any) -> Any:
    """Return an entry; one that leaves its type out is the base environment's with some keys changed."""
    both = isinstance(entry, Mapping) and isinstance(base, Mapping)
    return {**base, **entry} if both and "type" not in entry else entry


def _absent(name: str, entry: Any) -> dict[str, Any]:
    """Return the entry of an input that is not given."""
    kind = str(entry.get("type", "")) if isinstance(entry, Mapping) else ""
    if not kind.endswith((".SourceFileDataset", ".SourceFilesDataset")):
        raise InputError(f"catalog: '{name}' is null, and cannot be left out. Give its type and filepath")
    return {**entry, **_ABSENT["files" if "files" in entry else "filepath"]}


def expanded(value: Any) -> Any:
    """Return configuration in which every text that begins with `~/` names the home folder instead."""
    if isinstance(value, Mapping):
        return {key: expanded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [expanded(inner) for inner in value]
    if isinstance(value, str) and (value == "~" or value.startswith("~/")):
        return Path(value).expanduser().as_posix()
    return value
