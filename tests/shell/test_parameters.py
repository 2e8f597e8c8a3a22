"""Unknown parameters are refused, all at once and with the nearest name."""

import shutil
from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from protsae.config_loader import ARGUMENTS, ProjectConfigLoader
from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.parameters import FOLLOWS, PARAMETER_MODELS, SharedParameters, complete_parameters, source_of
from protsae.pipeline_registry import PIPELINES
from protsae.pipelines.extraction.parameters import ExtractionParameters
from protsae.pipelines.fidelity.parameters import FidelityParameters

CONF = Path(__file__).parents[2] / "conf"


class Optimiser(Config):
    lr: float
    steps: int = 10


class Training(Config):
    k: int
    optimiser: Optimiser


class Probing(Config):
    strengths: tuple[float, ...]


MODELS: dict[str, type[Config]] = {"training": Training, "probing": Probing}
GOOD = {"training": {"k": 32, "optimiser": {"lr": 0.1}}, "probing": {"strengths": [1.0]}}


def problems(**changed: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        complete_parameters({**GOOD, **changed}, MODELS)
    return str(caught.value).splitlines()


def test_good_parameters_keep_their_values():
    complete = complete_parameters(GOOD, MODELS)
    assert (complete["training"]["k"], complete["training"]["optimiser"]["lr"]) == (32, 0.1)
    assert list(complete["probing"]["strengths"]) == [1.0]


def base_parameters() -> dict[str, object]:
    return OmegaConfigLoader(str(CONF), base_env="base", default_run_env="local")["parameters"]


@pytest.mark.filterwarnings("ignore:register_new_resolver")  # Kedro's own call
def test_every_pipeline_has_a_model_that_accepts_base_parameters():
    with_own = [name for name in PIPELINES if name in PARAMETER_MODELS]
    assert list(PARAMETER_MODELS) == ["shared", "dictionaries", "comparison", *with_own]
    complete = complete_parameters(base_parameters())
    for name, model in PARAMETER_MODELS.items():
        assert name == "dictionaries" or complete[name].keys() == model.model_fields.keys()


NO_DEFAULT = {
    "dictionaries": {"protsae": ..., "topk": ...},
    "comparison": {"subject": ..., "rival": ...},
    "extraction": {"hook_point": "layers.2.resid_post"},
    "reporting": {"texts": ...},
    "sweeps": {"sweep": ...},
}


@pytest.mark.filterwarnings("ignore:register_new_resolver")
def test_what_the_base_files_say_is_the_default_but_for_what_has_none():
    base = base_parameters()
    needed = {
        key: {name: base[key][name] if value is ... else value for name, value in block.items()}
        for key, block in NO_DEFAULT.items()
    }
    assert complete_parameters(base) == complete_parameters(needed)


def test_unknown_key_is_named_with_the_nearest():
    training = {**GOOD["training"], "kk": 3}
    assert problems(training=training) == ["parameters: training.kk: unknown key 'kk', did you mean 'k'?"]


def test_unknown_top_level_key_is_named_with_the_nearest():
    assert problems(trainin={"k": 3}) == [
        "parameters: trainin: unknown key 'trainin', did you mean 'training'?"
    ]


def test_one_message_lists_all_problems():
    told = problems(
        training={"k": "many", "optimiser": {"lr": 0.1, "step": 3, "zzz": 1}, "kk": 1},
        probing={"strengths": [1.0, "x"]},
        other=1,
    )
    assert told == [
        "parameters: other: unknown key 'other', known keys: probing, training",
        "parameters: training.k: Input should be a valid integer, unable to parse string as an integer "
        "(given: 'many')",
        "parameters: training.optimiser.step: unknown key 'step', did you mean 'steps'?",
        "parameters: training.optimiser.zzz: unknown key 'zzz', known keys: lr, steps",
        "parameters: training.kk: unknown key 'kk', did you mean 'k'?",
        "parameters: probing.strengths.1: Input should be a valid number, unable to parse string as a number "
        "(given: 'x')",
    ]


def test_missing_block_and_missing_key_are_reported():
    with pytest.raises(InputError) as caught:
        complete_parameters({"training": {"k": 1}}, MODELS)
    assert str(caught.value).splitlines() == [
        "parameters: training.optimiser: Field required",
        "parameters: probing.strengths: Field required",
    ]


def test_value_in_place_of_a_block_is_reported():
    assert len(problems(training=3)) == 1


class Scoring(Config):
    seed: int = 7
    n_resamples: int = 100
    own: int = 1


class Judging(Config):
    hook_point: str
    scoring: Scoring = Scoring(own=5)


SHARING = {
    "shared": SharedParameters,
    "extraction": ExtractionParameters,
    "probing": Judging,
    "fidelity": FidelityParameters,
}
HOOK = {"hook_point": "layers.2.resid_post"}


def test_what_is_shared_stands_in_for_what_a_block_leaves_out():
    complete = complete_parameters(
        {"shared": {"seed": 3}, "extraction": HOOK, "probing": {"scoring": {"n_resamples": 5}}}, SHARING
    )
    assert complete["probing"] == {**HOOK, "scoring": {"seed": 3, "n_resamples": 5, "own": 1}}


def test_missing_block_has_its_defaults_and_the_shared_values():
    complete = complete_parameters({"extraction": HOOK}, SHARING)
    assert complete["probing"]["scoring"] == {"seed": 0, "n_resamples": 200, "own": 5}


def test_a_setting_follows_the_one_it_is_tied_to_unless_it_is_given():
    given = {"extraction": {**HOOK, "max_residues": 500, "window_overlap": 100}}
    complete = complete_parameters({**given, "fidelity": {"passes": {"max_residues": 300}}}, SHARING)
    assert complete["fidelity"]["sequences"]["max_residues"] == 500
    assert complete["fidelity"]["passes"]["max_residues"] == 300
    assert complete["fidelity"]["passes"]["window_overlap"] == 100


def test_wrong_shared_value_is_reported_once():
    with pytest.raises(InputError) as caught:
        complete_parameters({"shared": {"seed": -1}, "extraction": HOOK}, SHARING)
    assert str(caught.value).splitlines() == [
        "parameters: shared.seed: Input should be greater than or equal to 0 (given: -1)"
    ]


def test_perplexity_seed_is_not_the_shared_one():
    assert source_of("pretraining.evaluation.seed") is None
    assert source_of("pretraining.seed") == "shared.seed"
    assert source_of("shared.seed") is None
    assert source_of("extraction.hook_point") is None


@pytest.mark.filterwarnings("ignore:register_new_resolver")
def test_every_tie_joins_two_settings_of_which_the_source_comes_first():
    complete = complete_parameters(base_parameters())
    order = list(PARAMETER_MODELS)
    for place, source in FOLLOWS.items():
        for path in (place, source):
            value = complete
            for step in path.split("."):
                value = value[step]
        assert order.index(source.split(".")[0]) < order.index(place.split(".")[0])


@pytest.mark.filterwarnings("ignore:register_new_resolver")  # Kedro's own call
def test_a_global_that_became_a_parameter_is_refused_by_name(tmp_path):
    shutil.copytree(CONF / "base", tmp_path / "base")
    (tmp_path / "local").mkdir()
    (tmp_path / "local/globals.yml").write_text("data_root: elsewhere\nseed: 3\n")
    with pytest.raises(InputError, match=r"globals\.yml: seed is now the parameter shared\.seed\. Set it"):
        ProjectConfigLoader(conf_source=str(tmp_path), **ARGUMENTS)
    (tmp_path / "local/globals.yml").write_text("data_root: elsewhere\n")
    assert ProjectConfigLoader(conf_source=str(tmp_path), **ARGUMENTS)["parameters"]["shared"]["seed"] == 0
