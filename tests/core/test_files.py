import hashlib

import pytest

from protsae.core.files import atomic_path, sha256_file, sha256_text, write_text_atomic


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


def test_file_hash_is_plain_sha256_over_block_borders(tmp_path):
    data = bytes(range(256)) * 9000  # more than two blocks of 1 MiB
    (tmp_path / "x").write_bytes(data)
    assert sha256_file(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_text_hash_keeps_the_borders_between_parts():
    assert sha256_text("ab", "c") != sha256_text("a", "bc")
    assert sha256_text("ab", "c") == sha256_text("ab", "c")
