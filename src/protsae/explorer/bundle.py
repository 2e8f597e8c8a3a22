"""The page: its modules joined into one inline script, its styles, and the policy that allows only these.

Modules are plain ES2022: `import {a, b} from "./other.js";` at the top, `export` before declarations, no
default exports, no renaming. Joined, they share one scope, so that a name may be declared once.
"""

import html
import re
from collections.abc import Mapping
from pathlib import Path

from protsae.core.errors import InputError
from protsae.explorer.site import FOLDER
from protsae.reporting.policy import content_policy
from protsae.reporting.templates import FOLDER as REPORT_TEMPLATES

VENDOR = "vendor"
"""Folder of scripts of others, which the page loads where it needs them."""
_IMPORT = re.compile(r'^import\s*\{([^}]*)\}\s*from\s*"\./([\w.-]+\.js)";?[ \t]*\n', re.MULTILINE)
_OTHER_IMPORT = re.compile(r"^\s*(import\b|export\s*(default|\{|\*))", re.MULTILINE)
_EXPORT = re.compile(r"^export[ \t]+(?=(async\s+function|function|const|let|class)\b)", re.MULTILINE)
_DECLARED = re.compile(r"^(?:async\s+)?(?:function\*?|const|let|class)\s+([\w$]+)", re.MULTILINE)
_COMMENT = re.compile(r"^[ \t]*(?://[^\n]*|/\*\*.*?\*/)[ \t]*\n", re.MULTILINE | re.DOTALL)
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_MARKER = re.compile(r"\{\{(\w+)\}\}")


def bundle(sources: Mapping[str, str], entry: str = "main.js") -> str:
    """Join modules into one script: every module after those that it imports, the entry last.

    Comments on lines of their own and indentation are left out, a tenth of the page.

    Args:
        sources: file name to its text.
        entry: the module that the page starts with.

    Raises:
        InputError: an import that is not of the form above, of a module or a name that is not there, or in a
            cycle; two modules declare one name; or a text goes over the end of a line, which would lose its
            indentation with the code's.
    """
    order: list[str] = []
    _visit(entry, sources, order, ())
    owner: dict[str, str] = {}
    parts = []
    for name in order:
        body = _EXPORT.sub("", _IMPORT.sub("", sources[name]))
        if other := _OTHER_IMPORT.search(body):
            line = body[other.start() :].strip().splitlines()[0]
            raise InputError(f"{name}: {line!r} is no import or export that the bundler knows; see bundle.py")
        for declared in _DECLARED.findall(body):
            if owner.setdefault(declared, name) != name:
                raise InputError(f"{name} declares {declared}, as {owner[declared]} does: rename one")
        if broken := next((line for line in body.splitlines() if line.count("`") % 2), None):
            raise InputError(f"{name}: {broken.strip()!r} begins or ends a text of several lines")
        parts.append(_INDENT.sub("", _COMMENT.sub("", body)).strip() + "\n")
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _visit(name: str, sources: Mapping[str, str], order: list[str], above: tuple[str, ...]) -> None:
    if name in order:
        return
    if name in above:
        raise InputError(f"modules import each other: {' -> '.join((*above, name))}")
    if name not in sources:
        raise InputError(f"{above[-1] if above else 'the page'} needs {name}, which is not there")
    for names, module in _IMPORT.findall(sources[name]):
        _visit(module, sources, order, (*above, name))
        exported = set(_DECLARED.findall("\n".join(_exports(sources[module]))))
        for wanted in filter(None, (item.strip() for item in names.split(","))):
            if wanted not in exported:
                raise InputError(f"{name} imports {wanted}, which {module} does not export")
    order.append(name)


def _exports(source: str) -> list[str]:
    return [line.removeprefix("export ").strip() for line in source.splitlines() if line.startswith("export")]


def render_index(run: str, title: str, site: Path = FOLDER) -> str:
    """Return `index.html`.

    Args:
        run: id of the run: the page reads no data of another one.
        title: of the page, text of the user's.
        site: folder of the page's source.

    Raises:
        InputError: see `bundle`; or a marker of the template is missing or unknown.
    """
    sources = {path.name: path.read_text(encoding="utf-8") for path in sorted(site.glob("*.js"))}
    script = bundle(sources)
    own_style = (site / "explorer.css").read_text(encoding="utf-8")
    style = (REPORT_TEMPLATES / "report.css").read_text(encoding="utf-8") + own_style
    values = {
        "run": html.escape(run),
        "title": html.escape(title),
        "policy": content_policy([script], [style], loads=True),
        "style": style,
        "script": script,
    }
    template = (site / "index.html").read_text(encoding="utf-8")
    if sorted(_MARKER.findall(template)) != sorted(values):
        raise InputError(f"{site / 'index.html'} needs each of {', '.join(sorted(values))} once, in {{{{}}}}")
    return _MARKER.sub(lambda marker: values[marker[1]], template)
