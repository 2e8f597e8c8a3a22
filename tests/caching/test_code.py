"""Which modules and files an entry reaches."""

import sys
from pathlib import Path

import pytest

from protsae.caching import code
from protsae.caching.code import CodeIndex, read_source

TREE = {
    "pack/__init__.py": "from . import unrelated\n",
    "pack/unrelated.py": "",
    "pack/notes.txt": "package data of the root",
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
    "pack/starred/one.py": "",
    "pack/starred/two/__init__.py": "",
    "pack/starred/templates/page.html": "<p>",
    "pack/other.py": "thing = 1\n",
    "pack/lazy/__init__.py": (
        "from importlib import import_module\ndef __getattr__(n): return import_module(f'{__name__}.{n}')\n"
    ),
    "pack/lazy/part.py": "",
    "pack/uses_lazy.py": "from pack.lazy import part_of_it\n",
    "pack/computed.py": "import importlib\nimportlib.import_module(input())\n",
    "pack/uses_computed.py": "import pack.computed\n",
    "pack/uses_registry.py": "from pack.lib.registry import ENTRIES\n",
    "lone.py": "import json, pandas as pd\n",
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_closure_follows_imports_at_any_depth(tree):
    closure = CodeIndex().closure(["pack.flow.nodes"])
    assert sorted(closure.modules) == [
        "pack", "pack.flow", "pack.flow.nodes", "pack.late", "pack.lib", "pack.lib.deep", "pack.lib.entries",
        "pack.lib.registry", "pack.named", "pack.other", "pack.real", "pack.starred", "pack.starred.one",
        "pack.starred.two",
    ]  # fmt: skip
    assert sorted(closure.data_files) == ["pack/notes.txt", "pack/starred/templates/page.html"]
    assert {"numpy", "typing", "importlib"} == closure.libraries
    assert closure.computed_imports == set()


def test_registry_that_a_package_fills_on_import_is_not_missed(tree):
    assert "pack.lib.entries" in CodeIndex().closure(["pack.uses_registry"]).modules


def test_nothing_is_imported(tree):
    CodeIndex().closure(["pack.flow.nodes"])
    assert not [name for name in sys.modules if name.partition(".")[0] == "pack"]


def test_lazy_package_reaches_its_own_modules(tree):
    assert {"pack.lazy", "pack.lazy.part"} <= CodeIndex().closure(["pack.uses_lazy"]).modules.keys()


def test_import_by_a_computed_name_is_told(tree):
    assert CodeIndex().closure(["pack.uses_computed"]).computed_imports == {"pack.computed"}


def test_entry_in_a_lone_file_has_no_package_data(tree):
    (tree / "beside.txt").write_text("not its data")
    closure = CodeIndex().closure(["lone"])
    assert closure.modules.keys() == {"lone"} and not closure.data_files and "pandas" in closure.libraries


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
def test_code_hash_sees_code_and_nothing_else(one, other, equal):
    assert (read_source(one.encode()).code == read_source(other.encode()).code) is equal


def test_process_start_is_before_now():
    import time

    assert 0 <= time.time() - code._process_start() < 3600 * 24
