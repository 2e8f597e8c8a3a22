"""Reading shards, and refusing what is not what the manifest says."""

import json
import re
import shutil

import numpy as np
import pytest
from tests.activations.conftest import HOOK_POINT
from tests.damaged_files import flipped

from protsae.activations import ActivationStore
from protsae.core.errors import InputError


@pytest.fixture
def store(extraction):
    return ActivationStore(extraction.root)


@pytest.fixture
def copy(extraction, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(extraction.root, root)
    return root


def test_the_index_is_in_stored_order(store, extraction):
    assert store.protein_ids == [name for job in extraction.plan.jobs for name in job.protein_ids]
    assert store.lengths() == {name: len(extraction.sequences[name]) for name in store.protein_ids}
    assert (store.d_model, store.hook_points) == (24, (HOOK_POINT,))


def test_a_subset_is_read_in_stored_order(store):
    everything = dict(store.iter_proteins(HOOK_POINT))
    asked = [store.protein_ids[i] for i in (10, 0, 4, 5)]
    read = list(store.iter_proteins(HOOK_POINT, asked))
    assert [name for name, _ in read] == [store.protein_ids[i] for i in (0, 4, 5, 10)]
    for name, values in read:
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, everything[name])


def test_statistics_are_those_of_the_stored_rows(store):
    asked = [store.protein_ids[i] for i in (7, 1, 2)]
    rows = np.concatenate([values for _, values in store.iter_proteins(HOOK_POINT, asked)]).astype(np.float64)
    statistics = store.statistics(HOOK_POINT, asked)
    assert statistics.n_rows == len(rows)
    np.testing.assert_allclose(statistics.mean, rows.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(statistics.variance, rows.var(axis=0), rtol=1e-9)
    assert statistics.total_variance == pytest.approx(
        ((rows - rows.mean(axis=0)) ** 2).sum(axis=1).mean(), rel=1e-9
    )
    gamma = np.linalg.norm(rows.mean(axis=0)) / np.linalg.norm(rows.std(axis=0))
    assert statistics.outlier_ratio == pytest.approx(gamma, rel=1e-9)


def test_protein_means_are_in_the_order_requested(store):
    asked = [store.protein_ids[i] for i in (7, 1, 9, 2)]
    rows = dict(store.iter_proteins(HOOK_POINT, asked))
    expected = [rows[name].astype(np.float64).mean(axis=0) for name in asked]
    np.testing.assert_allclose(store.protein_means(HOOK_POINT, asked), expected, rtol=1e-6)
    with pytest.raises(InputError, match="have no activations"):
        store.protein_means(HOOK_POINT, ["P99999"])


def test_statistics_do_not_depend_on_the_order_asked(store):
    one, other = (store.statistics(HOOK_POINT, ids) for ids in (store.protein_ids, store.protein_ids[::-1]))
    np.testing.assert_array_equal(one.mean, other.mean)


def test_a_store_of_a_retired_arithmetic_is_still_read(copy):
    edit_manifest(copy, arithmetic="fast")
    assert ActivationStore(copy).manifest.arithmetic == "fast"


def test_orphans_are_ignored_and_named(copy, caplog):
    shutil.copyfile(copy / "shard-00000.parquet", copy / "shard-00009.parquet")
    assert len(ActivationStore(copy).protein_ids) == 11
    assert "ignoring files that its manifest does not list: shard-00009.parquet" in caplog.text


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "manifest.json").unlink(), r"manifest\.json is missing"),
        (lambda root: (root / "manifest.json").write_text("<html>"), "is not a manifest of format"),
        (lambda root: edit_manifest(root, format_version=1), r"version 2 \(format_version:"),
        (lambda root: (root / "shard-00001.parquet").unlink(), r"00001\.parquet is in the manifest but"),
        (lambda root: cut(root / "shard-00001.parquet"), r"has \d+ bytes, the manifest says \d+"),
        (lambda root: (root / "statistics.parquet").unlink(), r"cs\.parquet is in the manifest but"),
        (lambda root: replace_content(root / "shard-00001.parquet"), r"shard-00001\.parquet is not readable"),
        (lambda root: edit_manifest(root, shards=swapped), r"comes from another extraction"),
    ],
)  # fmt: skip
def test_a_folder_that_is_not_as_its_manifest_says_is_refused(copy, spoil, message):
    spoil(copy)
    with pytest.raises(InputError, match=message):
        ActivationStore(copy)


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("name", ["shard-00001.parquet", "statistics.parquet", "manifest.json"])
def test_a_flipped_byte_is_found_when_it_is_read(copy, name, share):
    flipped(share)(copy / name)
    with pytest.raises(InputError, match=re.escape(str(copy / name))):
        list(ActivationStore(copy).iter_proteins(HOOK_POINT))


def test_unknown_names_are_refused(store):
    with pytest.raises(InputError, match=r"no activations of hook point 'final_norm', only of layers\.1"):
        list(store.iter_proteins("final_norm"))
    with pytest.raises(InputError, match=r"2 proteins have no activations .*first: 'Q1'"):
        list(store.iter_proteins(HOOK_POINT, ["P01", "Q1", "Q2"]))
    with pytest.raises(InputError, match="named twice"):
        list(store.iter_proteins(HOOK_POINT, ["P01", "P01"]))
    with pytest.raises(InputError, match="over no proteins"):
        store.statistics(HOOK_POINT, [])


def edit_manifest(root, **changes):
    path = root / "manifest.json"
    content = json.loads(path.read_text()) | {"seal": None}
    for key, value in changes.items():
        content[key] = value(content[key]) if callable(value) else value
    path.write_text(json.dumps(content))


def swapped(shards):
    first, second, *others = shards
    first["fingerprint"], second["fingerprint"] = second["fingerprint"], first["fingerprint"]
    return [first, second, *others]


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def replace_content(path):
    path.write_bytes(b"x" * path.stat().st_size)
