"""Releases: written whole, opened lightly, and a clear word on what is none."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pandas as pd
import pytest
import torch
from tests.damaged_files import flipped
from tests.plm.tiny_esm2 import tiny_esm2, tiny_model, write_safetensors
from tests.release.small_release import HOOK_POINT, activations, small_checkpoint, small_content

from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, sha256_file, write_text_atomic
from protsae.release import Release, open_release, write_release
from protsae.sae.checkpoint import SaeCheckpoint, save_sae


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    return small_content(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def written(content, tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("made") / "release", content).path


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "release")


def test_a_release_comes_back_whole(content, written):
    release = open_release(written)
    about = release.record
    assert (release.name, about.architecture, about.d_model) == ("small", "topk", 24)
    assert about.hook_point == HOOK_POINT
    assert about.data == content.data and about.attribution == ("nobody",)
    for name, table in content.tables.items():
        pd.testing.assert_frame_equal(getattr(release, name), table)
    x = activations(release.load_plm())
    assert torch.equal(release.load_sae()(x), content.checkpoint.load()(x))
    assert about.language_model.sha256 == sha256_file(written / "plm.safetensors")
    assert release.load_plm().name == "tiny_0"


def test_what_is_on_record_is_what_the_checkpoint_says(content, written):
    on_record = open_release(written).record.activations
    assert on_record.model_dump() == content.checkpoint.metadata["activations"]


def test_same_content_same_bytes(content, written, tmp_path):
    again = write_release(tmp_path / "again", content).path
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in written.iterdir()
    }


def test_opening_and_reading_tables_needs_no_torch(written):
    code = (
        "import sys; from protsae.release import open_release; "
        f"assert len(open_release({str(written)!r}).latents) == 48; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_table_that_is_not_there_is_named_when_asked_for(written):
    release = open_release(written)
    assert not release.has("concept_scorers")
    with pytest.raises(
        InputError, match="has no table concept_scorers; its tables: concepts, latents, train_sequences"
    ):
        _ = release.concept_scorers


@pytest.mark.parametrize("name", ["sae.safetensors", "plm.safetensors", "latents.parquet"])
def test_a_flipped_bit_is_refused_by_the_file_it_is_in(folder, name):
    flipped(0.5)(folder / name)
    release = Release(folder)
    read = {"sae": release.load_sae, "plm": release.load_plm, "latents": lambda: release.latents}
    with pytest.raises(InputError, match=rf"{name} is damaged: .*fetch .* again, or make it again"):
        read[name.split(".")[0]]()


def test_a_changed_record_is_refused(folder):
    path = folder / "release.json"
    path.write_text(path.read_text().replace("layers.1", "layers.2"))
    with pytest.raises(InputError, match=r"release\.json is damaged"):
        Release(folder)


def test_a_missing_or_cut_file_is_named(folder):
    size = (folder / "latents.parquet").stat().st_size
    (folder / "latents.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=rf"latents\.parquet has 4 bytes, release\.json says {size}; fetch"):
        Release(folder)
    (folder / "latents.parquet").unlink()
    with pytest.raises(InputError, match=r"latents\.parquet is missing"):
        Release(folder)


def _record_with(folder, **changes):
    about = json.loads((folder / "release.json").read_text())
    write_text_atomic(
        folder / "release.json", json.dumps({**about, "seal": UNSEALED, **changes}), sealed=True
    )


def test_a_record_that_points_out_of_its_folder_is_refused(folder):
    about = json.loads((folder / "release.json").read_text())
    for name in ("../sae.safetensors", "/etc/hosts", "a/b"):
        _record_with(folder, files=about["files"] | {name: {"n_bytes": 1, "sha256": "0"}})
        with pytest.raises(InputError, match=f"lists '{name}', which is no file of the folder"):
            Release(folder)


def test_a_language_model_that_is_given_is_not_passed_over(folder, tmp_path):
    release = Release(folder)
    with pytest.raises(InputError, match=r"no model file .*nope\.pt"):
        release.load_plm(tmp_path / "nope.pt")
    (tmp_path / "other").mkdir()
    tiny_model(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match=r"made for language model 'tiny_0'.* applied to 'tiny_1'"):
        release.load_plm(tmp_path / "other/tiny_1.safetensors")


def test_newer_foreign_and_invalid_records_say_what_to_do(folder, tmp_path):
    _record_with(folder, format_version=2)
    with pytest.raises(InputError, match="format version 2, this protsae reads up to 1: install a newer"):
        Release(folder)
    _record_with(folder, format_version=1, hook_point=None)
    with pytest.raises(InputError, match=r"is not valid .*hook_point"):
        Release(folder)
    _record_with(folder, format="protsae.residue_codes")
    with pytest.raises(InputError, match=r"is of format 'protsae\.residue_codes', not protsae\.release"):
        Release(folder)
    (folder / "release.json").write_text("{")
    with pytest.raises(InputError, match="is no record of a release"):
        Release(folder)
    with pytest.raises(InputError, match=r"is no release: it has no release\.json"):
        open_release(tmp_path)
    with pytest.raises(InputError, match="is no folder: give that of a release, or one of demo, demo_topk"):
        open_release(tmp_path / "nothing")


def test_a_release_is_replaced_and_another_folder_is_not(content, folder, tmp_path):
    smaller = replace(content, tables={}, plm=None)
    assert not (write_release(folder, smaller).path / "latents.parquet").exists()
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="holds something else than a release"):
        write_release(other, smaller)
    assert (other / "thesis.tex").exists()


def test_a_failed_writing_leaves_the_old_release(content, folder):
    before = (folder / "release.json").read_bytes()
    broken = pd.DataFrame({"latent": [{"no": 1}, 2]})
    with pytest.raises(Exception, match=r".+"):
        write_release(folder, replace(content, tables={"concept_scorers": broken}))
    assert (folder / "release.json").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_tables_and_models_of_others_are_refused(content, tmp_path):
    with pytest.raises(InputError, match="a release has no table 'cards'"):
        write_release(tmp_path / "r", replace(content, tables={"cards": pd.DataFrame()}))
    with pytest.raises(InputError, match=r"table latents has latent 48, .* has 48: it is of another"):
        write_release(tmp_path / "r", replace(content, tables={"latents": pd.DataFrame({"latent": [48]})}))
    other = write_safetensors(tmp_path / "other.safetensors", tiny_esm2(1))
    with pytest.raises(InputError, match="is not the language model 'tiny_0'"):
        write_release(tmp_path / "r", replace(content, plm=other))
    save_sae(content.checkpoint.load(), tmp_path / "x.safetensors", {"hook_point": HOOK_POINT})
    nameless = replace(content, checkpoint=SaeCheckpoint(tmp_path / "x.safetensors"))
    with pytest.raises(InputError, match="does not say which language model"):
        write_release(tmp_path / "r", nameless)
    assert not (tmp_path / "r").exists()


def test_weights_that_are_not_inside_are_asked_for_and_compared(content, tmp_path):
    release = write_release(tmp_path / "release", replace(content, plm=None))
    with pytest.raises(InputError, match="does not hold the weights of its language model 'tiny_0'"):
        release.load_plm()
    assert release.load_plm(content.plm).sha256 == sha256_file(content.plm)
    other = write_safetensors(tmp_path / "other.safetensors", tiny_esm2(1))
    with pytest.raises(InputError, match=r"for language model 'tiny_0' .* applied to 'other'"):
        release.load_plm(other)


def test_the_handle_checks_model_and_batch(written, tmp_path):
    release = open_release(written)
    assert release.check_model(release.load_plm(), hook_point=HOOK_POINT) == []
    with pytest.raises(InputError, match=r"layers\.1\.resid_post and is applied to layers\.0\.resid_post"):
        release.check_model(release.load_plm(), hook_point="layers.0.resid_post")
    x = activations(release.load_plm())
    assert release.check_batch(x) == []
    assert len(release.check_batch(10 * x, accept_mismatch=True)) == 1


def test_a_checkpoint_from_before_the_statistics_has_them_from_its_buffers(content, tmp_path):
    about = {k: v for k, v in content.checkpoint.metadata.items() if k != "activations"}
    save_sae(
        content.checkpoint.load(),
        tmp_path / "old.safetensors",
        {**about, "training": {"validation/fve": 0.5}},
    )
    old = replace(content, checkpoint=SaeCheckpoint(tmp_path / "old.safetensors"))
    found = write_release(tmp_path / "release", old).record.activations
    expected = content.checkpoint.metadata["activations"]
    assert found.mean_norm == pytest.approx(expected["mean_norm"], rel=1e-6)
    assert found.total_variance == pytest.approx(expected["total_variance"], rel=1e-6)
    assert (found.n_residues, found.fve) == (None, 0.5)


def test_the_small_dictionary_is_of_its_model(tmp_path):
    model = tiny_model(tmp_path)
    sae, x = small_checkpoint(tmp_path, model).load(), activations(model)
    fve = 1 - (sae(x) - x).square().sum() / (x - x.mean(dim=0)).square().sum()
    assert fve > 0.99
