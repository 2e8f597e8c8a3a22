"""The extraction pipeline on a tiny model."""

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from tests.plm.tiny_esm2 import fair_esm_activations, random_sequences, tiny_esm2, write_safetensors

from protsae.datasets import ActivationShardsDataset, SourceFileDataset
from protsae.pipelines.extraction import create_pipeline
from protsae.pipelines.extraction.nodes import select_sequences
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.pipelines.wiring import Wiring

HOOK_POINT = "layers.0.resid_post"


@pytest.fixture
def proteins():
    return pd.DataFrame(
        {
            "protein_id": ["P3", "P1", "P2", "P4"],
            "sequence": random_sequences([6, 11, 3, 8]),
            "split": ["train", "test", "excluded", "validation"],
            "cluster_id": ["a", "b", "a", "c"],
        }
    )


def parameters(**changes):
    return ExtractionParameters.model_validate({"hook_point": HOOK_POINT, **changes})


def run(proteins, folder):
    model = write_safetensors(folder / "tiny.safetensors", tiny_esm2())
    shards = ActivationShardsDataset(filepath=str(folder / "activations"))
    catalog = DataCatalog(
        {
            "proteins": MemoryDataset(proteins),
            "plm_checkpoint": SourceFileDataset(filepath=str(model)),
            "params:extraction": MemoryDataset(parameters(), copy_mode="assign"),
            "params:extraction.hook_point": MemoryDataset(HOOK_POINT),
            "params:extraction.outlier_warning": MemoryDataset(3.0),
            "activation_shards": shards,
            "extraction_report": MemoryDataset(),
        }
    )
    SequentialRunner().run(create_pipeline(Wiring({"topk": "topk"})), catalog)
    assert catalog["extraction_report"].load()["rows"] == shards.load().manifest.rows
    return shards.load()


def test_proteins_become_shards_of_their_residues(proteins, tmp_path):
    before = proteins.copy()
    store = run(proteins, tmp_path)
    assert sorted(store.protein_ids) == ["P1", "P3", "P4"]
    counts = store.manifest.proteins
    assert (counts.given, counts.excluded, counts.extracted) == (4, 1, 3)
    assert store.manifest.rows == 6 + 11 + 8
    sequences = proteins.set_index("protein_id")["sequence"]
    for name, values in store.iter_proteins(HOOK_POINT):
        theirs = fair_esm_activations(tiny_esm2(), [sequences[name]])[HOOK_POINT].numpy()
        np.testing.assert_allclose(values, theirs, rtol=2**-10, atol=1e-5)
    pd.testing.assert_frame_equal(proteins, before)


def test_new_split_of_the_same_proteins_selects_equal_sequences(proteins):
    dealt_anew = proteins.assign(split=["test", "train", "excluded", "train"], cluster_id="z").iloc[::-1]
    pd.testing.assert_frame_equal(select_sequences(proteins), select_sequences(dealt_anew))


def test_selected_sequences_are_sorted_and_marked(proteins):
    selected = select_sequences(proteins)
    assert selected["protein_id"].tolist() == ["P1", "P2", "P3", "P4"]
    assert selected["is_excluded"].tolist() == [False, True, False, False]
    assert selected.columns.tolist() == ["protein_id", "sequence", "is_excluded"]


def test_an_unknown_key_is_refused_with_the_nearest():
    with pytest.raises(
        ValueError, match="unknown key 'proteins_per_shards', did you mean 'proteins_per_shard'"
    ):
        parameters(proteins_per_shards=3)
