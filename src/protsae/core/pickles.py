"""Pickles read without running anything that they name.

A pickle is a program: it names functions and the arguments to call them with. Here every name is replaced by
an inert class that only remembers what it was given, so that nothing is imported and nothing is called; and a
name that is not on the list is refused. What comes out is the skeleton of the objects, which a reader walks.
It is the same whichever version of pandas wrote the file, and none has to be installed.
"""

import io
import pickle
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.core.text import all_bytes

_NUMPY = ("_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype")
_PANDAS = (
    *("DataFrame", "Series", "BlockManager", "SingleBlockManager", "BlockPlacement"),
    *("_unpickle_block", "new_block", "_new_Index", "Index", "Int64Index", "UInt64Index", "Float64Index"),
    *("RangeIndex", "MultiIndex", "DatetimeIndex", "NA", "NAType", "StringDtype", "StringArray"),
    *("NaT", "Timestamp", "_unpickle_timestamp", "Categorical", "CategoricalDtype", "CategoricalIndex"),
    *("ArrowStringArray", "ArrowStringArrayNumpySemantics", "__pyx_unpickle_NDArrayBacked"),
)
_TORCH = (
    *("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_load_from_bytes", "Size", "device"),
    *("Tensor", "FloatStorage", "HalfStorage", "DoubleStorage", "LongStorage", "UntypedStorage"),
)
_PYARROW = ("_restore_array", "type_for_alias", "py_buffer", "chunked_array", "string", "large_string")
_ALLOWED = {
    "numpy": frozenset(_NUMPY),
    "pandas": frozenset(_PANDAS),
    "torch": frozenset(_TORCH),
    "pyarrow": frozenset(_PYARROW),
    "collections": frozenset({"OrderedDict"}),
    "_codecs": frozenset({"encode"}),
    "builtins": frozenset({"bytearray"}),
}
_BUILTINS: dict[str, type] = {"slice": slice, "set": set, "frozenset": frozenset, "object": object}
_RECONSTRUCTOR = ("copyreg", "copy_reg")
_DAMAGED = (
    *(pickle.UnpicklingError, EOFError, AttributeError, LookupError, ValueError, TypeError),
    *(ArithmeticError, MemoryError, RecursionError, ImportError),
)


class Inert:
    """What stands for an object of a pickle: the name of its class or maker, what it was given, its state."""

    name = ""

    def __new__(cls, *args: Any, **_: Any) -> "Inert":
        """Remember the arguments."""
        self = super().__new__(cls)
        self.args = args
        self.state = None
        return self

    args: tuple[Any, ...]
    state: Any

    def __setstate__(self, state: Any) -> None:
        """Remember the state."""
        self.state = state

    def __setitem__(self, key: Any, value: Any) -> None:
        """Take the items of an ordered dictionary, and leave them."""

    def __repr__(self) -> str:
        """Return the name."""
        return f"<{self.name}>"


def inert_bytes(value: Any) -> bytes:
    """Return the bytes that an older protocol wrote as a call of `bytearray` or `codecs.encode`."""
    if isinstance(value, Inert):
        if value.name == "_codecs.encode":
            return str(value.args[0]).encode("latin1")
        return inert_bytes(value.args[0]) if value.args else b""
    return bytes(value)


class _RefusedError(Exception):
    """A name that is not on the list."""


def _reconstructed(kind: type, *_: Any) -> Inert:
    """Stand for the maker of objects of the oldest pickles."""
    if not issubclass(kind, Inert):
        raise TypeError(f"an object of {kind.__name__}")
    return kind()


class _InertUnpickler(pickle.Unpickler):
    """Gives an inert class for every listed name; fresh ones, so that no pickle can alter the next."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="latin1")
        self._classes: dict[str, type] = {}

    def find_class(self, module: str, name: str, /) -> Any:
        """Return the stand-in of a name."""
        root = "builtins" if module == "__builtin__" else module.partition(".")[0]
        if root == "builtins" and name in _BUILTINS:
            return _BUILTINS[name]
        is_reconstructor = module in _RECONSTRUCTOR and name == "_reconstructor"
        if not is_reconstructor and name not in _ALLOWED.get(root, frozenset()):
            raise _RefusedError(f"{module}.{name}")
        if is_reconstructor:
            return _reconstructed
        key = f"{root}.{name}"
        if key not in self._classes:
            self._classes[key] = type(name, (Inert,), {"name": key})
        return self._classes[key]


def load_inert(path: Path) -> Any:
    """Read a pickle, plain or compressed, into containers, strings, numbers and `Inert` objects.

    Raises:
        InputError: the file names anything that is not on the list, which may be an attack; or is damaged.
    """
    try:
        return _InertUnpickler(all_bytes(path)).load()
    except _RefusedError as error:
        raise InputError(
            f"{path}: this pickle names {error}, which is no part of a table of pandas. It was refused, and "
            "nothing in it was run. Do not open it elsewhere unless you trust where it comes from; ask for a "
            "text file"
        ) from None
    except _DAMAGED as error:
        raise InputError(f"{path}: this pickle is damaged or of an unknown kind ({error})") from None
