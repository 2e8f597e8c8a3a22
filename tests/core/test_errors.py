from pathlib import Path

import pytest

from protsae.core.errors import InputError, naming


def test_the_file_is_named_once():
    with pytest.raises(InputError, match=r"^a\.tsv: no rows$"), naming(Path("a.tsv")):
        raise InputError("no rows")
    with pytest.raises(InputError, match=r"^a\.tsv:3: no id$"), naming(Path("a.tsv")):
        raise InputError("a.tsv:3: no id")


def test_other_errors_pass():
    with pytest.raises(KeyError), naming(Path("a.tsv")):
        raise KeyError


def test_values_of_damaged_files_are_not_shown_whole():
    message = str(InputError(f"a.tsv:3: n is '{'9' * 5000}', which is no number. {'x ' * 900}"))
    assert message.startswith(f"a.tsv:3: n is '{'9' * 99}... which is no number. x x")
    assert len(message) < 2100
    assert str(InputError("y" * 999)) == "y" * 999
