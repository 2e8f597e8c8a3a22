import pytest
from pydantic import ValidationError

from protsae.core.config import Config, unknown_key_message


class Example(Config):
    k: int = 32
    d_sae: int = 64


def test_unknown_key_is_refused_with_the_nearest_name():
    with pytest.raises(ValidationError, match=r"unknown key 'kk', did you mean 'k'\?"):
        Example(kk=3)


def test_all_unknown_keys_are_named_at_once():
    with pytest.raises(ValidationError) as caught:
        Example(d_sea=3, zzz=1)
    assert "did you mean 'd_sae'?" in str(caught.value)
    assert "unknown key 'zzz', known keys: d_sae, k" in str(caught.value)


def test_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Example().k = 3


def test_message_without_a_near_name_lists_the_known_keys():
    assert unknown_key_message("qqqq", ["b", "a"]) == "unknown key 'qqqq', known keys: a, b"
