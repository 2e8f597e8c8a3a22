"""Lines: compression by magic bytes, line ends, and files that are not what their name says."""

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pytest

from protsae.core import text as text_module
from protsae.core.errors import InputError
from protsae.core.text import first_lines, numbered_lines

TEXT = b"one\ntwo\n\nfour"
EXPECTED = [(1, "one"), (2, "two"), (3, ""), (4, "four")]


def _write(folder: Path, data: bytes, name: str = "file.txt") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_compression_is_detected_by_content_not_by_name(tmp_path: Path, compress) -> None:
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
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"\n <!DOCTYPE html>\n", ":2: this is a web page"),
        (gzip.compress(b"<html>", mtime=0), ":1: this is a web page"),
        (b"ab\ncd\n\xff\xfeef", ":3: byte 0xff is not UTF-8"),
        (b"ab\r\ncd\r\n\ref\0g", ":4: byte 0x00 is no text"),
        ("a\nb".encode("utf-16-le"), ":1: byte 0x00 is no text. Save the file as UTF-8"),
        ("text".encode("utf-16"), "UTF-16. Save it as UTF-8"),
        (b"PK\x03\x04....", ": this is a zip archive. Unpack it"),
        (b"\x28\xb5\x2f\xfd....", ": this is a zstd archive. Unpack it"),
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


@pytest.mark.parametrize("member", ["xl/workbook.xml", "content.xml"])
def test_spreadsheets_are_told_from_other_archives(tmp_path: Path, member: str) -> None:
    path = tmp_path / "table.tsv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr(member, "<x/>")
    with pytest.raises(InputError, match=r"table\.tsv: this is an Excel file .*Save it as text"):
        list(numbered_lines(path))
    path.write_bytes(path.read_bytes()[:-40])  # a download that broke off
    with pytest.raises(InputError, match=r"table\.tsv: this is an Excel file .*Save it as text"):
        list(numbered_lines(path))
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    with pytest.raises(InputError, match="this is an Excel file"):
        list(numbered_lines(path))


def test_a_missing_file_and_a_folder_name_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.fasta: no such file"):
        list(numbered_lines(tmp_path / "absent.fasta"))
    with pytest.raises(InputError, match="this is a folder"):
        list(numbered_lines(tmp_path))
    with pytest.raises(InputError, match=r"file\.txt/inner: cannot be read"):
        list(numbered_lines(_write(tmp_path, TEXT) / "inner"))


def bomb(compress, n_bytes: int, unit: bytes) -> bytes:
    """Return an archive of many members that becomes `n_bytes`."""
    member = unit * ((1 << 20) // len(unit))
    return compress(member) * (n_bytes // len(member))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_of_10_gigabytes_is_stopped_early(tmp_path: Path, compress) -> None:
    path = _write(tmp_path, bomb(compress, 10 << 30, b"A" * 63 + b"\n"))
    n_read = 0
    with pytest.raises(InputError, match=r"file\.txt: \d+ compressed bytes became \d+, over 200") as error:
        for _, line in numbered_lines(path):
            n_read += len(line) + 1
    assert n_read < 100 << 20
    assert "decompress it and give the plain file" in str(error.value)


def test_an_endless_line_is_stopped_by_its_length(tmp_path: Path) -> None:
    path = _write(tmp_path, bomb(gzip.compress, 10 << 30, b"A"))
    with pytest.raises(InputError, match=r"file\.txt:1: a line of over 16777216 bytes"):
        list(numbered_lines(path))


def test_repetitive_files_of_common_size_pass(tmp_path: Path) -> None:
    path = _write(tmp_path, gzip.compress(b"MKVLAMKVLA\n" * 1_000_000))
    assert path.stat().st_size * text_module.MAX_EXPANSION < 11_000_000
    assert sum(1 for _ in numbered_lines(path)) == 1_000_000


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", [1, 2, 3, 7])
def test_where_blocks_end_does_not_matter(tmp_path: Path, monkeypatch, end: bytes, block: int) -> None:
    monkeypatch.setattr(text_module, "_BLOCK_BYTES", block)
    lines = [b"one", b"", b"", b"tw\xc3\xb6", b"three"]
    for last in (b"", end):
        path = _write(tmp_path, end.join(lines) + last)
        assert [line for _, line in numbered_lines(path)] == [line.decode() for line in lines]


def test_line_of_an_invalid_byte_is_named_for_all_line_ends(tmp_path: Path) -> None:
    for end in (b"\n", b"\r\n", b"\r"):
        for before, number in (([], 1), ([b"a"], 2), ([b"", b"b", b""], 4)):
            path = _write(tmp_path, end.join([*before, b"x\xff", b"y"]))
            with pytest.raises(InputError, match=rf"file\.txt:{number}: byte 0xff is not UTF-8"):
                list(numbered_lines(path))


def test_a_look_at_the_beginning_reads_no_further(tmp_path: Path) -> None:
    whole = gzip.compress(b"\n \nfirst\n\nsecond\n" + bytes(range(1, 10)) * 200_000)
    path = _write(tmp_path, whole[: len(whole) // 2])
    assert first_lines(path, 2) == ["first", "second"]
