"""Lines: compression by magic bytes, line ends, and files that are not what their name says."""

import bz2
import gzip
import lzma
from pathlib import Path

import pytest

from protsae.core import text as text_module
from protsae.core.errors import InputError
from protsae.core.text import numbered_lines

TEXT = b"one\ntwo\n\nfour"
EXPECTED = [(1, "one"), (2, "two"), (3, ""), (4, "four")]


def _write(folder: Path, data: bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_told_by_content_not_by_name(tmp_path: Path, compress) -> None:
    assert list(numbered_lines(_write(tmp_path, compress(TEXT), "misnamed.txt"))) == EXPECTED


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_and_a_byte_order_mark_give_the_same_lines(tmp_path: Path, end: bytes) -> None:
    path = _write(tmp_path, b"\xef\xbb\xbf" + TEXT.replace(b"\n", end))
    assert list(numbered_lines(path)) == EXPECTED


def test_unicode_line_separators_do_not_end_lines(tmp_path: Path) -> None:
    text = "a\u2028b\x0bc\x1cd\x85e"
    assert list(numbered_lines(_write(tmp_path, text.encode()))) == [(1, text)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n \n\t\n", "the file is empty"),
        (b"\xef\xbb\xbf", "the file is empty"),
        (gzip.compress(b""), "the file is empty"),
        (b"\n <!DOCTYPE html>\n", ":2: this is a web page"),
        (gzip.compress(b"<html>"), ":1: this is a web page"),
        (b"ab\ncd\n\xff\xfeef", ":3: byte 0xff is not UTF-8"),
        ("text".encode("utf-16"), "UTF-16. Save it as UTF-8"),
        (b"ab\n" + b"x" * 40, ":2: a line of over 32 bytes"),
    ],
)
def test_what_is_no_text_table_is_refused(tmp_path: Path, monkeypatch, data: bytes, message: str) -> None:
    monkeypatch.setattr(text_module, "MAX_LINE_BYTES", 32)
    path = _write(tmp_path, data)
    with pytest.raises(InputError, match=r"file\.txt") as error:
        list(numbered_lines(path))
    assert message in str(error.value)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("damage", ["half", "garbled"])
def test_a_damaged_archive_says_how_far_it_got(tmp_path: Path, compress, damage: str) -> None:
    whole = compress(b"".join(b"line %d\n" % (n * 7919 % 100003) for n in range(50_000)))
    middle = len(whole) // 2
    broken = whole[:middle] if damage == "half" else whole[:middle] + b"\xaa" * 64 + whole[middle + 64 :]
    with pytest.raises(InputError, match=r"ends early or is damaged after \d+ lines .*Download it again"):
        list(numbered_lines(_write(tmp_path, broken)))


def test_a_missing_file_and_a_folder_name_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.fasta: no such file"):
        list(numbered_lines(tmp_path / "absent.fasta"))
    with pytest.raises(InputError, match="this is a folder"):
        list(numbered_lines(tmp_path))
    with pytest.raises(InputError, match=r"file\.txt/inner: cannot be read"):
        list(numbered_lines(_write(tmp_path, TEXT) / "inner"))
