"""Lists become members: every combination, checked before anything is trained."""

import pytest
from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sae.config import GuidanceConfig
from protsae.sweeps.config import SweepConfig
from protsae.sweeps.members import expand
from protsae.training.config import TrainerConfig
from protsae.training.dictionaries import Defaults

GUIDANCE = {"protsae": {"guidance": GuidanceConfig().model_dump()}}
BASE = Defaults(8, 64, 4, 0, TrainerConfig(epochs=5), GUIDANCE, 3)


def _expand(members, ablations=None, **changes):
    given = {"seeds": [0, 1], "hook_points": ["a"], "members": members, "ablations": ablations or {}}
    return expand(SweepConfig.model_validate({**given, **changes}), BASE)


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a\0"])
def test_names_that_lead_elsewhere_are_refused(name):
    entry = {"architecture": "topk"}
    for given in (
        {"members": [entry | {"name": name}]},
        {"members": [entry | {"match_l0": name}]},
        {"members": [entry | {"hook_points": [name]}]},
        {"members": [entry], "hook_points": [name]},
        {"members": [entry], "ablations": {name: {}}},
    ):
        with pytest.raises(ValidationError, match="should match pattern"):
            _expand(**given)


def test_an_entry_is_every_combination_of_its_values():
    members = _expand([{"architecture": "topk", "k": [2, 8], "hook_points": ["a", "b"]}])
    assert [member.member_id for member in members] == [
        f"topk-{hook_point}-d64-k{k}-seed{seed}" for hook_point in "ab" for k in (2, 8) for seed in (0, 1)
    ]
    assert members[-1].dictionary.size == (64, 8, 1) and members[-1].hook_point == "b"


def test_what_an_entry_leaves_open_is_as_in_training():
    (member,) = _expand([{"architecture": "protsae"}], seeds=[7])
    assert (member.dictionary.size, member.dictionary.trainer.epochs, member.dictionary.name) == (
        (64, 4, 7),
        5,
        "protsae",
    )
    assert member.dictionary.settings == {"guidance": GuidanceConfig().model_dump()}


def test_blocks_are_merged_and_the_trainer_too():
    entry = {
        "architecture": "protsae",
        "name": "plain",
        "settings": {"guidance": {"detach": False}, "aux_coefficient": 0.5},
        "trainer": {"epochs": 2},
    }
    (member,) = _expand([entry], seeds=[0])
    wanted = GuidanceConfig(detach=False).model_dump()
    assert member.dictionary.settings == {"guidance": wanted, "aux_coefficient": 0.5}
    assert (member.dictionary.trainer.epochs, member.dictionary.trainer.residues_per_protein) == (2, 32)


def test_ablations_are_protsae_with_one_switch():
    members = _expand([], {"gate_half": {"gate": "half"}, "no_scales": {"scales": False}}, seeds=[0])
    assert [(member.dictionary.name, member.dictionary.architecture) for member in members] == [
        ("gate_half", "protsae"),
        ("no_scales", "protsae"),
    ]
    assert (
        members[0].dictionary.settings["guidance"]["gate"] == "half"
        and members[0].dictionary.settings["guidance"]["scales"]
    )
    assert members[1].dictionary.settings["guidance"]["scales"] is False


def test_a_member_follows_the_one_of_its_seed_and_hook_point():
    entries = [{"architecture": "topk", "name": "other", "match_l0": "protsae"}, {"architecture": "protsae"}]
    entries += [{"architecture": "jumprelu", "match_l0": "protsae"}]
    members = {member.member_id: member for member in _expand(entries)}
    assert members["other-a-d64-like-protsae-seed1"].like == "protsae-a-d64-k4-seed1"
    assert members["other-a-d64-like-protsae-seed0"].matched(6.6).dictionary.size == (64, 7, 0)
    follower = members["jumprelu-a-d64-like-protsae-seed0"].matched(6.6)
    assert (
        follower.dictionary.settings["target_l0"] == 6.6
        and follower.member_id == "jumprelu-a-d64-like-protsae-seed0"
    )


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"architecture": "top_k"}], r"architecture 'top_k' of top_k is not known: .*topk"),
        ([{"architecture": "topk", "k": 65}], r"topk-a-d64-k65-seed0: .*k 65 needs as many free latents"),
        ([{"architecture": "protsae", "k": 62}], r"d_sae 64 leaves 61"),
        ([{"architecture": "topk", "settings": {"aux": 1}}], r"seed0: .*unknown key 'aux'"),
        ([{"architecture": "topk", "trainer": {"epoch": 1}}], r"trainer of topk: .*did you mean 'epochs'"),
        ([{"architecture": "topk", "match_l0": "protsae"}], r"'protsae', of which the list has 0 members"),
        (
            [{"architecture": "gba", "match_l0": "topk"}, {"architecture": "topk"}],
            r"gba-a-d64-like-topk-seed0: .*unknown key 'target_l0'",
        ),
        (
            [{"architecture": "topk"}, {"architecture": "topk", "trainer": {"epochs": 2}}],
            r"two members are called topk-a-d64-k4-seed0: give one of the entries another name",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(members, message):
    with pytest.raises(InputError, match=message):
        _expand(members)


@pytest.mark.parametrize("architecture", ["frozen_decoder", "frozen_encoder"])
def test_frozen_dictionaries_need_one_line(architecture):
    swept = _expand([{"architecture": architecture, "k": [2, 8]}], seeds=[0])
    assert [member.dictionary.size.k for member in swept] == [2, 8]
    protsae, matched = _expand(
        [{"architecture": "protsae"}, {"architecture": architecture, "match_l0": "protsae"}], seeds=[3]
    )
    assert matched.like == protsae.member_id
    assert matched.matched(39.6).dictionary.size == (64, 40, 3)
