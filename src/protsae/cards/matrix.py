"""The protein x latent matrix for other programs: a table, or AnnData."""

from typing import Any

import numpy as np
import pandas as pd

from protsae.core.described_tsv import cell_text
from protsae.core.errors import InputError
from protsae.core.pooling import Pooling
from protsae.probing.splits import feature_matrix


def protein_latents(encoding: pd.DataFrame, pooling: Pooling = "mean") -> pd.DataFrame:
    """Return codes pooled over the residues of each protein: a row per protein id, a column per latent.

    Args:
        encoding: `<d>.encoding`.
        pooling: from residues to proteins.

    Raises:
        InputError: the encoding has no such pooling.
    """
    ids = encoding["protein_id"].astype(str).tolist()
    matrix = feature_matrix(encoding, f"{pooling}_latents", ids).astype(np.float32)
    return pd.DataFrame(matrix, index=pd.Index(ids, name="protein_id"))


def to_anndata(
    encoding: pd.DataFrame, proteins: pd.DataFrame, cards: pd.DataFrame, pooling: Pooling = "mean"
) -> Any:
    """Return `anndata.AnnData`: X the matrix of `protein_latents`, `obs` proteins, `var` cards.

    Columns of lists become JSON, so that `write_h5ad` takes them. `obs` and `var` have texts as indices, as
    AnnData wants them: protein ids, latents.

    Args:
        encoding: `<d>.encoding`.
        proteins: `protein_id` and whatever else; one row per protein of the encoding at least.
        cards: `<d>.latent_cards`.
        pooling: from residues to proteins.

    Raises:
        InputError: anndata is not installed, or a table lacks a protein or a latent.
    """
    try:
        from anndata import AnnData
    except ImportError as error:
        raise InputError("anndata is not installed: pip install 'protsae[anndata]'") from error
    matrix = protein_latents(encoding, pooling)
    obs = proteins.assign(protein_id=proteins["protein_id"].astype(str)).set_index("protein_id")
    var = cards.set_index(cards["latent"].astype(str).to_numpy())
    latents = [str(latent) for latent in matrix.columns]
    for table, wanted, what in ((obs, matrix.index, "protein"), (var, latents, "latent")):
        if missing := [name for name in wanted if name not in table.index]:
            raise InputError(f"{len(missing)} have no row, the first is {what} {missing[0]}: encode again")
    return AnnData(
        matrix.to_numpy(),
        obs=_plain(obs.loc[matrix.index]),
        var=_plain(var.loc[latents]),
        uns={"pooling": pooling},
    )


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns are numbers and texts, with texts as names.

    Texts are objects: `write_h5ad` refuses pandas' own type of text unless told otherwise.
    """
    found = {
        str(name): table[name].to_numpy()
        if pd.api.types.is_numeric_dtype(table[name])
        else np.array([cell_text(value) for value in table[name]], object)
        for name in table
    }
    index = pd.Index(table.index.astype(str), dtype=object)
    columns = {name: pd.Series(values, index, dtype=values.dtype) for name, values in found.items()}
    return pd.DataFrame(columns, index=index)
