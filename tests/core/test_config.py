import pytest
from pydantic import ValidationError

from protsae.core.config import Config, Share, Slug, unknown_key_message


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


class Numbers(Config):
    share: Share = 0.5
    several: tuple[float, ...] | None = None
    by_name: dict[str, float] | None = None
    name: Slug = "a"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), "nan", "1e999"])
def test_numbers_are_finite(value):
    for given in ({"share": value}, {"several": (0.0, value)}, {"by_name": {"a": value}}):
        with pytest.raises(ValidationError, match=r"finite number|less than|greater than"):
            Numbers.model_validate(given)


@pytest.mark.parametrize("value", [1 << 63, -(1 << 63), 10**400])
def test_whole_numbers_have_at_most_64_bits(value):
    class Ints(Config):
        one: int = 0
        several: tuple[int, ...] = ()

    for given in ({"one": value}, {"several": (0, value)}):
        with pytest.raises(ValidationError, match="more than 64 bits"):
            Ints.model_validate(given)
    assert Ints(one=(1 << 63) - 1, several=(True,)).one == 2**63 - 1


BAD_NAMES = ["../../x", "/etc/x", "..", ".x", "a/b", "a\0b", "a b", "", "x" * 200, "a\n", "-rf", "é"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_files_are_slugs(name):
    with pytest.raises(ValidationError, match="name"):
        Numbers(name=name)
    assert Numbers(name="topk_2.a+b-C").name == "topk_2.a+b-C"


def test_config_is_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Example().k = 3


def test_message_without_a_near_name_lists_the_known_keys():
    assert unknown_key_message("qqqq", ["b", "a"]) == "unknown key 'qqqq', known keys: a, b"
