"""The compiler's wrapper: works without a folder to cache in, and with a cache that cannot be read."""

import numba
import pytest

from protsae.core.compiled import compiled


def _twice(number: int) -> int:
    return 2 * number


def test_without_a_folder_to_cache_in_code_is_compiled_all_the_same(monkeypatch) -> None:
    asked = []
    njit = numba.njit

    def without_cache(*functions, **options):
        if functions:  # numba compiles parts of its own on first use
            return njit(*functions, **options)
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr("numba.njit", without_cache)
    assert compiled(_twice)(21) == 42
    assert [one for one in asked if "nogil" in one] == [{"cache": True, "nogil": True}, {"nogil": True}]


@pytest.mark.parametrize("error", [PermissionError("the index cannot be read"), EOFError()])
def test_a_cache_that_cannot_be_read_is_done_without(error: Exception) -> None:
    def unreadable(number: int) -> int:
        raise error

    twice = compiled(_twice)
    twice._compiled = unreadable
    assert twice(21) == 42
