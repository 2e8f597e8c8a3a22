"""The toy proteins of the sweeps' tests."""

from tests.sweeps.conftest import data

__all__ = ["data"]
