"""The protein x latent matrix."""

import numpy as np
import pandas as pd
import pytest

from protsae.cards import matrix
from protsae.core.errors import InputError

ENCODING = pd.DataFrame(
    {
        "protein_id": ["B", "A"],
        "mean_latents": [[0.5, 0.0], [0.0, 2.0]],
        "max_latents": [[1.0, 0.0], [0.0, 4.0]],
    }
)
PROTEINS = pd.DataFrame(
    {"protein_id": ["A", "B", "C"], "split": ["test", "train", "train"], "length": [9, 8, 7]}
)
CARDS = pd.DataFrame({"latent": [0, 1], "name": ["zinc", ""], "logo": [[np.array([0.5])], None]})


def test_matrix_has_a_row_per_protein_and_a_column_per_latent():
    found = matrix.protein_latents(ENCODING, "max")
    assert found.loc["A"].tolist() == [0, 4] and found.columns.tolist() == [0, 1]
    with pytest.raises(InputError, match="top_latents"):
        matrix.protein_latents(ENCODING, "top")


def test_anndata_holds_proteins_and_cards(tmp_path):
    anndata = pytest.importorskip(
        "anndata", reason="anndata is not installed: pip install 'protsae[anndata]'"
    )
    found = matrix.to_anndata(ENCODING, PROTEINS, CARDS)
    found.write_h5ad(tmp_path / "latents.h5ad")
    read = anndata.read_h5ad(tmp_path / "latents.h5ad")
    assert read.X.tolist() == [[0.5, 0], [0, 2]]
    assert read.obs_names.tolist() == ["B", "A"] and read.obs["length"].tolist() == [8, 9]
    assert read.var["name"].tolist() == ["zinc", ""] and read.var["logo"].tolist() == ["[[0.5]]", ""]


def test_anndata_refuses_proteins_that_are_missing():
    pytest.importorskip("anndata", reason="anndata is not installed: pip install 'protsae[anndata]'")
    with pytest.raises(InputError, match="the first is protein B"):
        matrix.to_anndata(ENCODING, PROTEINS.iloc[:1], CARDS)


def test_absent_anndata_is_named_with_the_command(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "anndata", None)
    with pytest.raises(InputError, match=r"pip install 'protsae\[anndata\]'"):
        matrix.to_anndata(ENCODING, PROTEINS, CARDS)
