import hashlib

import pytest

from protsae.core.files import (
    UNSEALED,
    atomic_path,
    is_intact,
    sha256_file,
    sha256_text,
    write_text_atomic,
)


def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_a_good_write_replaces_the_file_and_makes_its_folder(tmp_path):
    target = tmp_path / "new" / "table.csv"
    write_text_atomic(target, "β\n")
    assert target.read_bytes() == "β\n".encode()
    assert target.stat().st_mode & 0o600 == 0o600


def sealed_file(path):
    with atomic_path(path, sealed=True) as temporary:
        temporary.write_bytes(b"\0" * 50 + UNSEALED.encode() + bytes(range(256)))
    return path


def test_a_seal_is_the_hash_of_the_file_without_it(tmp_path):
    path = sealed_file(tmp_path / "x")
    unsealed = b"\0" * 50 + b"protsae:sha256:" + b"0" * 64 + bytes(range(256))
    expected = hashlib.sha256(unsealed).hexdigest()
    assert path.read_bytes() == unsealed.replace(b"0" * 64, expected.encode())
    assert is_intact(path) is True


def test_a_change_of_any_bit_breaks_the_seal(tmp_path):
    path = sealed_file(tmp_path / "x")
    whole = path.read_bytes()
    for place in range(len(whole)):
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << place % 8
        path.write_bytes(spoilt)
        in_mark = 50 <= place < 65  # then there is no seal any more
        assert is_intact(path) is (None if in_mark else False), place
    for other in (whole[:-1], whole + b"\0", whole[:100]):
        path.write_bytes(other)
        assert is_intact(path) is False


@pytest.mark.parametrize("content", [b"", b"protsae", b"no seal"])
def test_a_file_without_a_seal(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    assert is_intact(tmp_path / "x") is None


def test_file_hash_is_plain_sha256_over_block_borders(tmp_path):
    data = bytes(range(256)) * 9000  # more than two blocks of 1 MiB
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_text_hash_keeps_the_borders_between_parts():
    assert sha256_text("ab", "c") != sha256_text("a", "bc")
    assert sha256_text("ab", "c") == sha256_text("ab", "c")
