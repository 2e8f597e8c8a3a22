"""fair-esm's names of the ESM-2 models, and where it keeps their files: in torch hub's cache."""

import os
from pathlib import Path

from protsae.core.errors import InputError
from protsae.core.files import atomic_path

ESM2_NAMES = (
    "esm2_t6_8M_UR50D",
    "esm2_t12_35M_UR50D",
    "esm2_t30_150M_UR50D",
    "esm2_t33_650M_UR50D",
    "esm2_t36_3B_UR50D",
    "esm2_t48_15B_UR50D",
)
_MODEL_URL = "https://dl.fbaipublicfiles.com/fair-esm/models/{name}.pt"  # where fair-esm gets its models


def cached_path(name: str) -> Path:
    """Return where the file of a model lies, or will lie once it is fetched.

    torch's own rule (`TORCH_HOME`, else `XDG_CACHE_HOME`, else `~/.cache`), without the seconds that its
    import takes.

    Raises:
        InputError: not a name of an ESM-2 model.
    """
    if name not in ESM2_NAMES:
        raise InputError(f"no ESM-2 model {name!r}: fair-esm's names are {', '.join(ESM2_NAMES)}")
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
    return home / "hub" / "checkpoints" / f"{name}.pt"


def fetch(name: str) -> Path:
    """Return the file of a model, downloaded if it is not there.

    Raises:
        InputError: not a name of an ESM-2 model, or no internet.
    """
    path = cached_path(name)
    if not path.is_file():
        import torch

        url = _MODEL_URL.format(name=name)
        try:
            with atomic_path(path) as temporary:
                torch.hub.download_url_to_file(url, str(temporary), progress=False)
        except OSError as error:
            raise InputError(
                f"{name} is not in {path.parent} and could not be downloaded from {url} ({error}): "
                "download it on a machine with internet, and put it there or give its path"
            ) from error
    return path
