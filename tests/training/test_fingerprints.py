"""What a training's fingerprint is made of: tables by content, code by what is reached and does something."""

import numpy as np
import pandas as pd
import pytest

from protsae.sae.registry import ARCHITECTURES
from protsae.training import fingerprints
from protsae.training.fingerprints import code_hash, imported_files, settings_json, table_hash


def names(module):
    return {path.relative_to(fingerprints._PACKAGE).as_posix() for path in imported_files(module)}


def test_an_architecture_counts_with_what_it_imports_and_not_its_rivals():
    topk, protsae = names("protsae.sae.topk"), names("protsae.sae.protsae")
    assert {"sae/topk.py", "sae/base.py", "sae/losses.py", "sae/config.py", "core/config.py"} <= topk
    assert {"sae/protsae.py", "sae/guidance.py", "sae/pooling.py", "sae/losses.py"} <= protsae
    assert not topk & {"sae/protsae.py", "sae/gated.py", "sae/guidance.py", "sae/registry.py"}
    assert not protsae & {"sae/gated.py", "sae/topk.py", "sae/registry.py"}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_reaches_its_base_classes(architecture):
    kind = ARCHITECTURES[architecture][0]
    own = {cls.__module__ for cls in kind.__mro__ if cls.__module__.startswith("protsae")}
    reached = {f"protsae.{name.removesuffix('.py').replace('/', '.')}" for name in names(kind.__module__)}
    assert own <= reached


@pytest.fixture
def package(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprints, "_PACKAGE", tmp_path / "pack")
    (tmp_path / "pack/sub").mkdir(parents=True)
    (tmp_path / "pack/a.py").write_text("def f():\n    import pack.b\n")
    (tmp_path / "pack/b.py").write_text("from pack.sub import c\n")
    (tmp_path / "pack/sub/__init__.py").write_text("")
    (tmp_path / "pack/sub/c.py").write_text("x = 1\n")
    (tmp_path / "pack/d.py").write_text("y = 1\n")

    def hashed(**edits):
        for name, text in edits.items():
            (tmp_path / f"pack/{name.replace('__', '/')}.py").write_text(text)
        code_hash.cache_clear()
        fingerprints._syntax.cache_clear()
        return code_hash(module="pack.a")

    yield hashed
    code_hash.cache_clear()
    fingerprints._syntax.cache_clear()


def test_code_counts_where_it_is_reached_and_does_something(package):
    before = package()
    assert package(d="y = 2\n") == before
    assert package(sub__c='"""Now with a docstring."""\n\nx = 1  # and a comment\n') == before
    changed = package(sub__c="x = 2\n")
    assert changed != before
    assert package(a="def f():\n    import pack.d\n") not in {before, changed}


def test_tables_count_by_names_values_and_order_whatever_holds_them():
    table = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})
    assert table_hash(table) == table_hash(table.astype({"a": "category"})) == table_hash(table.iloc[[0, 1]])
    others = [table.iloc[::-1], table.rename(columns={"a": "c"}), table.assign(b=[1, 3]), table.head(1)]
    assert len({table_hash(table), *map(table_hash, others)}) == 5
    assert table_hash(table.assign(b=[1.0, np.nan])) == table_hash(table.assign(b=[1.0, np.nan]))


def test_settings_do_not_depend_on_the_order_of_keys():
    assert settings_json({"a": 1, "b": {"d": 2, "c": 3}}) == settings_json({"b": {"c": 3, "d": 2}, "a": 1})
