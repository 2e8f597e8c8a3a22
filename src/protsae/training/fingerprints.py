"""Hashes of tables and settings, of which a training's fingerprint is made."""

import json
from typing import Any

import pandas as pd

from protsae.core.files import sha256_text


def table_hash(table: pd.DataFrame) -> str:
    """Return a hash of a table's columns and rows in their order, whatever types hold them."""
    plain = table.astype({name: "str" for name in table.columns if table[name].dtype.kind not in "biuf"})
    hashed = pd.util.hash_pandas_object(plain, index=False, categorize=False).to_numpy()
    return sha256_text(*map(str, table.columns), hashed.tobytes().hex())


def settings_json(settings: Any) -> str:
    """Return settings (plain values, and models of pydantic) as JSON with sorted keys."""
    return json.dumps(settings, sort_keys=True, default=lambda value: value.model_dump(mode="json"))
