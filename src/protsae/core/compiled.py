"""Functions compiled by numba, kept on disk where that is possible.

Import modules that use this inside functions: numba is slow to load. Compiled code is kept in the folder of
the module that holds the function, or in numba's folder for the user; where neither can be written, it is
compiled anew in every process.
"""

import pickle
from collections.abc import Callable
from functools import update_wrapper
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

import numba
from numba.extending import register_jitable

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


class compiled(Generic[P, R]):  # noqa: N801 (a decorator)
    """Compile a function by numba, without the interpreter's lock, and cache it where that is possible."""

    options: ClassVar[dict[str, Any]] = {}

    def __init__(self, function: Callable[P, R]) -> None:
        update_wrapper(self, function)
        self._function = function
        try:
            self._compiled: Any = numba.njit(cache=True, nogil=True, **self.options)(function)
        except RuntimeError:  # no folder to cache in
            self._compiled = numba.njit(nogil=True, **self.options)(function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the compiled function."""
        try:
            result: R = self._compiled(*args, **kwargs)
        except (OSError, EOFError, pickle.UnpicklingError):  # the cache cannot be read or written
            self._compiled = numba.njit(nogil=True, **self.options)(self._function)
            result = self._compiled(*args, **kwargs)
        return result


class vectorised(compiled[P, R]):  # noqa: N801 (a decorator)
    """The same for loops over numbers: sums may be reordered and division by zero gives inf, not an error.

    The order is fixed when the code is compiled, so results are the same in every call. NaN and inf behave.
    """

    options: ClassVar[dict[str, Any]] = {
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
        "error_model": "numpy",
    }


def part(function: F) -> F:
    """Let compiled functions of the same module call this one; called from elsewhere, it is plain Python."""
    callable_from_compiled: F = register_jitable(**vectorised.options)(function)
    return callable_from_compiled
