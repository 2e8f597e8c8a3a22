"""From the settings of a dictionary to its training: defaults, what differs, what is refused."""

import pytest
from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sae.config import CONFIGS, GuidanceConfig, has_predictor, knows_concepts
from protsae.sae.registry import ARCHITECTURES
from protsae.training.config import DictionariesConfig, DictionaryConfig, DictionaryList, TrainerConfig
from protsae.training.dictionaries import Defaults, Dictionary

GUIDANCE = {"protsae": {"guidance": GuidanceConfig().model_dump()}}
DEFAULTS = Defaults(8, 64, 4, 7, TrainerConfig(epochs=5), GUIDANCE, n_concepts=3)


def completed(**given) -> Dictionary:
    found = Dictionary.of("mine", DictionaryConfig(**given), DEFAULTS)
    found.check("mine", DEFAULTS)
    return found


def test_configs_are_those_of_the_registry():
    assert set(ARCHITECTURES) == set(CONFIGS)
    assert {name for name in CONFIGS if knows_concepts(name)} == {"protsae", "splice"}
    assert {name for name in CONFIGS if has_predictor(name)} == {"protsae"}


def test_what_an_entry_leaves_open_is_as_in_training():
    found = completed(architecture="topk")
    assert (found.name, found.size, found.trainer.epochs, found.settings) == ("mine", (64, 4, 7), 5, {})


def test_what_an_entry_says_differs_block_by_block():
    found = completed(
        architecture="protsae",
        d_sae=32,
        k=2,
        seed=0,
        settings={"guidance": {"gate": "half"}, "aux_coefficient": 0.5},
        trainer={"epochs": 2},
    )
    assert found.size == (32, 2, 0)
    assert (found.trainer.epochs, found.trainer.residues_per_protein) == (2, 32)
    assert found.settings == {"guidance": GuidanceConfig(gate="half").model_dump(), "aux_coefficient": 0.5}


def test_k_steers_an_architecture_that_a_penalty_keeps_sparse():
    assert completed(architecture="gated", k=16).settings == {"target_l0": 16.0}
    assert completed(architecture="gated").settings == {}  # the default k is no wish
    assert completed(architecture="relu", k=16, settings={"target_l0": 3.0}).settings == {"target_l0": 3.0}
    assert completed(architecture="gated").with_l0(5.2).settings == {"target_l0": 5.2}
    assert completed(architecture="topk").with_l0(5.2).size.k == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"architecture": "top_k"}, "architecture 'top_k' of mine is not known: .*topk"),
        ({"architecture": "gba", "k": 3}, "mine: .*unknown key 'target_l0'"),
        ({"architecture": "topk", "k": 65}, "mine: .*k 65 needs as many free latents"),
        ({"architecture": "protsae", "k": 62}, "d_sae 64 leaves 61"),
        ({"architecture": "topk", "settings": {"aux": 1}}, "mine: .*unknown key 'aux'"),
        ({"architecture": "topk", "trainer": {"epoch": 1}}, "trainer of mine: .*did you mean 'epochs'"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(given, message):
    with pytest.raises(InputError, match=message):
        completed(**given)


def test_a_guided_dictionary_needs_concepts():
    config = DictionaryConfig(architecture="protsae")
    without = Defaults(8, 64, 4, 7, TrainerConfig(), GUIDANCE)
    with pytest.raises(InputError, match="mine: there are no concepts to guide protsae"):
        Dictionary.of("mine", config, without).check("mine", without)


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({}, "there is no dictionary"),
        ({"topk": None}, "there is no dictionary"),
        ({"../../x": {"architecture": "topk"}}, "a dictionary cannot be called '../../x'"),
        ({"references": {"architecture": "topk"}}, "cannot be called 'references'"),
        ({"a": {"architecture": "tok"}}, "a: architecture 'tok' is not known"),
        ({"a": {"architecture": "topk", "kk": 1}}, "unknown key 'kk', did you mean 'k'"),
    ],
)
def test_lists_that_make_no_sense_are_refused(listed, message):
    with pytest.raises(ValidationError, match=message):
        DictionariesConfig.model_validate(listed)


def test_a_list_is_read_as_written_and_as_kedro_hands_it_to_nodes():
    written = {"a": {"architecture": "protsae"}, "b": None, "c": {"architecture": "topk", "k": 3}}
    read = DictionariesConfig.model_validate(written).root
    for listed in (written, read):
        assert DictionaryList.architectures_of(listed) == {"a": "protsae", "c": "topk"}
    dictionaries = DictionaryList({"a": "protsae", "c": "topk"})
    assert (dictionaries.names, dictionaries.guided) == (("a", "c"), ("a",))
    assert dictionaries.predicting == ("a",)
