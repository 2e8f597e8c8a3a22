"""Shards: values, bytes, and what survives a kill."""

import shutil
from collections import namedtuple

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.activations.conftest import HOOK_POINT, config, proteins
from tests.damaged_files import flipped
from tests.plm.tiny_esm2 import fair_esm_activations, tiny_esm2, worst_difference, write_safetensors

from protsae.activations import ActivationStore, writer
from protsae.activations.plan import plan_extraction, shard_code_hash
from protsae.activations.writer import write_activations
from protsae.core.errors import InputError
from protsae.plm import load_plm
from protsae.plm.forward import Esm2Forward


def plan_for(model, **changes):
    return plan_extraction(list(proteins()), list(proteins().values()), model, config(**changes))


def snapshot(root):
    return {path.name: path.read_bytes() for path in sorted(root.iterdir())}


def test_one_residue_is_one_row(extraction):
    tables = [pq.read_table(path) for path in sorted(extraction.root.glob("shard-*.parquet"))]
    rows = [row for table in tables for row in table.drop([HOOK_POINT]).to_pylist()]
    expected = [
        {"protein_id": name, "residue_index": i, "aa": letter}
        for job in extraction.plan.jobs
        for name in job.protein_ids
        for i, letter in enumerate(extraction.sequences[name])
    ]
    assert rows == expected
    assert len(rows) == sum(map(len, extraction.sequences.values()))


def test_float32_shards_hold_fair_esm_s_values(model, tmp_path):
    write_activations(plan_for(model, dtype="float32"), tmp_path)
    for name, values in ActivationStore(tmp_path).iter_proteins(HOOK_POINT):
        theirs = fair_esm_activations(tiny_esm2(), [proteins()[name]])[HOOK_POINT].numpy()
        assert worst_difference(torch.from_numpy(np.array(values)), torch.from_numpy(theirs)) < 3e-6


def test_float16_shards_are_the_float32_values_rounded(model, extraction, tmp_path):
    write_activations(plan_for(model, dtype="float32"), tmp_path)
    exact = dict(ActivationStore(tmp_path).iter_proteins(HOOK_POINT))
    stored = dict(ActivationStore(extraction.root).iter_proteins(HOOK_POINT))
    assert list(stored) == list(exact)
    for name, values in stored.items():
        np.testing.assert_array_equal(values, exact[name].astype(np.float16).astype(np.float32))


def test_shards_describe_themselves(extraction):
    path = extraction.root / "shard-00000.parquet"
    schema = pq.read_schema(path)
    assert str(schema.field(HOOK_POINT).type) == "fixed_size_list<element: halffloat>[24]"
    assert str(schema.field("protein_id").type).startswith("dictionary<values=string")
    column = pq.ParquetFile(path).metadata.row_group(0).column(3)
    assert column.path_in_schema == f"{HOOK_POINT}.list.element"
    assert (column.compression, "BYTE_STREAM_SPLIT" in column.encodings) == ("ZSTD", True)
    about, _ = writer.footer_of(path)
    assert about["model_sha256"] == extraction.plan.model.sha256
    assert (about["format"], about["format_version"]) == ("protsae.activations", 2)
    assert (about["hook_points"], about["dtype"], about["d_model"]) == ([HOOK_POINT], "float16", 24)


def test_the_same_plan_makes_the_same_bytes(model, extraction, tmp_path):
    write_activations(plan_for(model), tmp_path)
    assert snapshot(tmp_path) == snapshot(extraction.root)


def test_the_manifest_counts_and_hashes(extraction):
    manifest = ActivationStore(extraction.root).manifest
    assert (
        manifest.rows == sum(map(len, extraction.sequences.values())) == sum(s.rows for s in manifest.shards)
    )
    assert (
        manifest.proteins.extracted == len(extraction.sequences) == sum(s.n_proteins for s in manifest.shards)
    )
    assert manifest.hook_points == (HOOK_POINT,)
    for record in (*manifest.shards, manifest.statistics):
        assert record.sha256 == writer.sha256_file(extraction.root / record.name)


def test_manifest_and_footers_name_model_settings_code_and_versions(extraction):
    plan, manifest = extraction.plan, ActivationStore(extraction.root).manifest
    assert (manifest.model.name, manifest.model.sha256) == (plan.model.name, plan.model.sha256)
    settings = (
        "dtype",
        "arithmetic",
        "max_tokens_per_batch",
        "long_sequences",
        "max_residues",
        "sample_seed",
    )
    assert all(getattr(manifest, name) == getattr(plan.config, name) for name in settings)
    assert manifest.code_sha256 == shard_code_hash()
    assert manifest.versions["torch"] == torch.__version__
    assert {shard.device for shard in manifest.shards} == {"cpu"}
    about, _ = writer.footer_of(extraction.root / "shard-00000.parquet")
    assert about["code_sha256"] == manifest.code_sha256
    assert (about["model"], about["arithmetic"]) == (plan.model.name, plan.config.arithmetic)


def test_no_protein_is_divided_between_row_groups(model, tmp_path, monkeypatch):
    monkeypatch.setattr("protsae.activations.schema._ROWS_PER_GROUP", 20)
    write_activations(plan_for(model), tmp_path)
    n_groups = 0
    for path in sorted(tmp_path.glob("shard-*.parquet")):
        file = pq.ParquetFile(path)
        groups = [set(file.read_row_group(i)["protein_id"].to_pylist()) for i in range(file.num_row_groups)]
        assert sum(map(len, groups)) == len(set().union(*groups))
        n_groups += len(groups)
    assert n_groups > 4


class Killed(BaseException):
    """What a kill looks like from inside."""


def run_killed_at_shard(plan, root, monkeypatch, index):
    def write(table, job, path):
        if path.name == f"shard-{index:05d}.parquet":
            raise Killed
        original(table, job, path)

    original = writer.write_shard
    with monkeypatch.context() as patch:
        patch.setattr(writer, "write_shard", write)
        with pytest.raises(Killed):
            write_activations(plan, root)


def test_a_killed_run_goes_on_where_it_stopped(model, extraction, tmp_path, monkeypatch):
    plan = plan_for(model)
    run_killed_at_shard(plan, tmp_path, monkeypatch, 2)
    assert sorted(snapshot(tmp_path)) == ["shard-00000.parquet", "shard-00001.parquet"]
    for left in (".shard-00002.parquet.k3_x.tmp", ".statistics.parquet.ab12.tmp", ".manifest.json.zz.tmp"):
        (tmp_path / left).write_bytes(b"half")
    before = {name: (tmp_path / name).stat() for name in ("shard-00000.parquet", "shard-00001.parquet")}
    write_activations(plan, tmp_path)
    for name, stat in before.items():
        after = (tmp_path / name).stat()
        assert (after.st_ino, after.st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert snapshot(tmp_path) == snapshot(extraction.root)


def test_an_interrupted_rerun_leaves_no_manifest(model, extraction, tmp_path, monkeypatch):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    (root / "shard-00001.parquet").unlink()
    run_killed_at_shard(plan_for(model), root, monkeypatch, 1)
    with pytest.raises(InputError, match="the extraction never finished"):
        ActivationStore(root)


@pytest.mark.parametrize(
    "damage",
    [
        *(flipped(share) for share in (0, 0.3, 0.9, 0.95, 0.99)),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: shutil.copyfile(path.with_name("shard-00000.parquet"), path),
    ],
    ids=["first", "data", "footer", "its text", "its length", "truncated", "empty", "missing", "another's"],
)
def test_a_damaged_shard_alone_is_made_again(model, extraction, tmp_path, damage):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    damage(root / "shard-00001.parquet")
    kept = {i: (root / f"shard-0000{i}.parquet").stat().st_ino for i in (0, 2, 3)}
    write_activations(plan_for(model), root)
    assert snapshot(root) == snapshot(extraction.root)
    assert {i: (root / f"shard-0000{i}.parquet").stat().st_ino for i in kept} == kept


def test_stale_shards_are_made_again_and_left_overs_removed(model, extraction, tmp_path, caplog):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    (root / "notes.txt").write_text("mine")
    plan = plan_for(model, hook_point="layers.0.attn_out", proteins_per_shard=5)
    write_activations(plan, root)
    assert sorted(snapshot(root)) == [
        "manifest.json", "notes.txt", "shard-00000.parquet", "shard-00001.parquet", "shard-00002.parquet",
        "statistics.parquet",
    ]  # fmt: skip
    assert "notes.txt is not part of the extraction" in caplog.text
    values = dict(ActivationStore(root).iter_proteins("layers.0.attn_out"))
    theirs = fair_esm_activations(tiny_esm2(), [proteins()["P07"]])["layers.0.attn_out"].numpy()
    np.testing.assert_allclose(values["P07"], theirs, rtol=2e-3, atol=2e-3)


def test_a_change_of_code_makes_shards_again(model, extraction, tmp_path, monkeypatch):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    inode = (root / "shard-00000.parquet").stat().st_ino
    monkeypatch.setattr("protsae.activations.plan.shard_code_hash", lambda: "another")
    write_activations(plan_for(model), root)
    assert (root / "shard-00000.parquet").stat().st_ino != inode


@pytest.mark.parametrize(
    ("value", "shown"),
    [(1e5, r"activation 99\d\d\d\.\d+"), (float("nan"), "nan"), (float("inf"), "inf|nan")],
)
def test_a_value_that_float16_cannot_hold_stops_the_run(tmp_path, value, shown):
    module = tiny_esm2()
    model = load_plm(write_safetensors(tmp_path / "m.safetensors", module))
    model.module.layers[1].fc2.bias[7] = value
    plan = plan_for(model, hook_point="layers.1.mlp_out")
    with pytest.raises(
        InputError,
        match=rf"layers\.1\.mlp_out, protein P\d\d, residue 1, dimension \d+: .*({shown}).*float16",
    ):
        write_activations(plan, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_float32_holds_what_float16_cannot(tmp_path):
    module = tiny_esm2()
    module.layers[1].fc2.bias[7] = 1e5
    model = load_plm(write_safetensors(tmp_path / "m.safetensors", module))
    write_activations(plan_for(model, hook_point="layers.1.mlp_out", dtype="float32"), tmp_path / "out")
    values = dict(ActivationStore(tmp_path / "out").iter_proteins("layers.1.mlp_out"))
    assert abs(values["P00"][0, 7] - 1e5) < 100


def test_too_little_disk_stops_before_anything_is_touched(model, extraction, tmp_path, monkeypatch):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    before = snapshot(root)
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    plan = plan_for(model, hook_point="layers.0.attn_out")
    with pytest.raises(InputError, match=r"4 shards need up to 1\.14e-05 GB, 1e-06 GB are free"):
        write_activations(plan, root)
    assert snapshot(root) == before


def test_several_hook_points_are_columns_side_by_side(model, tmp_path):
    import dataclasses

    names = ("layers.0.mlp_out", "final_norm")
    plan = dataclasses.replace(plan_for(model), hook_points=names)
    write_activations(plan, tmp_path)
    store = ActivationStore(tmp_path)
    assert store.hook_points == names
    sequence = proteins()["P03"]
    ours = Esm2Forward(model, names).run([sequence])
    for name in names:
        (values,) = [block for _, block in store.iter_proteins(name, ["P03"])]
        np.testing.assert_allclose(values, ours[name].half().float().numpy(), rtol=1e-3)
