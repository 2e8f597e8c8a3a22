"""Names, order and colours of dictionaries follow from the configuration alone."""

import re
from pathlib import Path

import pytest

from protsae.core.errors import InputError
from protsae.reporting import dictionaries as module
from protsae.reporting.dictionaries import Dictionaries

ROOM = Path(module.__file__).parent


def make(names="a b c", guided="", subject="a", rival=None, **architectures):
    known = {name: "protsae" if name in guided.split() else "topk" for name in names.split()}
    return Dictionaries({**known, **architectures}, subject, rival)


def test_subject_and_rival_come_first_and_have_their_colours():
    found = make("d a b c", subject="b", rival="a")
    assert found.order == ("b", "a", "d", "c")
    assert [found.colour(name) for name in found.order] == ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]
    assert found.colour("neurons") == "#8A929E"


def test_free_latents_are_lighter_in_guided_dictionaries_alone():
    found = make("a b c", guided="a c", rival="b")
    colours = {(name, kind): found.latent_colour(name, kind) for name in "abc" for kind in found.kinds(name)}
    assert colours == {
        ("a", "defined"): "#0072B2",
        ("a", "free"): "#56B4E9",
        ("b", "free"): "#D55E00",
        ("c", "defined"): "#009E73",
        ("c", "free"): "#7FCEB9",
    }


def test_labels_are_architectures_with_names_where_ambiguous():
    found = make("a b c d", guided="a", c="gated", d="mine")
    assert [found.label(name) for name in "abcd"] == ["ProtSAE", "TopK SAE", "Gated SAE", "mine SAE"]
    shared = make("wide narrow", subject="wide")
    assert [shared.label(name) for name in shared.names] == ["TopK SAE (wide)", "TopK SAE (narrow)"]
    assert shared.method_label("wide_latent") == "TopK (wide) best latent"


@pytest.mark.parametrize(
    ("method", "label", "in_text"),
    [
        ("a", "ProtSAE", "ProtSAE"),
        ("a_latent", "ProtSAE defined latent", "ProtSAE defined latent"),
        ("a_predictor", "ProtSAE predictor", "ProtSAE predictor"),
        ("a_probe", "Probe on ProtSAE latents", "probe on ProtSAE latents"),
        ("a_gate", "ProtSAE predictor, gated, no dictionary", None),
        ("gated_linear_probe", "Gated probe, no dictionary", "gated probe, no dictionary"),
        ("a_k1", "Probe on 1 ProtSAE latent", "probe on 1 ProtSAE latent"),
        ("a_k20", "Probe on 20 ProtSAE latents", "probe on 20 ProtSAE latents"),
        ("neurons_k5", "Probe on 5 neurons", "probe on 5 neurons"),
        ("random_directions_latent", "Best random direction", "best random direction"),
        ("linear_probe", "Linear probe on activations", "linear probe on activations"),
        ("random_plm_gated", "Gated SAE on a model with random weights", None),
        ("somebody_else", "somebody_else", "somebody_else"),
    ],
)
def test_methods_have_labels(method, label, in_text):
    found = make("a", guided="a")
    assert found.method_label(method) == label
    assert found.label_in_text(method) == (in_text or label)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"subject": "x"}, "subject 'x' is not a dictionary of this run: choose from a, b, c"),
        ({"rival": "x"}, "rival 'x'"),
        ({"rival": "a"}, "'a' is both subject and rival"),
    ],
)
def test_wrong_choices_are_refused(changed, message):
    with pytest.raises(InputError, match=re.escape(message)):
        make(**changed)


def test_no_other_file_of_the_room_names_a_dictionary():
    files = [path for path in ROOM.rglob("*.*") if path.suffix in (".py", ".js", ".css", ".j2")]
    assert len(files) > 15
    named = [
        path.name
        for path in files
        if path.name not in ("dictionaries.py", "paper_table.py")  # the paper's table names architectures
        and re.search(r"[\"'-]topk|protsae[_-](latent|pred|probe|free|def)", path.read_text(encoding="utf-8"))
    ]
    assert named == []


def test_controls_stand_directly_under_the_latents_that_they_are_controls_of():
    found = make("a b", guided="a", rival="b")
    scores = {"b_latent": 0.7, "gated_linear_probe": 0.9, "a_probe": 0.8, "x": None, "a_latent": 0.75}
    own = {"a_gate": 0.6, **scores}
    expected = ["a_probe", "a_latent", "a_gate", "gated_linear_probe", "b_latent", "x"]
    assert found.ranked(own) == expected
    del scores["a_latent"]
    assert found.ranked(scores) == ["gated_linear_probe", "a_probe", "b_latent", "x"]
    unguided = make("a b", rival="b")
    assert unguided.ranked({"a_latent": 0.7, "gated_linear_probe": 0.9}) == ["gated_linear_probe", "a_latent"]
