"""Embeddings of proteins from another model than the one under study, as the user gives them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from protsae.activations.parquet import number_of, storage_of
from protsae.core.errors import MALFORMED, InputError

COLUMNS = ["protein_id", "embedding", "model"]
_NEAR = 1 - 1e-4


class StudiedModel(NamedTuple):
    """The language model whose latents are judged: the one that must not judge them."""

    name: str
    sha256: str


def read_embeddings(
    path: Path | None, studied: StudiedModel, activations: pd.DataFrame, model_name: str | None
) -> pd.DataFrame:
    """Read `protein_id` and vectors, and make sure that another model made them.

    Args:
        path: Parquet with a column `protein_id` and one column of equally long vectors; its schema metadata
            may hold `model` (a name) and `model_sha256`. None: there are none.
        studied: the model under study.
        activations: `protein_id`, `activation`: means of the activations under study.
        model_name: name of the model where the file has none.

    Returns:
        `protein_id`, `embedding` (unit length, float32), `model`; no rows without a file.

    Raises:
        InputError: no such columns, vectors of several lengths or with missing values, a protein twice, no
            name for the model, or it is the model under study: by name, by checksum, or because the vectors
            are its activations.
    """
    if path is None:
        return pd.DataFrame({name: pd.Series(dtype="object") for name in COLUMNS})
    table, about = _read(path)
    name = about.get("model") or model_name
    if not name:
        raise InputError(
            f"{path} does not say which model made it: name it in disentanglement.monosemanticity."
            "embedding_model, or in the file's schema metadata under `model`"
        )
    _refuse_studied(path, name, about.get("model_sha256"), studied)
    vectors = _vectors(path, table)
    found = pd.DataFrame({"protein_id": table["protein_id"].astype(str), "model": name})
    if (twice := found["protein_id"].duplicated()).any():
        raise InputError(f"{path}: protein {found.loc[twice, 'protein_id'].iloc[0]} occurs twice")
    _refuse_activations(path, found["protein_id"], vectors, activations)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    found["embedding"] = list((vectors / np.where(norms > 0, norms, 1)).astype(np.float32))
    return found[COLUMNS].sort_values("protein_id", ignore_index=True)


def _read(path: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException, *MALFORMED) as error:
        raise InputError(f"{path} is not a Parquet file ({error})") from error
    given = table.schema.metadata or {}
    names = [name for name in ("model", "model_sha256") if name.encode() in given]
    about = {name: given[name.encode()].decode("utf-8", "replace") for name in names}
    vectors = [field.name for field in table.schema if number_of(field.type) is not None]
    if "protein_id" not in table.column_names or len(vectors) != 1:
        raise InputError(
            f"{path}: expected a column protein_id and one column of vectors, found "
            f"{', '.join(table.column_names)}"
        )
    chunks = [c.storage if isinstance(c, pa.ExtensionArray) else c for c in table[vectors[0]].chunks]
    plain = pa.chunked_array(chunks, storage_of(table.schema.field(vectors[0]).type))
    return pd.DataFrame(
        {"protein_id": table["protein_id"].to_pandas(), "embedding": plain.to_pandas()}
    ), about


def _vectors(path: Path, table: pd.DataFrame) -> NDArray[np.float64]:
    sizes = table["embedding"].map(lambda vector: -1 if vector is None else len(vector))
    if sizes.nunique() != 1 or sizes.iloc[0] < 1:
        shown = ", ".join(map(str, sorted(set(sizes))[:5]))
        raise InputError(f"{path}: vectors of {shown} values, not of one length")
    vectors: NDArray[np.float64] = np.stack(table["embedding"].tolist()).astype(np.float64)
    if not np.isfinite(vectors).all():
        wrong = table["protein_id"].iloc[int(np.flatnonzero(~np.isfinite(vectors).all(axis=1))[0])]
        raise InputError(f"{path}: the vector of {wrong} has missing or infinite values")
    return vectors


def _refuse_studied(path: Path, name: str, sha256: str | None, studied: StudiedModel) -> None:
    same_name = _bare(name) == _bare(studied.name)
    if same_name or (sha256 and sha256.casefold() == studied.sha256.casefold()):
        how = f"name '{name}'" if same_name else f"checksum {sha256}"
        raise InputError(
            f"{path} is of the model under study, {studied.name} ({how}): a model cannot judge its own "
            "latents; give embeddings of another one"
        )


def _refuse_activations(
    path: Path, protein_ids: Any, vectors: NDArray[np.float64], activations: pd.DataFrame
) -> None:
    """Refuse vectors that are the activations under study, whatever they are called."""
    studied = activations.set_index("protein_id")["activation"]
    shared = [i for i, protein_id in enumerate(protein_ids) if protein_id in studied.index]
    if not shared or len(studied.iloc[0]) != vectors.shape[1]:
        return
    ours = np.stack(studied.loc[[protein_ids.iloc[i] for i in shared]].tolist()).astype(np.float64)
    theirs = vectors[shared]
    norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosine = (ours * theirs).sum(axis=1) / np.where(norms > 0, norms, 1)
    if np.median(cosine) > _NEAR:
        raise InputError(
            f"{path} holds the activations under study themselves (median cosine {np.median(cosine):.6f}): a "
            "model cannot judge its own latents. Give embeddings of another one"
        )


def _bare(name: str) -> str:
    """Return a model's name without folders, endings, case and punctuation."""
    last = name.replace("\\", "/").rstrip("/").split("/")[-1].casefold()
    for ending in (".safetensors", ".pt", ".bin"):
        last = last.removesuffix(ending)
    return "".join(letter for letter in last if letter.isalnum())
