"""The whole module of a plain dictionary, in two files of its folder: `protsae.json`, `protsae.safetensors`.

The first lists what is missing from the dictionary and ties both to its weights by their hash; the second is
the whole module, a checkpoint of this package.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from protsae.core.errors import InputError
from protsae.core.files import sha256_file, write_text_atomic
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.interchange.states import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from protsae.sae.base import SparseAutoencoder

ABOUT, MODULE = "protsae.json", "protsae.safetensors"
FORMAT = "protsae.beside"
"""The name that exports carry since version 1."""
FORMAT_VERSION = 1


def write_whole_module(
    sae: "SparseAutoencoder", weights: Path, missing: "Sequence[str]", metadata: dict[str, Any]
) -> None:
    """Write both files to the folder of a plain dictionary.

    Args:
        sae: the whole module.
        weights: the dictionary's tensors.
        missing: what the dictionary lacks, as text.
        metadata: of the checkpoint.
    """
    folder = weights.parent
    save_sae(sae, folder / MODULE, metadata)
    about = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "missing_from_the_dictionary": list(missing),
        "whole_module": MODULE,
        "weights": weights.name,
        "weights_sha256": sha256_file(weights),
        "whole_module_sha256": sha256_file(folder / MODULE),
    }
    write_text_atomic(folder / ABOUT, json.dumps(about, indent=2) + "\n")


def read_whole_module(folder: Path) -> SaeCheckpoint | None:
    """Return the whole module's checkpoint, or None if the folder has none.

    Raises:
        InputError: the files are of another format or version, one is missing, or the dictionary has changed
            since.
    """
    if not (folder / ABOUT).is_file():
        return None
    about = read_json(folder / ABOUT)
    if about.get("format") != FORMAT or about.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{folder / ABOUT} is of format {about.get('format')!r}, version "
            f"{about.get('format_version')!r}; this protsae reads {FORMAT}, version {FORMAT_VERSION}"
        )
    for role in ("weights", "whole_module"):
        path = folder / Path(str(about.get(role))).name
        if not path.is_file() or sha256_file(path) != about.get(f"{role}_sha256"):
            raise InputError(
                f"{path} is not the file that {ABOUT} was written for: read the plain dictionary alone by "
                "layout 'saelens', or export again"
            )
    return SaeCheckpoint(folder / MODULE)
