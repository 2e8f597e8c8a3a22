"""Which arithmetic made the shards, what its error is, and where it cannot run."""

import numpy as np
import pytest
import torch
from tests.activations.conftest import HOOK_POINT, config, proteins

from protsae.activations import ActivationStore
from protsae.activations.plan import plan_extraction
from protsae.activations.report import extraction_report
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError


@pytest.fixture
def bfloat16_hardware(monkeypatch):
    """Return a function that says whether the CPU has instructions for bfloat16. It computes either way."""

    def say(has):
        monkeypatch.setattr("protsae.core.devices.has_bfloat16", lambda _device: has)

    say(True)
    return say


def plan_for(model, **changes):
    asked = config(dtype="float32", hook_points=["final_norm"], device="cpu", **changes)
    return plan_extraction(list(proteins()), list(proteins().values()), model, asked)


def values_of(root):
    return dict(ActivationStore(root).iter_proteins(HOOK_POINT))


@pytest.mark.usefixtures("bfloat16_hardware")
def test_bfloat16_error_is_measured_on_one_protein_per_shard(model, tmp_path):
    plan = plan_for(model, arithmetic="bfloat16", max_residues=25)
    exact_plan = plan_for(model, max_residues=25)
    ours, others = ({job.fingerprint for job in one.jobs} for one in (plan, exact_plan))
    assert ours.isdisjoint(others)
    manifest = write_activations(plan, tmp_path / "bfloat16")
    write_activations(exact_plan, tmp_path / "exact")
    rough, exact = values_of(tmp_path / "bfloat16"), values_of(tmp_path / "exact")
    assert (manifest.compute_dtype, manifest.arithmetic) == ("bfloat16", "bfloat16")
    for job, shard in zip(plan.jobs, manifest.shards, strict=True):
        name = job.protein_ids[0]
        assert set(shard.error) == {HOOK_POINT, "final_norm"}
        if len(job.sequences[0]) <= 25:
            difference = rough[name] - exact[name]
            relative = np.linalg.norm(difference) / np.linalg.norm(exact[name])
            largest = (np.abs(difference) / np.maximum(1, np.abs(exact[name]))).max()
            assert shard.error[HOOK_POINT].relative == pytest.approx(relative, rel=1e-3)
            assert shard.error[HOOK_POINT].largest == pytest.approx(largest, rel=1e-3)
            assert 1e-4 < relative < 0.05
    report = extraction_report(ActivationStore(tmp_path / "bfloat16"), 1e9)
    worst = max(shard.error[HOOK_POINT].largest for shard in manifest.shards)
    assert report["hook_points"][HOOK_POINT]["error"]["largest"] == worst
    assert (report["arithmetic"], report["devices"]) == ("bfloat16", ["cpu"])


def test_fair_esm_s_own_arithmetic_has_no_error_to_report(model, tmp_path):
    manifest = write_activations(plan_for(model), tmp_path)
    assert [shard.error for shard in manifest.shards] == [None] * 4
    assert (manifest.arithmetic, manifest.compute_dtype) == ("fair_esm", "float32")
    assert "error" not in extraction_report(ActivationStore(tmp_path), 1e9)["hook_points"][HOOK_POINT]


def test_the_device_asked_for_leaves_shards_as_they_are(model):
    plan = plan_for(model)
    anywhere = plan.config.model_copy(update={"device": "auto"})
    other = plan_extraction(list(proteins()), list(proteins().values()), model, anywhere)
    assert other.jobs == plan.jobs


def test_unsupported_arithmetic_stops_before_any_file_changes(
    model, tmp_path, bfloat16_hardware, monkeypatch
):
    write_activations(plan_for(model), tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    bfloat16_hardware(False)
    with pytest.raises(InputError, match="arithmetic is bfloat16, which this machine's cpu has no instr"):
        write_activations(plan_for(model, arithmetic="bfloat16"), tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    asked = plan_for(model).config.model_copy(update={"device": "cuda"})
    with pytest.raises(InputError, match="device is cuda, but torch finds no GPU"):
        write_activations(
            plan_extraction(list(proteins()), list(proteins().values()), model, asked), tmp_path
        )
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
