"""Which kernels a test runs on."""

from types import ModuleType

import pytest

from protsae.sae.kernels import blocks, cpu, plain


@pytest.fixture(params=["cpu", "blocks", "plain"])
def kernels(request) -> ModuleType:
    return {"cpu": cpu, "blocks": blocks, "plain": plain}[request.param]
