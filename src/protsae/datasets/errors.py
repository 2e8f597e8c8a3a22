"""User errors that pass through Kedro unwrapped."""

from collections.abc import Iterator
from contextlib import contextmanager

from kedro.io import DatasetError

from protsae.core.errors import InputError


class DatasetInputError(InputError, DatasetError):
    """An `InputError` that Kedro shows as it is: other exceptions of a dataset it wraps."""


@contextmanager
def input_errors_pass() -> Iterator[None]:
    """Turn an `InputError` raised in the block into a `DatasetInputError` with the same message."""
    try:
        yield
    except DatasetInputError:
        raise
    except InputError as error:
        raise DatasetInputError(str(error)) from error
