"""Prediction from Python."""

import pandas as pd
import pytest
from tests.prediction.small import small_release

import protsae
from protsae.core.errors import InputError


def test_text_mapping_and_file_give_the_same_rows(tmp_path):
    release = small_release(tmp_path)
    path = tmp_path / "my.fasta"
    path.write_text(">a\nMKTAYIAKQRQISF\n")
    by_id = protsae.predict({"a": "mktayiakqrqisf"}, release).table("concept_scores")
    of_file = protsae.predict(path, release.path, folder=tmp_path / "out").table("concept_scores")
    of_text = protsae.predict("MKTAYIAKQRQISF", release).table("concept_scores")
    pd.testing.assert_frame_equal(by_id, of_file)
    pd.testing.assert_frame_equal(by_id.assign(protein_id="sequence"), of_text)
    assert (tmp_path / "out/prediction.json").exists()


def test_a_temporary_folder_lives_as_long_as_the_result(tmp_path):
    found = protsae.predict("MKTAYIAKQRQISF", small_release(tmp_path), max_latents=2)
    folder = found.path
    assert len(found.table("active_latents")) <= 2
    del found
    assert not folder.exists()


def test_nothing_is_an_error(tmp_path):
    for name in ("", " ", "a;b", "a\nb", "a\tb"):
        with pytest.raises(InputError, match=r"of a protein is blank, or holds ';' or a control character"):
            protsae.predict({name: "MKV"}, small_release(tmp_path))
    with pytest.raises(InputError, match="no protein is given"):
        protsae.predict({}, small_release(tmp_path))
