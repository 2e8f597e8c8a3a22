"""What a training's fingerprint is made of: tables by content, settings."""

import numpy as np
import pandas as pd

from protsae.training.fingerprints import settings_json, table_hash


def test_tables_count_by_names_values_and_order_whatever_holds_them():
    table = pd.DataFrame({"a": ["x", "y"], "b": [1, 2]})
    assert table_hash(table) == table_hash(table.astype({"a": "category"})) == table_hash(table.iloc[[0, 1]])
    others = [table.iloc[::-1], table.rename(columns={"a": "c"}), table.assign(b=[1, 3]), table.head(1)]
    assert len({table_hash(table), *map(table_hash, others)}) == 5
    assert table_hash(table.assign(b=[1.0, np.nan])) == table_hash(table.assign(b=[1.0, np.nan]))


def test_settings_do_not_depend_on_the_order_of_keys():
    assert settings_json({"a": 1, "b": {"d": 2, "c": 3}}) == settings_json({"b": {"c": 3, "d": 2}, "a": 1})
