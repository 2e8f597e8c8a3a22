"""Names of hook points."""

import pytest

from protsae.core.errors import InputError
from protsae.plm.hook_points import LAYER_KINDS, HookPoint, parse_hook_point


@pytest.mark.parametrize("kind", LAYER_KINDS)
@pytest.mark.parametrize("layer", [0, 3, 47])
def test_a_layer_point_is_read_and_written_back(kind, layer):
    name = f"layers.{layer}.{kind}"
    assert parse_hook_point(name, n_layers=48) == HookPoint(kind, layer)
    assert str(parse_hook_point(name)) == name


def test_the_final_norm_has_no_layer():
    assert parse_hook_point("final_norm", n_layers=1) == HookPoint("final_norm", None)
    assert str(HookPoint("final_norm")) == "final_norm"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "layers.2",
        "layers.2.resid",
        "layer.2.resid_post",
        "layers.-1.resid_post",
        "layers.02.resid_post",
        "layers.2.resid_post ",
        "layers.2.final_norm",
        "layers..attn_out",
        "layers.1٣.attn_out",
        f"layers.{'9' * 5000}.attn_out",
    ],
)
def test_another_name_is_refused_with_the_ones_that_exist(name):
    with pytest.raises(InputError, match=r"unknown: write layers\.<i>\.<kind>.*attn_out.*final_norm"):
        parse_hook_point(name)


def test_a_layer_out_of_range_is_refused_with_the_layers_that_exist():
    with pytest.raises(InputError, match=r"'layers\.4\.attn_out'.*4 layers, layers\.0 to layers\.3"):
        parse_hook_point("layers.4.attn_out", n_layers=4)
    assert parse_hook_point("layers.3.attn_out", n_layers=4).layer == 3
