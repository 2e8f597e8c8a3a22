"""Configs refuse what cannot be trained."""

import pytest
from pydantic import ValidationError

from protsae.sae.config import GuidanceConfig, ProtSaeConfig, TopKConfig, parse_config


def test_k_above_the_dictionary_is_refused():
    with pytest.raises(ValidationError, match="k 17 needs as many free latents, but d_sae 16 leaves 16"):
        TopKConfig(d_model=4, d_sae=16, k=17)
    assert TopKConfig(d_model=4, d_sae=16, k=16).n_free == 16


def test_k_above_the_free_latents_is_refused():
    with pytest.raises(ValidationError, match="d_sae 16 leaves 13"):
        ProtSaeConfig(d_model=4, d_sae=16, k=14, concept_ids=("a", "b", "c"))
    assert ProtSaeConfig(d_model=4, d_sae=16, k=13, concept_ids=("a", "b", "c")).n_free == 13


def test_residue_level_names_concepts():
    settings = {"d_model": 4, "d_sae": 16, "k": 2, "concept_ids": ("a", "b", "c")}
    with pytest.raises(ValidationError, match="residue_level names d, which is not in concept_ids"):
        ProtSaeConfig(**settings, residue_level=("b", "d"))
    assert ProtSaeConfig(**settings, residue_level=("c", "a")).residue_level == ("c", "a")
    assert ProtSaeConfig(**settings).residue_level == ()


def test_unknown_switch_names_the_nearest():
    with pytest.raises(ValidationError, match="did you mean 'forced_activation'"):
        GuidanceConfig(forced_activations=True)


def test_architecture_decides_the_model():
    assert isinstance(parse_config({"architecture": "topk", "d_model": 4, "d_sae": 8, "k": 2}), TopKConfig)
    with pytest.raises(ValidationError, match="gated"):
        parse_config({"architecture": "gated", "d_model": 4, "d_sae": 8, "k": 2})
