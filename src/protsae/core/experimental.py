"""A warning for code that has not run on the hardware it is written for."""

import warnings

_warned: set[str] = set()


class ExperimentalWarning(UserWarning):
    """What runs now is tested elsewhere only: its results and its speed on this hardware are not known."""


def warn_experimental(what: str) -> None:
    """Warn of a part of the package once per process.

    Args:
        what: the part and its hardware, as the subject of the sentence.
    """
    if what in _warned:
        return
    _warned.add(what)
    message = f"{what} is experimental: the maintainers have not run it on such hardware yet"
    warnings.warn(f"{message}. Compare a small run with one on the CPU.", ExperimentalWarning, stacklevel=2)
