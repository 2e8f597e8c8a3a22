"""Which kernels a test runs on."""

from types import ModuleType

import pytest

from protsae.sae.kernels import cpu, plain


@pytest.fixture(params=["cpu", "plain", pytest.param("gpu", marks=pytest.mark.gpu)])
def kernels(request) -> ModuleType:
    """Those of `gpu` run on CPUs too, interpreted: `TRITON_INTERPRET=1 pytest -m gpu tests/sae/kernels`."""
    if request.param == "gpu":
        from protsae.sae.kernels import gpu

        return gpu
    return {"cpu": cpu, "plain": plain}[request.param]
