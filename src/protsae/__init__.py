"""Named features of protein language models.

protsae turns protein sequences, functional annotations and the Gene Ontology into sparse autoencoders whose
first latents are each tied to a named ontology term, and into the evidence that they mean what they say.

The names in `__all__` are the interface for scripts and notebooks (docs/api.md). Each is imported when it is
first used: `import protsae` imports neither torch nor pandas.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_API = (
    *("compare", "decode", "encode", "explain", "extract"),
    *("load_plm", "load_sae", "predict", "read_activations", "splice"),
)
__all__ = ["__version__", *_API]  # noqa: PLE0604  (a tuple of names)


def __getattr__(name: str) -> Any:
    """Return a function of `protsae.api`, which is imported now."""
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("protsae.api"), name)


def __dir__() -> list[str]:
    """Return the names that there are, for completion."""
    return sorted({*globals(), *_API})
