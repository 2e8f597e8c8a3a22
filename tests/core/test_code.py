"""Which modules and files an entry reaches."""

import importlib
import os
import sys
import time
from pathlib import Path

import pytest

from protsae.core import code
from protsae.core.code import CodeIndex
from protsae.core.source import read_source

TREE = {
    "pack/__init__.py": "from . import unrelated\n",
    "pack/unrelated.py": "",
    "pack/notes.txt": "package data of the root",
    "pack/__init__.pyi": "from pack.unrelated import nothing as nothing",  # types run nothing
    "pack/flow/__init__.py": "from .pipeline import create\n",
    "pack/flow/pipeline.py": "from .nodes import work\ndef create(): pass\n",
    "pack/flow/nodes.py": "import numpy\nfrom pack.lib import deep, init_name\nfrom ..other import thing\n",
    "pack/lib/__init__.py": "from .registry import ENTRIES\nfrom . import entries\ninit_name = 1\n",
    "pack/lib/registry.py": "ENTRIES = {}\n",
    "pack/lib/entries.py": "from .registry import ENTRIES\nENTRIES['a'] = 1\n",
    "pack/lib/deep.py": "def f():\n    def g():\n        import pack.late\n    return g\n",
    "pack/lib/.hidden": "no data",
    "pack/late.py": (
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import pack.only_types\nelse:\n    import pack.real\n"
    ),
    "pack/only_types.py": "",
    "pack/real.py": "from importlib import import_module\nimport_module('pack.named')\n",
    "pack/named.py": "from pack.starred import *\n",
    "pack/starred/__init__.py": "",
    "pack/starred/one.py": "x = 1\n",
    "pack/starred/two/__init__.py": "",
    "pack/starred/templates/page.html": "<p>",
    "pack/other.py": "thing = 1\n",
    "pack/lazy/__init__.py": (
        "from importlib import import_module\ndef __getattr__(n): return import_module(f'{__name__}.{n}')\n"
    ),
    "pack/lazy/part.py": "part_of_it = 1\n",
    "pack/uses_lazy.py": "from pack.lazy import part_of_it\n",
    "pack/computed.py": "import importlib\nimportlib.import_module(input())\n",
    "pack/uses_computed.py": "import pack.computed\n",
    "pack/uses_registry.py": "from pack.lib.registry import ENTRIES\n",
    "lone.py": "import json, pandas as pd\nx = 1\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_whole_module_reaches_what_it_imports_at_any_depth(tree):
    closure = CodeIndex().closure(["pack.flow.nodes"])
    assert sorted(closure.code) == [
        "pack.lib.deep:f", "pack.lib.entries", "pack.lib.registry:ENTRIES", "pack.lib:init_name",
        "pack.other:thing", "pack.real", "pack.starred.one:x",
    ]  # fmt: skip
    assert sorted(closure.data_files) == ["pack/notes.txt", "pack/starred/templates/page.html"]
    assert {"numpy", "typing", "importlib"} == closure.libraries
    assert closure.computed == set()


def test_registry_that_a_package_fills_on_import_is_not_missed(tree):
    assert "pack.lib.entries" in CodeIndex().closure(["pack.uses_registry"]).modules


def test_nothing_is_imported(tree):
    CodeIndex().closure(["pack.flow.nodes"])
    assert not [name for name in sys.modules if name.partition(".")[0] == "pack"]


def test_lazy_package_reaches_its_own_modules(tree):
    assert {"pack.lazy", "pack.lazy.part"} <= CodeIndex().closure(["pack.uses_lazy"]).modules


def test_import_by_a_computed_name_is_reported(tree):
    assert CodeIndex().closure(["pack.uses_computed"]).computed == {"pack.computed"}


def test_entry_in_a_lone_file_has_no_package_data(tree):
    (tree / "beside.txt").write_text("not its data")
    closure = CodeIndex().closure(["lone"])
    assert closure.modules == {"lone"} and not closure.data_files and "pandas" in closure.libraries


def test_missing_entry_is_refused(tree):
    with pytest.raises(ModuleNotFoundError, match=r"pack\.nowhere"):
        CodeIndex().closure(["pack.nowhere"])


def test_memory_gives_the_same_answer_without_parsing(tree, monkeypatch):
    first = CodeIndex()
    expected = first.closure(["pack.flow.nodes"])
    monkeypatch.setattr(code, "read_source", None)
    assert CodeIndex(first.remembered()).closure(["pack.flow.nodes"]) == expected
    with pytest.raises(TypeError):
        CodeIndex({**first.remembered(), "python": "another"}).closure(["pack.flow.nodes"])


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("def f():\n    'doc'\n    return 1\n", "def f():\n    return 1  # one\n", True),
        ("class A:\n    x: int = 1\n    '''Field.'''\n", "class A:\n    x: int = 1\n", True),
        ("x = 1\n", "\n\nx = (1)\n", True),
        ("x = 1\n", "x = 1.0\n", False),
        ("x = 'text'\n", "x = 'other'\n", False),
        ("def f(a, b=1): ...\n", "def f(a, b=2): ...\n", False),
        ("@g\ndef f(): ...\n", "def f(): ...\n", False),
        ("x: int = 1\n", "x: float = 1\n", False),
    ],
)
def test_digests_see_code_and_nothing_else(one, other, equal):
    assert (_digests(one) == _digests(other)) is equal


def _digests(text: str) -> dict[str, str]:
    return {name: symbol.digest for name, symbol in read_source(text.encode()).symbols.items()}


# One module, and which of its symbols count for whom.
CASES = {
    "another function of the module does not count": ("def f(): pass\ndef g(): pass\n", {"f"}),
    "a function that it calls": ("def f(): g()\ndef g(): pass\n", {"f", "g"}),
    "a constant": ("def f(): return A\nA = B\nB = 1\nC = 2\n", {"f", "A", "B"}),
    "a default, a decorator of the library and an annotation": (
        "from functools import cache\n@cache\ndef f(x: A, y: 'B' = C) -> D: pass\n"
        "class A: pass\nclass B: pass\nC = 1\nclass D: pass\nclass E: pass\n",
        {"f", "A", "B", "C", "D"},
    ),
    "base classes and the classes of fields": (
        "class f(Base):\n    x: Field\nclass Base: pass\nclass Field: pass\nclass Other(f): pass\n",
        {"f", "Base", "Field"},
    ),
    "a nested function": ("def f():\n    def h(): return g()\n    return h\ndef g(): pass\n", {"f", "g"}),
    "all definitions of a name": ("def f(): pass\nf = g(f)\ndef g(x): return x\n", {"f", "g"}),
    "statements that define nothing": ("TABLE = {}\ndef f(): pass\nTABLE['f'] = f\n", {"f", "", "TABLE"}),
    "a loop": ("TABLE = {}\ndef f(): pass\nfor i in range(3): TABLE[i] = i\n", {"f", "", "TABLE"}),
    "what a decorator of the project registers": (
        "def register(x): return x\ndef f(): pass\n@register\ndef g(): return h()\ndef h(): pass\n",
        {"f", "", "register", "h"},
    ),
    "what a decorator that is not known registers": (
        "import lib\ndef f(): pass\n@lib.register\ndef g(): return h()\ndef h(): pass\n",
        {"f", "", "h"},
    ),
    "an assignment that calls the project": (
        "def f(): pass\ndef register(x): pass\nA = register(1)\nB = len('a')\n",
        {"f", "register", "A"},
    ),
    "a class body that calls the project": (
        "def f(): pass\ndef register(): pass\nclass A:\n    x = register()\n",
        {"f", "register", "A"},
    ),
    "a metaclass": ("def f(): pass\nclass A(metaclass=M): pass\nclass M(type): pass\n", {"f", "", "M"}),
    "what is defined in a branch": ("def f(): return g()\nif True:\n    def g(): pass\n", {"f", ""}),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_symbols_of_one_module_that_a_function_reaches(tmp_path, monkeypatch, text, expected):
    (tmp_path / "one.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = CodeIndex().closure(["one:f"]).code
    assert {name.partition(":")[2] for name in found} == expected


# Of a package: what `main.f` reaches.
PACKAGE = {
    "re-export": ("from big import g\ndef f(): g()\n", {"big.part:g"}),
    "re-export under another name": ("from big import renamed\ndef f(): renamed()\n", {"big.part:h"}),
    "attributes of a module": ("import big.part\ndef f(): big.part.g()\n", {"big.part:g"}),
    "attributes of a renamed module": ("import big.part as p\ndef f(): p.h()\n", {"big.part:h"}),
    "import inside the function": ("def f():\n    from big.part import g as x\n    x()\n", {"big.part:g"}),
    "a module as a value counts whole": (
        "from big import part\ndef f(name): getattr(part, name)()\n",
        {"big.part:g", "big.part:h"},
    ),
    "import *": ("from big.part import *\ndef f(): g()\n", {"big.part:g", "big.part:h"}),
    "a name that is nowhere counts for all": (
        "from big.part import made_elsewhere\ndef f(): made_elsewhere()\n",
        {"big.part:g", "big.part:h"},
    ),
    "under TYPE_CHECKING as an annotation": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from big.part import g\n"
        "def f(x: 'g'): pass\n",
        {"big.part:g"},
    ),
    "imported and not used": ("from big.part import g\ndef f(): pass\n", set()),
    "a registry that an import fills": ("import big.filler\ndef f(): pass\n", {"big.filler", "big.part:g"}),
}


@pytest.mark.parametrize(("text", "expected"), PACKAGE.values(), ids=PACKAGE)
def test_symbols_of_other_modules_that_a_function_reaches(tmp_path, monkeypatch, text, expected):
    (tmp_path / "big").mkdir()
    for name, content in {
        "__init__": "from big.part import g, h as renamed\n",
        "part": "def g(): pass\ndef h(): pass\n",
        "filler": "from big.part import g\nprint(g)\n",
        "main": text,
    }.items():
        (tmp_path / f"big/{name}.py").write_text(content)
    monkeypatch.syspath_prepend(tmp_path)
    assert CodeIndex().closure(["big.main:f"]).code.keys() - {"big.main:f", "big.main"} == expected


def test_only_imports_of_used_libraries_count():
    one = _digests("import a as x\nimport b\ndef f(): x.g()\n")
    assert one["f"] != _digests("import c as x\nimport b\ndef f(): x.g()\n")["f"]
    assert one["f"] == _digests("import a as x\ndef f(): x.g()\n")["f"]


@pytest.mark.parametrize(
    "body", ["Base.__subclasses__()", "globals()['x']", "eval('x')", "sys.modules['x']", "__import__(x)"]
)
def test_code_that_reading_cannot_follow_is_reported(tmp_path, monkeypatch, body):
    (tmp_path / "one.py").write_text(f"import sys\ndef f(x): return {body}\ndef g(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert CodeIndex().closure(["one:f"]).computed == {"one:f"}
    assert CodeIndex().closure(["one:g"]).computed == set()


def test_what_is_left_out_counts_for_nothing(tmp_path, monkeypatch):
    (tmp_path / "one.py").write_text("def f(): TABLE\nTABLE = {1: g}\ndef g(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert CodeIndex().closure(["one:f"], without=["one:TABLE"]).code.keys() == {"one:f"}


def test_process_start_is_before_now():
    import time

    assert 0 <= time.time() - code._process_start() < 3600 * 24


@pytest.fixture
def stored_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return what another process, started at some time, says of the code of `late.f`."""
    (tmp_path / "late.py").write_text("def f(): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("late").f

    def hashed(started: float) -> str:
        monkeypatch.setattr(code, "PROCESS_START", started)
        for cached in (code.code_hash, code._of_process):
            cached.cache_clear()
        return code.code_hash(function)

    yield hashed
    del sys.modules["late"]
    for cached in (code.code_hash, code._of_process):
        cached.cache_clear()


def test_stored_hash_is_the_same_in_every_process_that_runs_the_text(stored_hash, tmp_path):
    after = (tmp_path / "late.py").stat().st_mtime + 1
    assert stored_hash(after) == stored_hash(after + 1)
    before = stored_hash(after)
    (tmp_path / "late.py").write_text("def f(): return 1\n")
    assert stored_hash(after + 10) != before


def test_hash_of_code_edited_after_import_is_valid_in_one_process(stored_hash, tmp_path):
    written = (tmp_path / "late.py").stat().st_mtime
    assert len({stored_hash(written + 1), stored_hash(written - 1), stored_hash(written - 2)}) == 3


def test_a_file_dated_in_the_future_was_not_edited(stored_hash, tmp_path):
    later = time.time() + 3600
    os.utime(tmp_path / "late.py", (later, later))
    assert len({stored_hash(time.time() - seconds) for seconds in (0, 10, 20)}) == 1


def test_memory_of_another_reader_is_not_used(tree, monkeypatch):
    first = CodeIndex()
    first.closure(["pack.flow.nodes"])
    memory = first.remembered()
    monkeypatch.setattr(code, "read_source", None)
    with pytest.raises(TypeError):
        CodeIndex({**memory, "reader": "another"}).closure(["pack.flow.nodes"])
