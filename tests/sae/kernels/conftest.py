"""Which kernels a test runs on."""

from types import ModuleType

import pytest

from protsae.sae.kernels import cpu, plain


@pytest.fixture(params=["cpu", "plain"])
def kernels(request) -> ModuleType:
    return {"cpu": cpu, "plain": plain}[request.param]
