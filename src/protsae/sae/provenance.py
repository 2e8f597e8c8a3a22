"""What tables of a dictionary say of their origin."""

from importlib.metadata import version

import pandas as pd

from protsae.core.files import sha256_file, sha256_text
from protsae.sae.checkpoint import SaeCheckpoint


def made_of(checkpoint: SaeCheckpoint, proteins: pd.DataFrame) -> dict[str, str]:
    """Return the head of a table about a dictionary, for `core.described_tsv`.

    Args:
        checkpoint: the dictionary.
        proteins: `protein_id`, `sequence`: the data; their hash does not depend on the order of rows.
    """
    pairs = zip(proteins["protein_id"].astype(str), proteins["sequence"].astype(str), strict=True)
    data = sha256_text(*(text for pair in sorted(pairs) for text in pair))
    return {
        "dictionary": checkpoint.name,
        "dictionary sha256": sha256_file(checkpoint.path),
        "language model": str(checkpoint.metadata.get("model", "")),
        "language model sha256": str(checkpoint.metadata.get("model_sha256", "")),
        "hook point": str(checkpoint.metadata["hook_point"]),
        "data": f"{len(proteins)} proteins, sha256 {data}",
        "protsae version": version("protsae"),
    }
