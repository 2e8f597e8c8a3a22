"""Numbers and texts of documents against Python's own JSON."""

import json

import numpy as np
import pyarrow as pa
import pytest

from protsae.prediction.documents import _json


@pytest.mark.parametrize("digits", [4, 5])
@pytest.mark.parametrize("largest", [3.0, 1e3, 1e20])
def test_numbers_are_rounded_as_numpy_does(digits: int, largest: float) -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.random(2000) * largest, [0.0, 0.5 * 10**-digits, 1.5 * 10**-digits, 1.0]])
    found = [json.loads(text) for text in _json(pa.chunked_array([values]), digits).to_pylist()]
    assert found == np.round(values, digits).tolist()


def test_what_is_missing_or_not_finite_is_null() -> None:
    values = pa.chunked_array([pa.array([0.25, None, np.nan, np.inf, -2.0])])
    assert _json(values).to_pylist() == ["0.25", "null", "null", "null", "-2"]
    assert _json(pa.chunked_array([pa.array([True, None])])).to_pylist() == ["true", "null"]
    assert _json(pa.chunked_array([pa.array([3, None], pa.int32())])).to_pylist() == ["3", "null"]


def test_text_is_ascii_without_markup() -> None:
    texts = ['<b>&\u00e9"', None, '<b>&\u00e9"']
    for values in (pa.array(texts), pa.array(texts).dictionary_encode()):
        found = _json(pa.chunked_array([values])).to_pylist()
        assert [json.loads(text) for text in found] == texts
        assert all(text.isascii() and not set("<>&") & set(text) for text in found)
