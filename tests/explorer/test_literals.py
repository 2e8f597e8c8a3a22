"""Literals: one function escapes, and numbers are the shortest that round right."""

import json

import numpy as np
import pytest

from protsae.explorer.literals import coded, data_file, decimals, literal, rounded, table


@pytest.mark.parametrize("text", ["</script>", "<!--", "a & b", "\u2028\u2029", '"\\', "é 😀", "\x00\x1f"])
def test_literal_has_no_markup_and_reads_back(text):
    value = {text: [text, {"deeper": text}]}
    written = literal(value)
    assert not set("<>&\u2028\u2029") & set(written)
    assert json.loads(written) == value


def test_data_file_is_one_call():
    assert data_file("ab", "index", literal([1])) == 'protsaeData("ab","index",[1]);\n'


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_literal_refuses_numbers_that_json_has_not(value):
    with pytest.raises(ValueError, match="JSON"):
        literal([value])


@pytest.mark.parametrize("digits", [1, 3, 6])
def test_rounded_numbers_equal_those_of_python_formatting(digits):
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000) * 10.0 ** rng.integers(-12, 12, 2000)
    values[:3] = 0, 999.96, -0.00099996
    assert rounded(values, digits) == [float(f"{value:.{digits}g}") for value in values]
    longest = max(len(json.dumps(value)) for value in rounded(values, digits))
    assert longest <= digits + len("-0.e-00") + 11  # no 0.30000000000000004


def test_what_is_not_finite_is_null():
    assert rounded([1.2345, np.nan, -np.inf]) == [1.23, None, None]
    assert decimals([0.12345, np.nan]) == [0.123, None]


def test_coded_texts_read_back():
    found = coded(["b", "a", "b", None])
    assert [found["values"][code] for code in found["codes"]] == ["b", "a", "b", ""]
    assert found["values"] == ["b", "a", ""]


def test_table_refuses_columns_of_different_lengths():
    with pytest.raises(ValueError, match="rows"):
        table({"a": [1], "b": [1, 2]})
