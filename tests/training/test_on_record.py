"""A checkpoint says of its training activations what its users need to compare theirs with."""

import numpy as np
import pytest
from tests.training.conftest import ToyProteins, toy_plan

from protsae.sae.checkpoint import SaeCheckpoint
from protsae.sae.made_for import made_for


def test_training_puts_its_activations_on_record(tmp_path):
    toy = ToyProteins()
    plan = toy_plan(toy, "topk")
    plan.run(tmp_path / "sae.safetensors")
    checkpoint = SaeCheckpoint(tmp_path / "sae.safetensors")
    split = plan.source.proteins.set_index("protein_id")["split"]
    rows = np.concatenate(
        [x for name, x in zip(toy.ids, toy.x, strict=True) if split[name] == "train"]
    ).astype(float)
    found = checkpoint.metadata["activations"]
    assert found["n_residues"] == len(rows) < sum(map(len, toy.x))
    assert found["mean_norm"] == pytest.approx(np.linalg.norm(rows.mean(axis=0)), rel=1e-6)
    assert found["total_variance"] == pytest.approx(rows.var(axis=0).sum(), rel=1e-6)
    assert found["fve"] == checkpoint.metadata["training"]["validation/fve"]
    expected = made_for(checkpoint)
    assert (expected.model, expected.hook_point, expected.model_sha256) == (
        "toy",
        "layers.0.resid_post",
        "ab",
    )
    assert expected.activations.model_dump() == found
