"""The Python interface: ten names, each imported when it is used."""

import doctest
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.plm.tiny_esm2 import tiny_model
from tests.release.small_release import (
    D_SAE,
    HOOK_POINT,
    SEQUENCES,
    activations,
    small_checkpoint,
    small_content,
)
from tests.sae.interchange import foreign
from tests.sae.interchange.test_layouts import LAYOUTS, OPEN

import protsae
from protsae import api
from protsae.core.errors import InputError
from protsae.plm.forward import LOGITS, Esm2Forward
from protsae.release import ReleaseContent, write_release
from protsae.sae.checkpoint import SaeCheckpoint, save_sae
from protsae.sae.interchange import export_saelens

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def same_weights_in_any_order():
    foreign.reseed()


def in_a_new_process(code: str) -> None:
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_importing_protsae_imports_neither_torch_nor_pandas():
    in_a_new_process(
        "import sys, protsae; assert callable(protsae.load_sae) and callable(protsae.compare); "
        "heavy = {'torch', 'pandas', 'kedro', 'pyarrow'} & set(sys.modules); assert not heavy, heavy"
    )


def test_every_name_of_the_interface_is_there_and_typed():
    assert set(protsae._API) <= set(dir(protsae)) and len(protsae._API) == 10
    stub = (ROOT / "src/protsae/__init__.pyi").read_text()
    for name in protsae._API:
        assert getattr(protsae, name) is getattr(api, name)
        assert f"import {name} as {name}\n" in stub
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = protsae.nothing


@pytest.mark.end_to_end
@pytest.mark.parametrize("page", ["api.py", "api.md"])
def test_every_example_does_what_it_says(page):
    if page == "api.py":
        found = doctest.testmod(api, optionflags=doctest.ELLIPSIS)
    else:
        path = str(ROOT / "docs" / page)
        found = doctest.testfile(path, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted >= 12 and found.failed == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("release")


@pytest.fixture(scope="module")
def release(folder):
    """A release whose first latent is tied to a concept."""
    latents = pd.DataFrame(
        {
            "latent": range(D_SAE),
            "kind": "free",
            "name": ["one"] + [""] * (D_SAE - 1),
            "best_concept_name": ["", "two"] + [""] * (D_SAE - 2),
            "f1_test": 0.5,
            "f1_test_always_on": 0.25,
            "top_residues": "W 2.00",
            "sentence": "Fires on W.",
            "is_generated": [False, True] + [False] * (D_SAE - 2),
        }
    )
    matches = {"method": "small", "latent": [1, 1, 2], "concept_id": ["GO:2", "GO:3", "GO:4"]}
    shown = {"method": "small", "latent": [2, 1], "protein_id": ["b", "a"]}
    content = small_content(folder)
    tables = {
        **content.tables,
        "latents": latents,
        "latent_concepts": pd.DataFrame(matches),
        "latent_examples": pd.DataFrame(shown),
    }
    return write_release(folder / "release", small_content(folder, tables=tables))


@pytest.fixture(scope="module")
def sae(release):
    return protsae.load_sae(release)


@pytest.fixture(scope="module")
def plm(release):
    return protsae.load_plm(release)


@pytest.mark.parametrize("how", ["release", "folder", "checkpoint", "folder of checkpoint", "export"])
def test_our_own_dictionaries_load_and_know_what_they_were_made_for(how, release, sae, tmp_path):
    checkpoint = SaeCheckpoint(release.path / "sae.safetensors")
    if how == "export":
        export_saelens(checkpoint.load(), tmp_path / "export", checkpoint.metadata)
    save_sae(checkpoint.load(), tmp_path / "own" / "sae.safetensors", checkpoint.metadata)
    source = {
        "release": release,
        "folder": str(release.path),
        "checkpoint": tmp_path / "own" / "sae.safetensors",
        "folder of checkpoint": tmp_path / "own",
        "export": tmp_path / "export",
    }[how]
    found = protsae.load_sae(source)
    assert (found.hook_point, found.made_for.model, found.d_sae) == (HOOK_POINT, "tiny_0", D_SAE)
    assert (found.release is None) == (how not in {"release", "folder"})
    x = torch.linspace(-1, 1, 48).reshape(2, 24) + sae.sae.input_mean
    torch.testing.assert_close(found.sae(x), sae.sae(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", sorted(LAYOUTS.keys() - OPEN.keys()))
@pytest.mark.parametrize("as_folder", [False, True])
def test_foreign_layouts_load_without_a_word_where_the_file_tells(layout, as_folder, tmp_path):
    path, codes, reconstruction = LAYOUTS[layout](tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = protsae.load_sae(path.parent if as_folder and path.is_file() else path)
    x = foreign.INPUT.astype(np.float32)
    np.testing.assert_allclose(found.encode(x), codes, rtol=2e-5, atol=2e-5)
    np.testing.assert_allclose(found.decode(codes, like=x), reconstruction, rtol=2e-5, atol=2e-5)
    assert found.release is None and found.hook_point is None
    assert found.d_model == foreign.D_MODEL and "an unknown layer" in repr(found)


@pytest.mark.parametrize("marks", [{}, foreign.interplm_marks()], ids=["dictionary_learning", "interplm"])
@pytest.mark.parametrize("with_threshold", [True, False])
def test_a_topk_file_without_configuration_is_never_taken_for_another(marks, with_threshold, tmp_path):
    path, codes, _ = foreign.write_topk(tmp_path, None, **marks)
    state = torch.load(path, weights_only=True)
    if with_threshold:
        question, answer = "say which by `activation` topk or batch_topk", {"activation": "topk"}
    else:
        del state["threshold"], state["k"]
        question, answer = "does not hold k, the latents per token: give `k`", {"k": foreign.K}
    torch.save(state, path)
    with pytest.raises(InputError, match=question):
        protsae.load_sae(path)
    found = protsae.load_sae(path, **answer)
    assert found.architecture == "topk"
    x = foreign.INPUT.astype(np.float32)
    np.testing.assert_allclose(found.encode(x), codes, rtol=2e-5, atol=2e-5)


def test_a_k_that_the_file_contradicts_is_refused_and_that_of_the_config_is_taken(tmp_path):
    path, codes, _ = foreign.write_topk(tmp_path)
    with pytest.raises(InputError, match="holds k 3, 4 was given"):
        protsae.load_sae(path, k=4)
    state = torch.load(path, weights_only=True)
    del state["threshold"], state["k"]
    torch.save(state, path)
    found = protsae.load_sae(path).encode(foreign.INPUT.astype(np.float32))
    np.testing.assert_allclose(found, codes, rtol=2e-5, atol=2e-5)


def test_interprot_without_k_says_what_was_assumed(tmp_path):
    path, *_ = foreign.write_interprot(tmp_path)
    state = load_file(path)
    wide = {name: value.repeat_interleave(20, dim=-1) for name, value in state.items() if "enc" in name}
    save_file({**state, **wide, "w_dec": state["w_dec"].repeat_interleave(20, dim=0)}, path)
    assert "taken as its default, 128" in protsae.load_sae(path).notes[0]


def test_what_is_nothing_or_something_else_is_refused(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist: give 'demo', 'demo_topk', 'antibody'"):
        protsae.load_sae("nowhere")
    with pytest.raises(InputError, match="holds no autoencoder of a known layout"):
        protsae.load_sae(tmp_path)
    with pytest.raises(InputError, match="no model file nowhere"):
        protsae.load_plm("nowhere")


def test_extract_gives_what_the_forward_pass_gives_window_by_window(plm, sae):
    one, *others = protsae.extract([SEQUENCES[0], *SEQUENCES], plm, sae)
    assert torch.equal(torch.cat(others), activations(plm))
    assert torch.equal(one, protsae.extract(SEQUENCES[0], plm, HOOK_POINT))
    long = "MKWA" * 300  # two windows, cut in the middle of what they share
    windows = Esm2Forward(plm, [HOOK_POINT]).run([long[:1022], long[-1022:]])[HOOK_POINT]
    expected = torch.cat([windows[:600], windows[1022 + 600 - 178 :]])
    assert torch.equal(protsae.extract(long, plm, HOOK_POINT), expected)
    assert protsae.extract([], plm, HOOK_POINT) == []


def test_extract_refuses_other_models_layers_that_are_not_there_and_letters(plm, sae, tmp_path):
    with pytest.raises(InputError, match=r"made for language model 'tiny_0'.* applied to 'tiny_1'"):
        protsae.extract("MKW", tiny_model(tmp_path, seed=1), sae)
    with pytest.raises(InputError, match="the model has 3 layers"):
        protsae.extract("MKW", plm, "layers.3.resid_post")
    with pytest.raises(InputError, match="'\\*' at position 3"):
        protsae.extract("MK*W", plm, sae)
    with pytest.raises(InputError, match="sequence 2 is empty"):
        protsae.extract(["MKW", ""], plm, sae)
    with pytest.raises(InputError, match=r"hook point 'resid_post' is unknown: write layers\.<i>"):
        protsae.extract("MKW", plm, "resid_post")
    path, *_ = foreign.write_relu(tmp_path)
    with pytest.raises(InputError, match="'ae' does not say which layer it was made for"):
        protsae.extract("MKW", plm, protsae.load_sae(path))


def test_encode_and_decode_are_the_modules_and_leave_no_gradient(sae, plm):
    x = protsae.extract(SEQUENCES[0], plm, sae)
    codes = protsae.encode(sae, x)
    with torch.no_grad():
        assert torch.equal(codes, sae.sae.encode(x))
        assert torch.equal(protsae.decode(sae, codes), sae.sae(x))
    assert torch.equal(protsae.encode(sae, x.double().numpy()), codes)
    assert not codes.requires_grad
    with pytest.raises(InputError, match="codes have 47 latents, dictionary 'small' has 48"):
        protsae.decode(sae, codes[:, :47])


def test_activations_of_another_scale_are_refused_or_warned_of(sae, plm):
    x = 10 * protsae.extract(SEQUENCES[0], plm, sae)
    with pytest.raises(InputError, match="root mean square"):
        protsae.encode(sae, x)
    with pytest.warns(UserWarning, match=r"root mean square of .*, those that dictionary 'small'"):
        codes = protsae.encode(sae, x, accept_mismatch=True)
    with torch.no_grad():
        assert torch.equal(codes, sae.sae.encode(x))


def test_explain_finds_a_latent_by_number_and_says_who_wrote_what(sae):
    assert str(protsae.explain(sae, 0)) == "latent 0: one\nFires on W.\nfires on: W 2.00"
    card = protsae.explain(sae, 1)
    assert str(card).splitlines()[:3] == [
        "latent 1",
        "Fires on W. [written by a language model]",
        "best concept: two (F1 on test 0.50, always on 0.25)",
    ]
    assert card.concepts["concept_id"].tolist() == ["GO:2", "GO:3"]
    assert card.examples.to_dict("list") == {"protein_id": ["a"]}
    with pytest.raises(InputError, match="has no latent 48: give 0 to 47"):
        protsae.explain(sae, 48)


def test_explain_needs_tables_and_a_concept_that_is_there(sae, tmp_path):
    alone = protsae.load_sae(sae.release.path / "sae.safetensors")
    with pytest.raises(InputError, match="'small' has no tables: they are in a release"):
        protsae.explain(alone, 0)
    with pytest.raises(InputError, match="no latent for the concept 'GO:1'"):  # no latent is tied to it
        protsae.explain(sae, "GO:1")


def test_named_latents_are_found_by_id_and_by_name():
    demo = protsae.load_sae("demo")
    by_id, by_name = protsae.explain(demo, "GO:0003677"), protsae.explain(demo, "dna BINDING")
    assert by_id.latent == by_name.latent == demo.concept_ids.index("GO:0003677")
    with pytest.raises(InputError, match=r"near ones: .*DNA binding"):
        protsae.explain(demo, "DNA bindin")


def test_predict_takes_a_file_a_text_or_sequences_by_name(tmp_path):
    sequences = {"a": "MKTAYIAKQRQISFVKSHFSRQ", "b": "EVQLVESGGGLVQPGGSLRLSCAAS"}
    (tmp_path / "two.fasta").write_text("".join(f">{name}\n{text}\n" for name, text in sequences.items()))
    by_name = protsae.predict(sequences).table("concept_scores")
    by_file = protsae.predict(tmp_path / "two.fasta", folder=tmp_path / "made").table("concept_scores")
    pd.testing.assert_frame_equal(by_name, by_file)
    assert (tmp_path / "made" / "prediction.json").is_file()
    alone = protsae.predict(sequences["a"], protsae.load_sae("demo")).table("concept_scores")
    assert set(alone["protein_id"]) == {"sequence"}
    column = next(name for name in alone if name.endswith("_probability"))
    np.testing.assert_allclose(alone[column], by_name.loc[by_name["protein_id"] == "a", column], rtol=1e-5)
    with pytest.raises(InputError, match="'nothing' has '\\*' at position 2"):
        protsae.predict({"nothing": "M*K"})


def test_splice_leaves_the_model_alone_unless_something_is_edited(sae, plm):
    sequence = SEQUENCES[1]
    kept = protsae.splice(sae, plm, sequence)
    torch.testing.assert_close(kept.after, kept.before, rtol=0, atol=1e-4)
    assert torch.equal(kept.before.exp().sum(dim=1), kept.before.exp().sum(dim=1))
    torch.testing.assert_close(kept.before.exp().sum(dim=1), torch.ones(len(sequence)))
    silent = protsae.splice(sae, plm, sequence, lambda codes: codes * 0)
    assert (silent.after - silent.before).abs().max() > 0.1


def test_splice_is_a_patched_run(sae, plm):
    sequence, forward = SEQUENCES[1], Esm2Forward(plm, [])
    with torch.no_grad():
        runs = [
            forward.run([sequence], patches, logits=True)[LOGITS]
            for patches in ({}, {HOOK_POINT: sae.sae}, {HOOK_POINT: lambda x: x + 2 * sae.decoder[5]})
        ]
    columns = [plm.module.alphabet.get_idx(letter) for letter in "ACDEFGHIKLMNPQRSTVWY"]
    expected = [torch.log_softmax(run[:, columns], dim=1) for run in runs]
    found = protsae.splice(sae, plm, sequence, keep_error=False)
    torch.testing.assert_close(found.before, expected[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(found.after, expected[1], rtol=1e-5, atol=1e-5)
    step = 2 * float(sae.sae.input_scale)  # codes are in scaled units

    def raised(codes):
        codes[:, 5] += step
        return codes

    found = protsae.splice(sae, plm, sequence, raised)
    torch.testing.assert_close(found.after, expected[2], rtol=1e-3, atol=1e-3)
    with pytest.raises(InputError, match=r"the edit returns \[60\], codes are \[60, 48\]"):
        protsae.splice(sae, plm, sequence, lambda codes: codes.sum(dim=1))


def test_stored_activations_of_any_origin_are_read(tmp_path):
    table = pd.DataFrame({"protein_id": ["a", "a", "b"], "act": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]})
    table.to_parquet(tmp_path / "acts.parquet")
    store = protsae.read_activations(tmp_path)
    found = {name: x.tolist() for name, x in store.iter_proteins(store.hook_points[0])}
    assert found == {"a": [[1, 2], [3, 4]], "b": [[5, 6]]}


def test_a_dictionary_compared_with_its_permutation_finds_it(sae, plm, tmp_path):
    order = torch.randperm(D_SAE, generator=torch.Generator().manual_seed(0))
    other = small_checkpoint(tmp_path, plm).load()
    with torch.no_grad():
        other.W_dec.copy_(other.W_dec[order])
        other.W_enc.copy_(other.W_enc[:, order])
    about = SaeCheckpoint(sae.release.path / "sae.safetensors").metadata
    save_sae(other, tmp_path / "other.safetensors", {**about, "name": "other"})
    x = protsae.extract(SEQUENCES[0], plm, sae)
    summary, matches = protsae.compare(sae, protsae.load_sae(tmp_path / "other.safetensors"), x)
    assert matches["nearest"].tolist() == torch.argsort(order).tolist()
    np.testing.assert_allclose(matches["cosine"], 1)
    assert matches["name"].tolist()[:3] == ["one", "two", ""] and set(matches["nearest_name"]) == {""}
    residual = (sae.decode(sae.encode(x)) - x).square().sum()
    fve = 1 - float(residual / (x - x.mean(dim=0)).square().sum())
    assert summary.columns.tolist() == ["small", "other"]
    assert summary.loc["FVE"].tolist() == [pytest.approx(fve, abs=1e-4)] * 2
    assert summary.loc["active latents per residue", "small"] == round(
        float((sae.encode(x) > 0).sum(dim=1).float().mean()), 2
    )
    assert summary.loc["FVE on record", "small"] == 0.9


def test_latents_that_never_fire_are_nobodys_nearest(sae, folder):
    latents = sae.release.latents.assign(max_act=[0.0, 1.0] + [2.0] * (D_SAE - 2))
    content = ReleaseContent(sae.release.checkpoint, sae.release.record.data, {"latents": latents})
    silent = protsae.load_sae(write_release(folder / "silent", content))
    matches = protsae.compare(sae, silent).matches
    assert (matches["nearest"] != 0).all()
    assert matches["nearest"].tolist()[1:] == list(range(1, D_SAE))
    np.testing.assert_allclose(matches["cosine"], [0] + [1] * (D_SAE - 1))


def test_dictionaries_of_other_models_are_not_compared(sae):
    with pytest.raises(InputError, match="'small' was made for width 24, 'protsae' for 160"):
        protsae.compare(sae, protsae.load_sae("demo"))
    with pytest.raises(InputError, match=r"model esm2_mini .*, 'protsae' for esm2_antibody \(sha256 c4d5"):
        protsae.compare(protsae.load_sae("demo"), protsae.load_sae("antibody"))
