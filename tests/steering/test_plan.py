"""The plan of designs: its files, and that it resumes."""

import numpy as np
import pandas as pd
import pytest
import torch
from tests.plm.tiny_esm2 import D_MODEL, random_sequences, tiny_model

from protsae.core.errors import InputError
from protsae.datasets import SteeringDataset
from protsae.pipelines.steering.nodes import steer_proteins
from protsae.pipelines.steering.parameters import SteeringParameters
from protsae.sae.checkpoint import save_sae
from protsae.sae.config import TopKConfig
from protsae.sae.topk import TopKSae
from protsae.steering.plan import DESIGN_COLUMNS, FASTA_NAME
from protsae.steering.targets import parents_of, targets_of, with_ancestors


@pytest.fixture
def plan(tmp_path):
    """Return a function from settings to a plan over five proteins, two to a shard."""
    model = tiny_model(tmp_path)
    sae = TopKSae(TopKConfig(d_model=D_MODEL, d_sae=32, k=4), torch.Generator().manual_seed(0))
    metadata = {"hook_point": "layers.1.resid_post", "model_sha256": model.sha256}
    save_sae(sae, tmp_path / "sae.safetensors", metadata)
    statistics = pd.DataFrame({"latent": range(32), "max_act": np.linspace(0, 3, 32)})
    statistics.to_parquet(tmp_path / "latents.parquet")
    texts = [
        text.translate(str.maketrans("XBUZO", "AAAAA")) for text in random_sequences([20, 9, 31, 12, 15])
    ]
    (tmp_path / "my.fasta").write_text("".join(f">P{i}\n{text}\n" for i, text in enumerate(texts)))

    def make(**settings):
        parameters = SteeringParameters(**{"latents": (5, 9), "proteins_per_shard": 2, **settings})
        files = (tmp_path / name for name in ("my.fasta", "sae.safetensors", "latents.parquet"))
        return steer_proteins(*files, None, tmp_path / "tiny_0.safetensors", None, parameters)

    return make


def test_designs_have_the_columns_and_differ_at_masked_positions_alone(plan, tmp_path):
    dataset = SteeringDataset(filepath=str(tmp_path / "out"))
    dataset.save(plan(scale=3.0))
    found = dataset.load()
    table = found.table
    assert tuple(table.columns) == DESIGN_COLUMNS
    assert len(table) == 10
    assert set(table["go_id"]) == {"latent 5", "latent 9"}
    for row in table.itertuples():
        masked = {i + 1 for i, letter in enumerate(row.masked_sequence) if letter == "#"}
        assert masked == set(map(int, row.positions.split(";")))
        pairs = zip(row.original_sequence, row.generated_sequence, strict=True)
        changed = {i + 1 for i, (old, new) in enumerate(pairs) if old != new}
        assert changed <= masked
        assert len(changed) == row.n_mutations
    lines = found.fasta.read_text().splitlines()
    assert lines[:2] == [">P0|latent_5|scale3|sample0", table["generated_sequence"][0]]
    assert lines[1::2] == table["generated_sequence"].tolist()


def test_an_interrupted_run_resumes_and_ends_in_the_same_bytes(plan, tmp_path):
    whole, parts = (tmp_path / name for name in ("whole", "parts"))
    plan().run(whole)

    class Breaks:
        def run(self, make, jobs):
            for job in jobs[:2]:
                yield make(job)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plan().run(parts, Breaks())
    assert not SteeringDataset(filepath=str(parts)).exists()
    kept = (parts / "shard-00000.parquet").stat()
    plan().run(parts)
    now = (parts / "shard-00000.parquet").stat()
    assert (now.st_ino, now.st_mtime_ns) == (kept.st_ino, kept.st_mtime_ns)  # reading changes st_atime
    assert all((parts / path.name).read_bytes() == path.read_bytes() for path in whole.iterdir())
    plan(scale=9.0).run(parts)
    assert (parts / FASTA_NAME).read_text() != (whole / FASTA_NAME).read_text()


def test_targets_are_latents_of_concepts_and_their_ancestors():
    relations = pd.DataFrame({"child_id": ["c", "b", "c"], "parent_id": ["b", "a", "x"]})
    assert with_ancestors("c", parents_of(relations)) == {"a", "b", "c", "x"}
    largest = {0: 2.0, 1: 0.0, 2: 4.0, 3: 1.0}
    found = targets_of(["c"], [3], ["a", "b", "c"], largest, relations)
    assert [(t.name, dict(t.raised)) for t in found] == [("c", {0: 2.0, 2: 4.0}), ("latent 3", {3: 1.0})]
    with pytest.raises(InputError, match="nothing to steer"):
        targets_of([], [], ["a"], largest, None)
    with pytest.raises(InputError, match="unknown concept 'aa', did you mean 'a'"):
        targets_of(["aa"], [], ["a"], largest, None)
    with pytest.raises(InputError, match="latent 7 does not exist"):
        targets_of([], [7], [], largest, None)
    with pytest.raises(InputError, match="never fired"):
        targets_of(["b"], [], ["a", "b"], largest, None)
