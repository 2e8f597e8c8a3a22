"""One planted dictionary for all tests that only read it."""

import pytest
from tests.explanation.planted import PlantedDictionary

from protsae.explanation.config import ExplanationConfig
from protsae.explanation.explainer import Explainer


@pytest.fixture(scope="session")
def planted(tmp_path_factory):
    return PlantedDictionary(tmp_path_factory.mktemp("planted") / "codes")


@pytest.fixture(scope="session")
def explainer(planted):
    return Explainer(planted.codes, planted.latents, planted.proteins, ExplanationConfig())


@pytest.fixture(scope="session")
def explained(explainer):
    return explainer.explain()
