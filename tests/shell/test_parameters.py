"""Parameters that no pipeline knows are refused, all at once and with the nearest name."""

from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

from protsae.core.config import Config
from protsae.core.errors import InputError
from protsae.parameters import PARAMETER_MODELS, check_parameters
from protsae.pipeline_registry import PIPELINES

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
        check_parameters({**GOOD, **changed}, MODELS)
    return str(caught.value).splitlines()


def test_good_parameters_pass():
    check_parameters(GOOD, MODELS)


@pytest.mark.filterwarnings("ignore:register_new_resolver")  # Kedro's own call
def test_every_pipeline_has_a_model_and_the_project_s_own_parameters_pass():
    assert list(PARAMETER_MODELS) == list(PIPELINES)
    loader = OmegaConfigLoader(str(CONF), base_env="base", default_run_env="local")
    check_parameters(loader["parameters"])


def test_unknown_key_is_named_with_the_nearest():
    training = {**GOOD["training"], "kk": 3}
    assert problems(training=training) == ["parameters: training.kk: unknown key 'kk', did you mean 'k'?"]


def test_unknown_top_level_key_is_named_with_the_nearest():
    assert problems(trainin={"k": 3}) == [
        "parameters: trainin: unknown key 'trainin', did you mean 'training'?"
    ]


def test_all_problems_are_told_in_one_message():
    told = problems(
        training={"k": "many", "optimiser": {"lr": 0.1, "step": 3, "zzz": 1}, "kk": 1},
        probing={"strengths": [1.0, "x"]},
        other=1,
    )
    assert told == [
        "parameters: other: unknown key 'other', known keys: probing, training",
        "parameters: training.kk: unknown key 'kk', did you mean 'k'?",
        "parameters: training.optimiser.step: unknown key 'step', did you mean 'steps'?",
        "parameters: training.optimiser.zzz: unknown key 'zzz', known keys: lr, steps",
        "parameters: training.k: Input should be a valid integer, unable to parse string as an integer "
        "(given: 'many')",
        "parameters: probing.strengths.1: Input should be a valid number, unable to parse string as a number "
        "(given: 'x')",
    ]


def test_missing_block_and_missing_key_are_told():
    with pytest.raises(InputError) as caught:
        check_parameters({"training": {"k": 1}}, MODELS)
    assert str(caught.value).splitlines() == [
        "parameters: training.optimiser: Field required",
        "parameters: probing: missing; it belongs in conf/base/parameters_probing.yml",
    ]


def test_block_that_is_no_block_is_told():
    assert len(problems(training=3)) == 1
