"""Tables as text with a head."""

import json

import numpy as np
import pandas as pd
import pytest

from protsae.core.described_tsv import described_tsv, read_described_tsv
from protsae.core.errors import InputError

TABLE = pd.DataFrame(
    {
        "latent": [0, 1, 2],
        "score": [0.12345678, np.nan, 1e-9],
        "name": ["kinase\tactivity", "", 'the "x" # of y'],
        "good": [True, False, True],
        "values": [np.array([1.5, np.nan], np.float32), [], None],
        "logo": [[np.array([0.25, 1]), np.array([2, 3.0])], None, None],
    }
)
ABOUT = {"table": "cards", "hook point": "layers.2.resid_post", "note": "two: colons: here\nand a line break"}


def test_text_is_what_the_format_says():
    lines = described_tsv(TABLE, ABOUT).splitlines()
    assert lines == [
        "# table: cards",
        "# hook point: layers.2.resid_post",
        "# note: two: colons: here and a line break",
        "latent\tscore\tname\tgood\tvalues\tlogo",
        "0\t0.123457\tkinase activity\ttrue\t[1.5,null]\t[[0.25,1],[2,3]]",
        "1\t\t\tfalse\t[]\t",
        '2\t1e-09\tthe "x" # of y\ttrue\t\t',
    ]
    assert json.loads(lines[4].split("\t")[4]) == [1.5, None]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "cards.tsv"
    path.write_text(described_tsv(TABLE, ABOUT))
    table, about = read_described_tsv(path)
    assert about["hook point"] == "layers.2.resid_post" and about["note"].startswith("two: colons: here")
    assert list(table) == list(TABLE) and table["latent"].tolist() == [0, 1, 2]
    assert table["score"].round(6).fillna(-1).tolist() == [0.123457, -1, 0]
    assert table["logo"][0] == [[0.25, 1], [2, 3]] and table["logo"][1] is None
    assert table["name"][2] == 'the "x" # of y'


def test_table_of_no_rows_keeps_its_columns(tmp_path):
    path = tmp_path / "cards.tsv"
    path.write_text(described_tsv(TABLE.iloc[:0], ABOUT))
    table, _ = read_described_tsv(path)
    assert table.empty and list(table) == list(TABLE)


@pytest.mark.parametrize(
    "text", ["# table: cards\n", "a\tb\n1\t2\n1\t2\t3\n"], ids=["no columns", "long row"]
)
def test_file_that_is_no_such_table_is_named(tmp_path, text):
    path = tmp_path / "cards.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"cards\.tsv: no table"):
        read_described_tsv(path)
